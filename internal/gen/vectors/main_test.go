package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFrozenVectorsAreNotOverwritten(t *testing.T) {
	folder := t.TempDir()
	if err := run(folder); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "Intent.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(folder); err != nil {
		t.Fatalf("not frozen yet, but: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, frozenName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(folder); err != nil {
		t.Fatalf("nothing changed, but: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(folder); err == nil || !strings.Contains(err.Error(), "frozen") {
		t.Fatalf("a frozen vector was overwritten: %v", err)
	}
}
