package toolchain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	cFix = "Debian: apt-get install --no-install-recommends clang-14 lld-14"
	// cSDK is where purser plugin new puts the SDK; a plugin in this repository finds it in sdk/c.
	cSDK = "purser-sdk"
)

// clangs are the compilers to look for. The first is the one that the SDK's vectors are built with.
var clangs = []string{"clang-14", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang"}

// compileC hands every C file of the folder to the SDK's own script.
func compileC(ctx context.Context, folder, out string) error {
	sdk, err := findCSDK(folder)
	if err != nil {
		return err
	}
	compiler, err := findClang()
	if err != nil {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(globEscape(folder), "*.c"))
	if err != nil {
		return err
	}
	for i, source := range sources {
		sources[i] = filepath.Base(source)
	}
	slices.Sort(sources)
	return script(ctx, C, sdk, folder, []string{"CLANG=" + compiler}, append([]string{out}, sources...)...)
}

// findClang wants a clang with its linker: without lld it fails late, with an error that names neither.
func findClang() (string, error) {
	for _, name := range clangs {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue
		}
		candidates := []string{filepath.Join(filepath.Dir(real), "wasm-ld"), "wasm-ld"}
		if version, numbered := strings.CutPrefix(name, "clang"); numbered && version != "" {
			candidates = append(candidates, "wasm-ld"+version)
		}
		for _, linker := range candidates {
			if _, err := exec.LookPath(linker); err == nil {
				return path, nil
			}
		}
	}
	return "", toolMissing(C, cFix, "clang with lld")
}

func findCSDK(folder string) (string, error) {
	for _, sdk := range []string{filepath.Join(folder, cSDK), filepath.Join(folder, "..", "..", "..", "sdk", "c")} {
		if _, err := os.Stat(filepath.Join(sdk, "include", "purser.h")); err == nil {
			return filepath.Clean(sdk), nil
		}
	}
	return "", &abi.Error{Code: CodeBuildFailed, Message: "the folder has no " + cSDK, Where: folder, Fix: "copy sdk/c there, or start with purser plugin new --lang c"}
}
