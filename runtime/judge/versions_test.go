package judge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const versionsManifest = `{"name":"versions","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0},"description":"a guest of a test","license":"Apache-2.0","config_schema":{"type":"object"}%s}`

// version is the module testdata/versions as version a or b, with more members in its manifest.
func version(t testing.TB, letter byte, members string) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("testdata", "versions", "versions.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	module = bytes.Replace(module, []byte("\x0a\x03a_"), []byte{0x0a, 0x03, letter, '_'}, 1)
	return withManifest(module, fmt.Sprintf(versionsManifest, members))
}

// withManifest appends a custom section.
func withManifest(module []byte, manifest string) []byte {
	const name = "purser.manifest"
	section := append(append([]byte{byte(len(name))}, name...), manifest...)
	return append(binary.AppendUvarint(append(bytes.Clone(module), 0), uint64(len(section))), section...)
}

func TestTheVersionsGuestIsBuiltFromItsSource(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no wat2wasm, and CI must have it")
		}
		t.Skip("SKIPPED: wat2wasm is not installed (Debian: apt-get install wabt), nothing was checked")
	}
	out := filepath.Join(t.TempDir(), "versions.wasm")
	if text, err := exec.CommandContext(t.Context(), tool, filepath.Join("testdata", "versions", "versions.wat"), "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	built, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join("testdata", "versions", "versions.wasm"))
	if err != nil || !bytes.Equal(built, kept) {
		t.Errorf("versions.wasm is not what versions.wat gives (%v)", err)
	}
}

// versioned is a policy file whose only plugin is a version with a configuration of one character.
func versioned(t testing.TB, module []byte, config string) string {
	t.Helper()
	return writePolicy(t, map[string][]byte{"versions": module},
		fmt.Sprintf("    plugins: [{use: versions.wasm, sha256: %x, config: {v: %q}}]\n", sha256.Sum256(module), config))
}

func mustOpen(t testing.TB, host *Host, path string) *Judge {
	t.Helper()
	j, err := openJudge(t, host, path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func wantLoaded(t testing.TB, host *Host, modules, configurations int) {
	t.Helper()
	if m, c := host.Loaded(); m != modules || c != configurations {
		t.Errorf("%d modules and %d configurations are loaded, want %d and %d", m, c, modules, configurations)
	}
}
