package golden

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestCommittedVectorsAreWhatTheCodeSays(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join("..", "..", "..", "..", "abi", "testdata", "v1")
	expected := map[string]bool{"FROZEN": true}
	for _, f := range files {
		expected[f.Name] = true
		committed, err := os.ReadFile(filepath.Join(folder, f.Name))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(committed, f.Text) {
			t.Errorf("%s is stale: run go generate ./abi", f.Name)
		}
	}
	present, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range present {
		if !expected[entry.Name()] {
			t.Errorf("%s belongs to no message", entry.Name())
		}
	}
}

func TestEveryMessageHasVectorsOfBothKinds(t *testing.T) {
	for _, name := range abi.MessageNames() {
		v, err := Of(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		skips := 0
		for _, r := range v.Refused {
			if r.Guest == "skips" {
				skips++
			}
		}
		if len(v.Valid) < 2 || skips != 2 || len(v.Refused) < 10 {
			t.Errorf("%s has %d valid, %d refused vectors, %d of them skipped by guests", name, len(v.Valid), len(v.Refused), skips)
		}
	}
}
