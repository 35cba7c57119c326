package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

const goGuestManifest = `{"name":"go-guest","version":"0.1.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0"}`

// buildGoGuest compiles testdata/goguest as authors do: a reactor, without any SDK.
func buildGoGuest(t testing.TB) []byte { return buildGo(t, "testdata/goguest") }

func buildGo(t testing.TB, folder string) []byte {
	t.Helper()
	tool := needTool(t, "go")
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.CommandContext(t.Context(), tool, "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".") // #nosec G204 -- a test's own tool
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	return withManifest(readFile(t, out), goGuestManifest)
}

func TestAPlainGoGuestWorks(t *testing.T) {
	wasm := buildGoGuest(t)
	imported := map[string]bool{}
	h := openHost(t, Config{CacheDir: filepath.Join(t.TempDir(), "cache")})
	p, err := h.Install(context.Background(), wasm, abi.KindPolicy, Grants{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		imported[module+"."+name] = true
	}
	for _, f := range hostFunctions {
		if !imported[f.module+"."+f.name] {
			t.Errorf("the guest does not import %s.%s: the host offers more than Go needs", f.module, f.name)
		}
	}
	c, answer, err := p.Configure(context.Background(), []byte("cfg"))
	if err != nil || string(answer) != "configured cfg" {
		t.Fatalf("%q, %v", answer, err)
	}
	for request, want := range map[string]string{"pay": "cfg:pay", "": "cfg:", "log": "cfg:log", "print": "cfg:print", "time": "1700000000000000000"} {
		got, err := decide(c, request)
		if err != nil || string(got.Bytes) != want {
			t.Errorf("%q: %q, %v", request, got.Bytes, err)
		}
		switch request {
		case "log":
			if diff := cmp.Diff([]LogLine{{Level: LevelWarn, Text: "hello"}}, got.Log); diff != "" {
				t.Error(diff)
			}
		case "print":
			if diff := cmp.Diff([]LogLine{{Level: LevelOutput, Text: "printed 3\n"}}, got.Log); diff != "" {
				t.Error(diff)
			}
		}
	}
	for request, code := range map[string]string{"panic": CodeTrap, "nil": CodeTrap, "grow": CodeTrap, "loop": CodeFuelExhausted} {
		got, err := decide(c, request)
		wantCode(t, err, code)
		if request == "panic" && !strings.Contains(got.Log[0].Text, "panic: no") {
			t.Errorf("the log does not say why: %+v", got.Log)
		}
	}
	again, err := h.Install(context.Background(), wasm, abi.KindPolicy, Grants{})
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := decide(c, "map")
	two, err2 := decide(configure(t, again, "cfg"), "map")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if string(one.Bytes) != string(two.Bytes) {
		t.Errorf("maps iterate differently in the same guest:\n%s\n%s", one.Bytes, two.Bytes)
	}
}

func TestAGoGuestThatPullsInFilesIsRefusedByName(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module files\n\ngo 1.24\n",
		"main.go": "package main\n\nimport \"fmt\"\n\n//go:wasmexport purser_abi_1\nfunc abi() uint32 { return uint32(len(fmt.Sprint())) }\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := openHost(t, Config{}).Install(context.Background(), buildGo(t, folder), abi.KindPolicy, Grants{})
	wantCode(t, err, CodeInstallRefused)
	if err == nil || !strings.Contains(err.Error(), "fd_") {
		t.Errorf("not refused for its files: %v", err)
	}
}
