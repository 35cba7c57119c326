package main

import (
	"strings"
	"testing"
)

func TestCNamesFollowC(t *testing.T) {
	for camel, want := range map[string]string{
		"JSONEntry": "json_entry", "ConfigureRequest": "configure_request", "Intent": "intent", "PluginRun": "plugin_run", "A": "a", "AB": "ab", "ABc": "a_bc",
	} {
		if got := cSnake(camel); got != want {
			t.Errorf("%s is %s, want %s", camel, got, want)
		}
	}
	s, err := parse(head + "enum E { E_A = 0; }\nmessage M {\n string register = 1;\n uint64 signed = 2;\n bool delete = 3;\n}")
	if err != nil {
		t.Fatal(err)
	}
	text, err := cHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"purser_text register_;", "uint64_t signed_;", "bool delete_;", "PURSER_E_A = 0,", "typedef struct purser_m purser_m;"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the header lacks %q", want)
		}
	}
}

func TestSchemasWhoseNamesMeetInCAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"two messages":          "message AB {}\nmessage Ab {}",
		"a message and an enum": "message Ab { string a = 1; }\nenum AB { A_B_A = 0; }",
		"a field and a count":   "message A {\n repeated string x = 1;\n uint64 x_count = 2;\n}",
		"a type of the SDK":     "message Text {}",
		"two enum values":       "enum AB { A_B_C = 0; }\nenum Ab { AB_C = 0; }",
	} {
		s, err := parse(head + text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		header, headerErr := cHeader(s)
		codec, codecErr := cCodec(s)
		registry, registryErr := cRegistry(s)
		if headerErr == nil || codecErr == nil || registryErr == nil || header != nil || codec != nil || registry != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// FuzzEveryIdentifierOfCIsDeclaredOnce: what the generator takes has no two types or members of one name.
func FuzzEveryIdentifierOfCIsDeclaredOnce(f *testing.F) {
	f.Add(head + "enum E { E_A = 0; }\nmessage A { repeated string x = 1; E e = 2; }\nmessage B { A a = 7; repeated A b = 8; }")
	f.Add(head + "message A { // @amount\n string decimal = 1;\n bytes big_endian = 2;\n}\nmessage B { A x = 1; }")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		header, err := cHeader(s)
		if _, codecErr := cCodec(s); (err == nil) != (codecErr == nil) {
			t.Fatalf("%q: %v, %v", text, err, codecErr)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for line := range strings.Lines(string(header)) {
			if strings.HasPrefix(line, "typedef struct ") {
				if seen[line] {
					t.Fatalf("%q: %s twice", text, line)
				}
				seen[line] = true
			}
		}
	})
}
