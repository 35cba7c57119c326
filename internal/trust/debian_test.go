package trust_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

const passphrase = "correct horse"

// debian runs Debian's program in a folder of the test and returns what it prints.
func debian(t *testing.T, folder, input string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("minisign")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("minisign is missing: .ci/install installs it")
		}
		t.Skip("SKIPPED: NO MINISIGN: apt-get install minisign")
	}
	command := exec.CommandContext(t.Context(), program, args...)
	command.Dir, command.Stdin = folder, strings.NewReader(input)
	out, err := command.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, folder, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, folder, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestDebiansMinisignAcceptsOurKeysAndSignatures(t *testing.T) {
	folder := t.TempDir()
	key, public := newKey(t)
	wasm := module("ceiling")
	write(t, folder, "p.wasm", wasm)
	write(t, folder, "p.wasm.minisig", signed(t, wasm, key))
	write(t, folder, "k.pub", public.File())
	file, err := key.File(nil)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, "k.key", file)
	out, err := debian(t, folder, "", "-V", "-H", "-p", "k.pub", "-m", "p.wasm")
	if err != nil || !strings.Contains(out, "Trusted comment: purser plugin name=ceiling version=1.2.3 sha256=") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := debian(t, folder, "", "-V", "-H", "-P", public.String(), "-m", "p.wasm"); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	write(t, folder, "p.wasm", append(wasm, 0))
	if out, err := debian(t, folder, "", "-V", "-p", "k.pub", "-m", "p.wasm"); err == nil {
		t.Errorf("a changed module passes: %s", out)
	}
	write(t, folder, "p.wasm", wasm)
	if out, err := debian(t, folder, "", "-S", "-W", "-s", "k.key", "-x", "theirs", "-m", "p.wasm"); err != nil {
		t.Fatalf("our key does not sign there: %v: %s", err, out)
	}
	if _, err := trust.Verify(wasm, read(t, folder, "theirs"), []trust.PublicKey{public}); err != nil {
		t.Error(err)
	}
}

func TestWeAcceptDebiansKeysAndSignatures(t *testing.T) {
	folder := t.TempDir()
	wasm := module("ceiling")
	write(t, folder, "p.wasm", wasm)
	if out, err := debian(t, folder, "", "-G", "-W", "-p", "k.pub", "-s", "k.key"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, err := trust.ReadPublicKey(read(t, folder, "k.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := trust.ReadPrivateKey(read(t, folder, "k.key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Verify(wasm, signed(t, wasm, key), []trust.PublicKey{public}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name, code string
		args       []string
	}{
		{"prehashed, with Debian's own comment", "", nil},
		{"legacy", trust.CodeSignatureLegacy, []string{"-l"}},
		{"a comment that lies", trust.CodeSignatureMismatch, []string{"-t", "purser plugin name=ceiling version=9.9.9 sha256=00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, err := debian(t, folder, "", append([]string{"-S", "-W", "-s", "k.key", "-m", "p.wasm"}, c.args...)...); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if _, err := trust.Verify(wasm, read(t, folder, "p.wasm.minisig"), []trust.PublicKey{public}); abi.CodeOf(err) != c.code {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
}

// Each use of an encrypted key costs a second and a gigabyte, by design; so this is one test for all of it.
func TestEncryptedKeysGoBothWays(t *testing.T) {
	if testing.Short() {
		t.Skip("scrypt at its highest cost")
	}
	folder := t.TempDir()
	wasm := module("ceiling")
	write(t, folder, "p.wasm", wasm)
	secret, err := trust.ReadPassphrase([]byte(passphrase + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	key, public := newKey(t)
	ours, err := key.File(&secret)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, "ours.key", ours)
	if out, err := debian(t, folder, passphrase+"\n", "-S", "-s", "ours.key", "-m", "p.wasm"); err != nil {
		t.Fatalf("our encrypted key does not sign there: %v: %s", err, out)
	}
	if _, err := trust.Verify(wasm, read(t, folder, "p.wasm.minisig"), []trust.PublicKey{public}); err != nil {
		t.Error(err)
	}
	if out, err := debian(t, folder, passphrase+"\n"+passphrase+"\n", "-G", "-p", "k.pub", "-s", "k.key"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	theirs := read(t, folder, "k.key")
	opened, err := trust.ReadPrivateKey(theirs, &secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := opened.Public(); err != nil || !bytes.Contains(read(t, folder, "k.pub"), []byte(got.String())) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := trust.ReadPrivateKey(theirs, nil); abi.CodeOf(err) != trust.CodePassphraseMissing {
		t.Errorf("%v", err)
	}
	wrong, err := trust.ReadPassphrase([]byte("wrong"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust.ReadPrivateKey(theirs, &wrong); abi.CodeOf(err) != trust.CodePassphraseWrong {
		t.Errorf("%v", err)
	}
}
