package main

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func names(t *testing.T, archive []byte) []string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, file := range r.File {
		list = append(list, file.Name)
	}
	return list
}

func TestOnlyWhatAnAuthorNeedsIsPacked(t *testing.T) {
	files := fstest.MapFS{}
	for _, name := range []string{
		"sdk/go/go.mod", "sdk/go/policy/policy.go", "sdk/go/policy/policy_test.go", "sdk/go/internal/guest/testdata/x/main.go",
		"sdk/assemblyscript/package.json", "sdk/assemblyscript/node_modules/a/index.js", "sdk/rust/tests/vectors.rs", "sdk/rust/target/debug/x",
		"examples/ceiling/go/main.go", "examples/ceiling/go/main_test.go", "examples/ceiling/go/readme_test.go", "examples/ceiling/go/ceiling.wasm",
		"examples/ceiling/assemblyscript/package-lock.json", "examples/adapter/go/main.go", "plugins/price-sanity/main.go",
	} {
		files[name] = &fstest.MapFile{Data: []byte(name)}
	}
	archive, err := pack(files)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"go/sdk/go.mod", "go/sdk/policy/policy.go", "go/policy/main.go", "go/policy/main_test.go", "go/chain/main.go", "assemblyscript/sdk/package.json",
	}
	if diff := cmp.Diff(want, names(t, archive)); diff != "" {
		t.Error(diff)
	}
	again, err := pack(files)
	if err != nil || !bytes.Equal(archive, again) {
		t.Error("the same files gave another archive", err)
	}
}

func TestAnArchiveOfBuildResultsIsRefused(t *testing.T) {
	noise := make([]byte, archiveBytesMax+4096)
	for i, x := 0, uint32(1); i < len(noise); i++ { // nothing compresses it
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		noise[i] = byte(x)
	}
	if _, err := pack(fstest.MapFS{"sdk/c/src/big.c": {Data: noise}}); err == nil {
		t.Error("packed")
	}
}

func TestTheRepositoryPacksAndIsWrittenOnce(t *testing.T) {
	out := filepath.Join(t.TempDir(), "sdk.zip")
	for range 2 {
		if err := run("../../..", out); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	list := names(t, archive)
	for _, name := range []string{"go/sdk/go.mod", "go/policy/main.go", "go/policy/manifest.json", "go/chain/main.go"} {
		if !slices.Contains(list, name) {
			t.Errorf("the archive lacks %s", name)
		}
	}
	for _, name := range list {
		if strings.Contains(name, "node_modules") || strings.HasSuffix(name, ".wasm") {
			t.Errorf("the archive holds %s", name)
		}
	}
	t.Logf("%d files, %d bytes", len(list), len(archive))
	if err := run(t.TempDir(), filepath.Join(t.TempDir(), "missing", "sdk.zip")); err == nil {
		t.Error("written into a folder that does not exist")
	}
}
