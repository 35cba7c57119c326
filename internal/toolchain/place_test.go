package toolchain_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

func TestAnErrorAboutADocumentSaysFileLineAndColumn(t *testing.T) {
	manifest := func(text string) error { _, err := abi.ParseManifest([]byte(text)); return err }
	request := func(text string) error { return abi.NewMessage("DecideRequest").UnmarshalJSON([]byte(text)) }
	for _, c := range []struct {
		name, document string
		read           func(string) error
		code, where    string
	}{
		{"a manifest that is no JSON", "{\n  \"name\": oops\n}", manifest, abi.CodeManifestInvalid, "f.json:2:11"},
		{"a member that no manifest has, behind text of two bytes a character", "{\"description\": \"éé\",\n \"colour\": 1}", manifest, abi.CodeManifestInvalid, ""},
		{"a manifest that lacks something", `{"abi": {"major": 1, "minor": 0}}`, manifest, abi.CodeManifestInvalid, "f.json: name"},
		{"a request with a member that there is not", "{\n\n \"intend\": 1}", request, "json_invalid", ""},
	} {
		err := toolchain.InFile(c.read(c.document), "f.json", []byte(c.document))
		var coded *abi.Error
		if !errors.As(err, &coded) || coded.Code != c.code {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var file string
		var line, column int
		if c.where == "" { // the line is what matters: the column stands before or behind the member
			if n, err := fmt.Sscanf(coded.Where, "f.json:%d:%d", &line, &column); n != 2 || line < 2 {
				t.Errorf("%s: at %q: %v", c.name, coded.Where, err)
			}
		} else if file = coded.Where; file != c.where {
			t.Errorf("%s: at %q, want %q", c.name, file, c.where)
		}
	}
	plain := errors.New("no place")
	if toolchain.InFile(plain, "f.json", nil) != plain { //nolint:errorlint // the same value
		t.Error("another error was changed")
	}
	if err := toolchain.InFile(&abi.Error{Code: "x", Where: "byte 99"}, "f.json", []byte("{}")); err.Error() != "x:  (at f.json:1:3)" {
		t.Errorf("an offset behind the end: %v", err)
	}
}
