package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

// signable is a module with a manifest and nothing else.
func signable(name, version string) []byte {
	manifest := fmt.Sprintf(`{"abi":{"major":1,"minor":0},"description":"For tests.","kind":"policy","license":"Apache-2.0","name":%q,"version":%q}`, name, version)
	body := string(rune(len(abi.ManifestSection))) + abi.ManifestSection + manifest
	return append([]byte("\x00asm\x01\x00\x00\x00\x00"+string([]byte{byte(len(body)&0x7f | 0x80), byte(len(body) >> 7)})), body...)
}

// author is a folder in which somebody calls the binary.
type author struct {
	*testing.T
	folder, program string
}

func newAuthor(t *testing.T) author { return author{t, t.TempDir(), compiled(t)} }

// plugin calls a subcommand with --json and wants the error code, or none. It returns what was printed as a result.
func (a author) plugin(code string, args ...string) map[string]any {
	a.Helper()
	command := exec.CommandContext(a.Context(), a.program, append([]string{"plugin", "--json"}, args...)...)
	command.Dir = a.folder
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+a.folder)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var shown struct {
		Error *abi.Error `json:"error"`
	}
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if last := lines[len(lines)-1]; last != "" {
		if err := json.Unmarshal([]byte(last), &shown); err != nil {
			a.Fatalf("plugin %v: %v in %s", args, err, last)
		}
	}
	if got := abi.CodeOf(errorOrNil(shown.Error)); got != code || (err == nil) != (code == "") {
		a.Fatalf("plugin %v: %v, error %q, want %q: %s", args, err, got, code, stderr.String())
	}
	if code != "" {
		return nil
	}
	var result map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil {
		a.Fatalf("plugin %v: %v in %s", args, err, stdout.String())
	}
	return result
}

func errorOrNil(e *abi.Error) error {
	if e == nil {
		return nil
	}
	return e
}

func (a author) write(name string, content []byte) {
	a.Helper()
	if err := os.WriteFile(filepath.Join(a.folder, name), content, 0o600); err != nil {
		a.Fatal(err)
	}
}

func (a author) read(name string) []byte {
	a.Helper()
	content, err := os.ReadFile(filepath.Join(a.folder, name))
	if err != nil {
		a.Fatal(err)
	}
	return content
}

func TestAPluginIsSignedPushedPulledAndVerified(t *testing.T) {
	a := newAuthor(t)
	a.write("ceiling.wasm", signable("ceiling", "1.0.0"))
	a.plugin("usage", "keygen", "author.key")
	a.plugin("usage", "keygen", "author.key", "--no-passphrase", "--passphrase-file", "x")
	public, _ := a.plugin("", "keygen", "author.key", "--no-passphrase")["public_key"].(string)
	a.plugin("file_exists", "keygen", "author.key", "--no-passphrase")
	a.plugin("", "keygen", "other.key", "--no-passphrase")
	a.plugin("usage", "sign", "ceiling.wasm")
	a.plugin("usage", "verify", "ceiling.wasm")
	a.plugin("signature_missing", "verify", "ceiling.wasm", "--signer", public)
	if got := a.plugin("", "sign", "ceiling.wasm", "--key", "author.key"); got["signer"] != public || got["signature_file"] != "ceiling.wasm.minisig" {
		t.Errorf("%v", got)
	}
	for _, signer := range []string{public, "author.key.pub"} {
		if got := a.plugin("", "verify", "ceiling.wasm", "--signer", signer, "--signer", "other.key.pub"); got["signer"] != public {
			t.Errorf("%v", got)
		}
	}
	a.plugin("signer_untrusted", "verify", "ceiling.wasm", "--signer", "other.key.pub")
	a.plugin("key_invalid", "verify", "ceiling.wasm", "--signer", "RWnonsense")
	a.plugin("key_invalid", "verify", "ceiling.wasm", "--signer", "") // an environment variable that is not set
	a.plugin("key_invalid", "verify", "ceiling.wasm", "--signer", "author.key")
	a.plugin("key_invalid", "verify", "ceiling.wasm", "--signer", "ceiling.wasm.minisig")

	pushed := a.plugin("", "push", "ceiling.wasm", "oci:layout:1.0.0")
	pinned, _ := pushed["reference"].(string)
	if pushed["signed"] != true || !strings.HasPrefix(pinned, "oci:layout@sha256:") {
		t.Errorf("%v", pushed)
	}
	a.plugin("signer_untrusted", "pull", pinned, "--out", "pulled.wasm", "--signer", "other.key.pub")
	if _, err := os.Stat(filepath.Join(a.folder, "pulled.wasm")); err == nil {
		t.Error("a module that the wrong signer signed was written")
	}
	if got := a.plugin("", "pull", "oci:layout:1.0.0", "--out", "pulled.wasm", "--signer", public); got["signer"] != public || got["reference"] != pinned {
		t.Errorf("%v", got)
	}
	if !bytes.Equal(a.read("pulled.wasm"), a.read("ceiling.wasm")) || !bytes.Equal(a.read("pulled.wasm.minisig"), a.read("ceiling.wasm.minisig")) {
		t.Error("what was pulled is not what was pushed")
	}
	a.plugin("", "pull", pinned) // the same module is there already

	// Whoever may push to a place puts a signature of their own beside the same module.
	signed := a.read("ceiling.wasm.minisig")
	a.plugin("", "sign", "ceiling.wasm", "--key", "other.key")
	a.plugin("", "push", "ceiling.wasm", "oci:mirror:1.0.0")
	a.write("ceiling.wasm.minisig", signed)
	a.plugin("file_exists", "pull", "oci:mirror:1.0.0")
	a.plugin("signer_untrusted", "pull", "oci:mirror:1.0.0", "--signer", public)
	if !bytes.Equal(a.read("ceiling.wasm.minisig"), signed) {
		t.Error("the signature that was there was taken away")
	}
	a.plugin("", "pull", "oci:mirror:1.0.0", "--signer", "other.key.pub") // that is what was asked for
	a.write("ceiling.wasm.minisig", signed)

	// The next build: the old signature no longer fits, anywhere.
	a.write("ceiling.wasm", signable("ceiling", "1.0.1"))
	a.plugin("signature_mismatch", "verify", "ceiling.wasm", "--signer", public)
	a.plugin("signature_mismatch", "push", "ceiling.wasm", "oci:layout:1.0.1")
	a.plugin("file_exists", "pull", pinned)
	a.plugin("not_found", "pull", "oci:layout:1.0.1")
	a.plugin("reference_invalid", "pull", "layout")
	a.plugin("reference_invalid", "push", "ceiling.wasm", "oci:layout")
}

func TestAKeyThatOthersMayReadSignsNothing(t *testing.T) {
	a := newAuthor(t)
	a.write("ceiling.wasm", signable("ceiling", "1.0.0"))
	a.plugin("", "keygen", "author.key", "--no-passphrase")
	if info, err := os.Stat(filepath.Join(a.folder, "author.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.Chmod(filepath.Join(a.folder, "author.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	a.plugin("file_exposed", "sign", "ceiling.wasm", "--key", "author.key")
	a.write("other.key", []byte("nonsense"))
	a.plugin("key_invalid", "sign", "ceiling.wasm", "--key", "other.key")
}
