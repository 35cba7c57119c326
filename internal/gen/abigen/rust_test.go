package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestRustKeywordsAreWrittenRaw(t *testing.T) {
	s, err := parse(head + "message A {\n string type = 1;\n string typed = 2;\n}")
	if err != nil {
		t.Fatal(err)
	}
	text, err := rustMessages(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pub r#type: String", "pub typed: String", "e.text(1, &self.r#type)", "d.text(&mut self.r#type)?"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestFieldsThatRustCannotNameAreRefusedWithTheirLine(t *testing.T) {
	for _, name := range []string{"self", "super", "crate"} {
		s, err := parse(head + "message A {\n string x = 1;\n string " + name + " = 2;\n}")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rustMessages(s); err == nil || !strings.Contains(err.Error(), "line 5") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryFieldIsInTheRustStructEncoderAndDecoderOnce(t *testing.T) {
	files, err := outputs(root)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for _, f := range files {
		if f.path == "sdk/rust/src/messages_gen.rs" {
			text = string(f.text)
		}
	}
	fields := len(regexp.MustCompile(`(?m)^    pub (r#)?[a-z0-9_]+: `).FindAllString(text, -1))
	encoded := len(regexp.MustCompile(`(?m)^        e\.[a-z_]+\([0-9]+, `).FindAllString(text, -1))
	decoded := len(regexp.MustCompile(`(?m)^            (?:[0-9]+ => )?d\.[a-z_]+\(&mut self\.`).FindAllString(text, -1))
	if fields < 200 || encoded != fields || decoded != fields {
		t.Errorf("%d fields, %d encoded, %d decoded", fields, encoded, decoded)
	}
}

// FuzzRust: whatever the parser takes, the Rust back end writes, but for names that Rust cannot have.
func FuzzRust(f *testing.F) {
	f.Add(head + "enum E { E_A = 0; }\nmessage A { repeated string x = 1; E e = 2; }\nmessage B { A a = 7; }")
	f.Add(head + "message A { // @amount\n string decimal = 1;\n bytes big_endian = 2;\n}\nmessage B { A x = 1; }")
	f.Add(head + "message A { bytes self = 1; }")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(text)
		if err != nil {
			return
		}
		if _, err := rustMessages(s); err != nil && !strings.Contains(err.Error(), "Rust has no way to write") {
			t.Fatalf("%q: %v", text, err)
		}
		if _, err := rustRegistry(s); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
