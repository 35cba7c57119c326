package sandbox

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// update rewrites testdata/*.wasm from testdata/*.wat:
//
//	go test ./internal/sandbox -run Recompile -update
var update = flag.Bool("update", false, "rewrite the .wasm guests from their .wat sources; needs wat2wasm")

// manifestLine starts each line of a .wat that becomes a purser.manifest section; wat2wasm cannot write one.
const manifestLine = ";; manifest "

func TestCommittedGuestsRecompileToTheSameBytes(t *testing.T) {
	tool := needTool(t, "wat2wasm")
	sources, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no guests: %v", err)
	}
	for _, source := range sources {
		out := filepath.Join(t.TempDir(), "guest.wasm")
		cmd := exec.CommandContext(t.Context(), tool, "--enable-threads", source, "-o", out) // #nosec G204 -- a test's own tool
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", source, err, text)
		}
		wasm := readFile(t, out)
		for line := range strings.Lines(string(readFile(t, source))) {
			if json, ok := strings.CutPrefix(line, manifestLine); ok {
				wasm = withManifest(wasm, strings.TrimSpace(json))
			}
		}
		committed := strings.TrimSuffix(source, ".wat") + ".wasm"
		if *update {
			if err := os.WriteFile(committed, wasm, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(readFile(t, committed), wasm) {
			t.Errorf("%s is not what %s compiles to", committed, source)
		}
	}
}

func needTool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI must have it", name)
	}
	t.Skipf("SKIPPED: %s is not installed (Debian: apt-get install wabt for wat2wasm), nothing was checked", name)
	return ""
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path) // #nosec G304 -- a test's own files
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func withManifest(module []byte, manifest string) []byte {
	content := wasm.AppendU32(nil, uint32(len(abi.ManifestSection)))
	content = append(append(content, abi.ManifestSection...), manifest...)
	return appendSection(module, wasm.SectionCustom, content)
}

func appendSection(module []byte, id byte, content []byte) []byte {
	out := append(bytes.Clone(module), id)
	return append(wasm.AppendU32(out, uint32(len(content))), content...)
}

func guest(t testing.TB, name string) []byte {
	t.Helper()
	return readFile(t, "testdata/"+name+".wasm")
}

func openHost(t testing.TB, config Config) *Host {
	t.Helper()
	h, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, benchmark := t.(*testing.B); !benchmark {
		h.afterRestore = func(memory, clean []byte) {
			if !bytes.Equal(memory, clean) {
				at := 0
				for memory[at] == clean[at] {
					at++
				}
				t.Errorf("restoring left %#x at %#x, in the image it is %#x", memory[at], at, clean[at])
			}
		}
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close host: %v", err)
		}
	})
	return h
}

// everything grants what the good guests want.
var everything = Grants{Facts: []string{"quotes"}, RPCMethods: []string{"eth_chainId", "eth_call"}}

func install(t testing.TB, h *Host, name string) *Plugin {
	t.Helper()
	kind := abi.KindPolicy
	if name == "echo_chain" {
		kind = abi.KindChain
	}
	p, err := h.Install(context.Background(), guest(t, name), kind, everything)
	if err != nil {
		t.Fatalf("install %s: %v", name, err)
	}
	return p
}

func configure(t testing.TB, p *Plugin, config string) *Configured {
	t.Helper()
	c, _, err := p.Configure(context.Background(), []byte(config))
	if err != nil {
		t.Fatalf("configure: %v", err)
	}
	return c
}

func decide(c *Configured, request string) (Result, error) {
	return c.Call(context.Background(), Call{Export: "purser_policy_decide", Request: []byte(request), Now: 1_700_000_000})
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if got := abi.CodeOf(err); got != code {
		t.Errorf("code %q, want %q: %v", got, code, err)
	}
}
