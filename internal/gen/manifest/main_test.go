package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRunReadsAndWritesFiles(t *testing.T) {
	folder := t.TempDir()
	manifestPath, wasmPath := filepath.Join(folder, "manifest.json"), filepath.Join(folder, "p.wasm")
	for path, text := range map[string][]byte{
		manifestPath: []byte(`{"version": "1.0.0", "name": "ceiling", "kind": "policy", "abi": {"major": 1}, "description": "denies", "license": "MIT"}`),
		wasmPath:     []byte("\x00asm\x01\x00\x00\x00"),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(manifestPath, wasmPath, wasmPath); err != nil {
		t.Fatal(err)
	}
	if out, err := os.ReadFile(wasmPath); err != nil || !bytes.Contains(out, []byte("purser.manifest")) {
		t.Fatalf("%q, %v", out, err)
	}
	if err := run(manifestPath, filepath.Join(folder, "missing.wasm"), wasmPath); err == nil {
		t.Fatal("a missing module was read")
	}
}
