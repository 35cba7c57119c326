package toolchain

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

// examples are plugins of this repository, which every SDK builds.
var examples = map[Language]string{
	Go: "../../examples/ceiling/go", Rust: "../../examples/ceiling/rust",
	AssemblyScript: "../../examples/ceiling/assemblyscript", C: "../../examples/ceiling/c",
}

// skipWithout skips a test that lacks a tool, but never in CI.
func skipWithout(t *testing.T, err error) {
	t.Helper()
	if abi.CodeOf(err) != CodeToolMissing {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("required in CI: %v", err)
	}
	t.Skipf("NOT TESTED: %v", err)
}

func TestEveryExampleBuildsTwiceToTheSameBytes(t *testing.T) {
	for language, folder := range examples {
		t.Run(string(language), func(t *testing.T) {
			if got, err := Detect(folder); got != language {
				t.Fatalf("%q, %v", got, err)
			}
			if language == AssemblyScript {
				folder = installed(t, folder)
			}
			var modules [2][]byte
			for i := range modules {
				out := filepath.Join(t.TempDir(), "ceiling.wasm")
				built, err := Build(t.Context(), folder, out)
				skipWithout(t, err)
				if err != nil {
					t.Fatal(err)
				}
				if modules[i], err = os.ReadFile(out); err != nil {
					t.Fatal(err)
				}
				if built.Name != "ceiling" || built.Kind != abi.KindPolicy || built.Bytes != len(modules[i]) || built.Language != language {
					t.Errorf("%+v", built)
				}
			}
			if !bytes.Equal(modules[0], modules[1]) {
				t.Error("two builds differ")
			}
			outline, err := ReadOutline(modules[0])
			if err != nil || outline.Manifest == nil {
				t.Fatal("no manifest", err)
			}
			here, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(modules[0], []byte(filepath.Dir(filepath.Dir(here)))) {
				t.Error("the module holds a path of this machine")
			}
			t.Logf("%s: %d bytes", language, len(modules[0]))
		})
	}
}

// npmOffline is what npm says when it cannot reach a registry.
var npmOffline = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED`)

// installed copies the AssemblyScript example with its SDK and installs the compiler by its lock file.
func installed(t *testing.T, folder string) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		skipWithout(t, toolMissing(AssemblyScript, nodeFix, "npm"))
	}
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "sdk", "assemblyscript"), os.DirFS("../../sdk/assemblyscript")); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(root, "examples", "ceiling", "assemblyscript")
	if err := os.MkdirAll(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !file.Type().IsRegular() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, file.Name()), content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), npm, "ci", "--prefer-offline", "--no-audit", "--no-fund")
	install.Dir = copied
	if output, err := install.CombinedOutput(); err != nil {
		if npmOffline.Match(output) {
			skipWithout(t, toolMissing(AssemblyScript, nodeFix, "a registry"))
		}
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	return copied
}

// writeProject writes files into a new folder.
func writeProject(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestAFolderOfNoOrOfTwoLanguagesIsRefused(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing": {"README.md": ""}, "two": {"go.mod": "", "Cargo.toml": ""},
	} {
		if _, err := Build(t.Context(), writeProject(t, files), ""); abi.CodeOf(err) != CodeLanguageUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Detect(filepath.Join(t.TempDir(), "missing")); abi.CodeOf(err) != CodeLanguageUnknown {
		t.Error(err)
	}
	odd := filepath.Join(t.TempDir(), "odd[1]*")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(odd, "p.c"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Detect(odd); got != C {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAManifestThatCannotLoadIsRefusedBeforeTheCompilerRuns(t *testing.T) {
	for name, c := range map[string]struct{ manifest, code string }{
		"none":                {"", abi.CodeManifestInvalid},
		"a later ABI":         {strings.Replace(manifest, `"major": 1`, `"major": 2`, 1), abi.CodeABIUnsupported},
		"a schema outside":    {strings.Replace(manifest, `"license"`, `"config_schema": {"format": "uri"}, "license"`, 1), abi.CodeManifestInvalid},
		"a vector's config":   {strings.Replace(manifest, `"license"`, `"vectors": [{"name": "a", "call": "decide", "config": {"a": 1}, "request": {}, "result": {}}], "license"`, 1), abi.CodeManifestInvalid},
		"an unreadable thing": {"{", abi.CodeManifestInvalid},
	} {
		// The source is none: a compiler that ran would say so.
		folder := writeProject(t, map[string]string{"go.mod": "nonsense", manifestFile: c.manifest})
		if _, err := Build(t.Context(), folder, ""); abi.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACompilersWordsReachTheAuthorAndTheOldModuleStays(t *testing.T) {
	folder := writeProject(t, map[string]string{
		"go.mod": "module broken\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() { undefinedWord() }\n", manifestFile: manifest, "ceiling.wasm": "old",
	})
	_, err := Build(t.Context(), folder, "")
	if abi.CodeOf(err) != CodeBuildFailed || !strings.Contains(err.Error(), "undefinedWord") {
		t.Errorf("%v", err)
	}
	if content, err := os.ReadFile(filepath.Join(folder, "ceiling.wasm")); err != nil || string(content) != "old" {
		t.Errorf("%q %v", content, err)
	}
	left, err := filepath.Glob(filepath.Join(folder, ".purser-build-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAMissingToolNamesWhatToInstall(t *testing.T) {
	go1, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("RUSTC", "")
	for language, folder := range examples {
		if _, err := os.Stat("/usr/bin/rustc"); err == nil && language == Rust {
			continue // found without PATH
		}
		_, err := Build(t.Context(), folder, filepath.Join(t.TempDir(), "p.wasm"))
		coded, _ := err.(*abi.Error) //nolint:errorlint // the error itself
		if coded == nil || coded.Code != CodeToolMissing || coded.Fix == "" {
			t.Errorf("%s: %v (go is %s)", language, err, go1)
		}
	}
}

func TestWhatACompilerLacksIsNotCalledAMistakeInTheSource(t *testing.T) {
	folder := writeProject(t, map[string]string{"go.mod": "module p\n\ngo 1.24\n", "main.go": "package main\n\nfunc main() {}\n", manifestFile: manifest})
	for _, c := range []struct{ name, script, code, says string }{
		{"a command that is not there", "exit 127", CodeToolMissing, goFix},
		{"a linker that clang does not find", `echo 'clang: error: unable to execute command: Executable "wasm-ld-14" doesn'\''t exist!' >&2; exit 1`, CodeToolMissing, goFix},
		{"a linker that rustc does not find", "echo 'error: linker `rust-lld` not found' >&2; exit 1", CodeToolMissing, goFix},
		{"a compiler that writes nothing", "exit 0", CodeBuildFailed, "wrote no module"},
		{"a mistake", "echo 'main.go:1: mistake'; exit 1", CodeBuildFailed, "main.go:1: mistake"},
	} {
		tools := t.TempDir()
		if err := os.WriteFile(filepath.Join(tools, "go"), []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil { //nolint:gosec // it is run
			t.Fatal(err)
		}
		t.Setenv("PATH", tools)
		_, err := Build(t.Context(), folder, "")
		coded, _ := err.(*abi.Error) //nolint:errorlint // the error itself
		if coded == nil || coded.Code != c.code || !strings.Contains(err.Error()+coded.Fix, c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestARustPluginWithOtherDependenciesIsSentToCargo(t *testing.T) {
	for name, cargo := range map[string]string{
		"another crate": "[package]\nname = \"p\"\n[dependencies]\npurser-sdk = { path = \"purser-sdk\" }\nserde = \"1\"\n",
		"no SDK":        "[package]\nname = \"p\"\n",
		"a version":     "[dependencies]\npurser-sdk = \"1\"\n",
		"a lost folder": "[dependencies]\npurser-sdk = { path = \"nowhere\" }\n[profile.release]\nlto = true\n",
	} {
		folder := writeProject(t, map[string]string{"Cargo.toml": cargo, manifestFile: manifest})
		if _, err := Build(t.Context(), folder, ""); abi.CodeOf(err) != CodeBuildFailed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAModuleThatAnotherToolCompiledGetsItsManifest(t *testing.T) {
	folder := writeProject(t, map[string]string{manifestFile: manifest})
	built, err := Finish(folder, "", module)
	if err != nil || built.Path != filepath.Join(folder, "ceiling.wasm") || built.Language != "" {
		t.Fatalf("%+v %v", built, err)
	}
	if _, err := Finish(folder, "", []byte("no module")); abi.CodeOf(err) != CodeModuleInvalid {
		t.Error(err)
	}
	if _, err := Finish(folder, filepath.Join(folder, "missing", "p.wasm"), module); err == nil {
		t.Error("written into a folder that does not exist")
	}
}
