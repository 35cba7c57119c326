package meter

import (
	"crypto/sha256"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sourcesOfVersion is the hash of the code that decides what Rewrite gives and refuses, comments aside.
const sourcesOfVersion = "purser-meter-1 57839bf2fd8a785f"

// TestAVersionIsOneRewriting fails when the code is not what Version was recorded for. The sandbox keeps metered modules
// under Version, so that without a new one it would go on running what older code made, or took and this code refuses.
func TestAVersionIsOneRewriting(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "../wasm/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if len(files) < 12 {
		t.Fatalf("only %d files: %q", len(files), files)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, codeBytesMax, bulkBytesMax, growPagesMax, tableEntriesMax) // package abi decides these
	for _, name := range files {
		text, err := os.ReadFile(name) // #nosec G304 -- sources
		if err != nil {
			t.Fatal(err)
		}
		var s scanner.Scanner
		s.Init(token.NewFileSet().AddFile(name, -1, len(text)), text, nil, 0)
		for {
			_, tok, literal := s.Scan()
			fmt.Fprintf(sum, "%s %q\n", tok, literal)
			if tok == token.EOF {
				break
			}
		}
	}
	if got := fmt.Sprintf("%s %x", Version, sum.Sum(nil)[:8]); got != sourcesOfVersion {
		t.Errorf("the code changed. If it rewrites or refuses anything differently, raise Version; in any case record %q", got)
	}
}
