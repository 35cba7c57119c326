package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

func TestCommittedFilesAreWhatTheSchemaSays(t *testing.T) {
	files, err := outputs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		committed, err := os.ReadFile(filepath.Join(root, f.path))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(committed, f.text) {
			t.Errorf("%s is stale: run go generate ./abi", f.path)
		}
	}
}

func TestEveryMessageAndEnumIsDocumentedByName(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, schemaPath))
	if err != nil {
		t.Fatal(err)
	}
	s, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string][]string{}
	for _, m := range s.messages {
		docs[m.name] = m.doc
	}
	for _, e := range s.enums {
		docs[e.name] = e.doc
	}
	if len(docs) < 40 {
		t.Fatalf("the schema has %d types only", len(docs))
	}
	for name, doc := range docs {
		if len(doc) == 0 || !strings.HasPrefix(doc[0], name+" ") {
			t.Errorf("%s has no comment that starts with its name: %q", name, doc)
		}
	}
}

const head = "syntax = \"proto3\";\npackage purser.v1;\n"

func TestSchemasOutsideTheSubsetAreRefusedWithTheirLine(t *testing.T) {
	nested := head
	for _, pair := range []string{"A B", "B C", "C D", "D E", "E F", "F G", "G H", "H I"} {
		outer, inner, _ := strings.Cut(pair, " ")
		nested += "message " + outer + " { " + inner + " x = 1; }\n"
	}
	for _, c := range []struct{ name, schema, says string }{
		{"another syntax", "syntax = \"proto2\";\n", "line 1"},
		{"another package", "syntax = \"proto3\";\npackage other.v1;\n", "line 2"},
		{"an import", head + "import \"x.proto\";", "line 3: \"import\" is outside the subset"},
		{"an option", head + "option go_package = \"x\";", "line 3"},
		{"a service", head + "service S {}", "line 3"},
		{"a block comment", head + "/* x */", "line 3: '/' is outside the subset"},
		{"a nested message", head + "message A {\n message B {}\n}", "line 4"},
		{"a oneof", head + "message A {\n oneof x { string a = 1; }\n}", "line 4"},
		{"a map", head + "message A {\n map<string, string> x = 1;\n}", "line 4"},
		{"optional", head + "message A {\n optional string x = 1;\n}", "line 4"},
		{"reserved", head + "message A {\n reserved 1;\n}", "line 4"},
		{"a signed type", head + "message A {\n int64 x = 1;\n}", "line 4: type \"int64\""},
		{"a float", head + "message A {\n double x = 1;\n}", "line 4: type \"double\""},
		{"a field option", head + "message A {\n string x = 1 [deprecated = true];\n}", "line 4"},
		{"an unknown type", head + "message A {\n B x = 1;\n}", "line 4: type B is not defined"},
		{"a repeated bool", head + "message A {\n repeated bool x = 1;\n}", "line 4: repeated bool"},
		{"a repeated enum", head + "enum E { E_A = 0; }\nmessage A {\n repeated E x = 1;\n}", "line 5: repeated E"},
		{"field number 0", head + "message A {\n string x = 0;\n}", "line 4"},
		{"a huge field number", head + "message A {\n string x = 536870911;\n}", "line 4"},
		{"a padded field number", head + "message A {\n string x = 01;\n}", "line 4"},
		{"numbers that do not ascend", head + "message A {\n string x = 2;\n string y = 1;\n}", "line 5: field number 1 does not ascend"},
		{"a number twice", head + "message A {\n string x = 1;\n string y = 1;\n}", "line 5"},
		{"a name twice", head + "message A {\n string x = 1;\n string x = 2;\n}", "line 5: A.x is defined twice"},
		{"a name in camel case", head + "message A {\n string aB = 1;\n}", "line 4"},
		{"a type twice", head + "message A {}\nenum A { A_B = 0; }", "line 4: A is already defined in line 3"},
		{"an empty enum", head + "enum E {}", "line 3: enum E has no values"},
		{"an enum with a gap", head + "enum E {\n E_A = 0;\n E_B = 2;\n}", "line 5"},
		{"an enum not from zero", head + "enum E {\n E_A = 1;\n}", "line 4"},
		{"an enum value without prefix", head + "enum E {\n A = 0;\n}", "line 4"},
		{"recursion", head + "message A {\n A x = 1;\n}", "contains itself"},
		{"mutual recursion", head + "message A {\n B x = 1;\n}\nmessage B {\n repeated A x = 1;\n}", "contains itself"},
		{"deep nesting", nested + "message I {}\n", "nests deeper"},
		{"an unknown annotation", head + "message A {\n string x = 1; // @optional\n}", "line 4: unknown annotation"},
		{"a critical field, which no host honours yet", head + "message A {\n string x = 1; // @critical 1\n}", "line 4: unknown annotation"},
		{"an amount of another shape", head + "message A { // @amount\n string decimal = 1;\n}", "line 3"},
		{"a repeated amount", head + "message A { // @amount\n string decimal = 1;\n bytes big_endian = 2;\n}\nmessage B {\n repeated A x = 1;\n}", "line 8"},
		{"an open message", head + "message A {\n string x = 1;\n", "line 4"},
		{"an open string", "syntax = \"proto3;\n", "line 1"},
		{"an endless word", head + "message " + strings.Repeat("A", 100) + " {}", "line 3"},
		{"an endless line", head + strings.Repeat(" ", lineBytesMax) + "//", "line 3"},
		{"an endless file", strings.Repeat("\n", sourceBytesMax+1), "bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if s, err := parse(c.schema); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v; want an error with %q", s, err, c.says)
			}
		})
	}
}

func TestManyPathsThroughTheSchemaAreWalkedOnce(t *testing.T) {
	// 190^7 paths: this test ends only because each message is measured once.
	var b strings.Builder
	b.WriteString(head)
	for i := range messageDepthMax - 1 {
		fmt.Fprintf(&b, "message M%d {\n", i)
		for n := range 190 {
			fmt.Fprintf(&b, " M%d f%d = %d;\n", i+1, n, n+1)
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "message M%d {\n string x = 1;\n}\n", messageDepthMax-1)
	s, err := parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if first := s.messages[0]; first.depth != messageDepthMax {
		t.Errorf("depth %d, want %d", first.depth, messageDepthMax)
	}
}

func TestGoNamesFollowGo(t *testing.T) {
	for snake, want := range map[string]string{
		"body_sha256": "BodySHA256", "resource_url": "ResourceURL", "mime_type": "MIMEType", "abi_minor": "ABIMinor",
		"rpc_methods": "RPCMethods", "expires_unix_s": "ExpiresUnixS", "url": "URL", "id": "ID", "ok": "Ok",
	} {
		if got := goName(snake); got != want {
			t.Errorf("%s is %s, want %s", snake, got, want)
		}
	}
}

// FuzzParse: no text makes the generator panic, and what it takes, every back
// end can write.
func FuzzParse(f *testing.F) {
	f.Add(head + "enum E { E_A = 0; }\nmessage A { repeated string x = 1; E e = 2; }\nmessage B { A a = 7; }")
	f.Add(head + "message A { // @amount\n string decimal = 1;\n bytes big_endian = 2;\n}\nmessage B { A x = 1; }")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		for _, write := range []func(*schema) ([]byte, error){goCodec, goJSONView, goRegistry} {
			if _, err := write(s); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
		if _, err := goMessages(s, nil); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
