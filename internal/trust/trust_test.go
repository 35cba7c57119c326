package trust_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

const manifestForm = `{"abi":{"major":1,"minor":0},"description":"For tests.","kind":"policy","license":"Apache-2.0","name":%q,"version":"1.2.3"}`

// module is the smallest thing with a manifest: nothing here runs it.
func module(name string) []byte {
	return appendCustom([]byte("\x00asm\x01\x00\x00\x00"), abi.ManifestSection, fmt.Sprintf(manifestForm, name))
}

func appendCustom(wasm []byte, name, content string) []byte {
	body := string(rune(len(name))) + name + content
	return append(append(wasm, 0, byte(len(body)&0x7f|0x80), byte(len(body)>>7)), body...)
}

func newKey(t testing.TB) (trust.PrivateKey, trust.PublicKey) {
	t.Helper()
	key, err := trust.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

func signed(t testing.TB, module []byte, key trust.PrivateKey) []byte {
	t.Helper()
	signature, err := trust.Sign(module, key)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func TestASignatureHoldsForItsModuleAndItsSignerOnly(t *testing.T) {
	key, public := newKey(t)
	other, stranger := newKey(t)
	wasm := module("ceiling")
	signature := signed(t, wasm, key)
	got, err := trust.Verify(wasm, signature, []trust.PublicKey{stranger, public})
	if err != nil || got.Signer != public {
		t.Fatalf("%v, %v", got, err)
	}
	if want := fmt.Sprintf("purser plugin name=ceiling version=1.2.3 sha256=%x", sha256.Sum256(wasm)); got.Comment != want {
		t.Errorf("comment %q, want %q", got.Comment, want)
	}
	if !bytes.Equal(signature, signed(t, wasm, key)) {
		t.Error("signing again gives another signature")
	}
	text := string(signature)
	lines := strings.Split(text, "\n")
	foreign := strings.Split(string(signed(t, wasm, other)), "\n")
	mixed := strings.Split(string(signed(t, module("floor"), key)), "\n")
	for _, c := range []struct {
		name      string
		module    []byte
		signature string
		signers   []trust.PublicKey
		code      string
	}{
		{"nobody is trusted", wasm, text, nil, trust.CodeSignerUntrusted},
		{"another is trusted", wasm, text, []trust.PublicKey{stranger}, trust.CodeSignerUntrusted},
		{"the zero key is trusted", wasm, text, []trust.PublicKey{{}}, trust.CodeSignerUntrusted},
		{"another module", module("floor"), text, []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"one byte more", append(bytes.Clone(wasm), 0), text, []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"an empty module", nil, text, []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"another comment", wasm, strings.Replace(text, "version=1.2.3", "version=1.2.4", 1), []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"the comment of another module", wasm, strings.Join([]string{lines[0], lines[1], mixed[2], mixed[3], ""}, "\n"), []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"the signature of a stranger under a trusted ID", wasm, strings.Join([]string{lines[0], graft(t, lines[1], foreign[1]), lines[2], lines[3], ""}, "\n"), []trust.PublicKey{public}, trust.CodeSignatureMismatch},
		{"the legacy kind", wasm, strings.Replace(text, "\nRU", "\nRW", 1), []trust.PublicKey{public}, trust.CodeSignatureLegacy},
		{"nothing", wasm, "", []trust.PublicKey{public}, trust.CodeSignatureInvalid},
		{"a line more", wasm, text + "\n", []trust.PublicKey{public}, trust.CodeSignatureInvalid},
		{"carriage returns", wasm, strings.ReplaceAll(text, "\n", "\r\n"), []trust.PublicKey{public}, trust.CodeSignatureInvalid},
		{"an escape sequence for a terminal", wasm, "untrusted comment: \x1b[2J" + text[len("untrusted comment: "):], []trust.PublicKey{public}, trust.CodeSignatureInvalid},
		{"a longer comment than is read", wasm, "untrusted comment: " + strings.Repeat("x", trust.SignatureBytesMax) + text, []trust.PublicKey{public}, trust.CodeSignatureInvalid},
		{"a module above the limit", make([]byte, abi.ModuleBytesMax+1), text, []trust.PublicKey{public}, "file_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := trust.Verify(c.module, []byte(c.signature), c.signers); abi.CodeOf(err) != c.code || got != (trust.Verified{}) {
				t.Errorf("%v, %v, want %s", got, err, c.code)
			}
		})
	}
}

// graft puts the key ID of one signature line before the signature of another.
func graft(t *testing.T, id, signature string) string {
	t.Helper()
	first, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	second, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(append(first[:10:10], second[10:]...))
}

func TestADemandIsMetWholeOrNotAtAll(t *testing.T) {
	key, public := newKey(t)
	_, stranger := newKey(t)
	wasm := module("ceiling")
	signature := signed(t, wasm, key)
	sum := sha256.Sum256(wasm)
	digest := hex.EncodeToString(sum[:])
	beside := func() ([]byte, error) { return signature, nil }
	for _, c := range []struct {
		name   string
		demand trust.Demand
		read   func() ([]byte, error)
		code   string
	}{
		{"nothing is demanded, so nothing is read", trust.Demand{}, nil, ""},
		{"the digest alone needs no signature", trust.Demand{SHA256: []string{digest}}, nil, ""},
		{"another digest", trust.Demand{SHA256: []string{strings.Repeat("0", 64)}, Signers: []string{public.String()}}, beside, trust.CodeModuleUntrusted},
		{"the signer", trust.Demand{Signers: []string{stranger.String(), public.String()}}, beside, ""},
		{"both", trust.Demand{SHA256: []string{digest}, Signers: []string{public.String()}}, beside, ""},
		{"the digest and another signer", trust.Demand{SHA256: []string{digest}, Signers: []string{stranger.String()}}, beside, trust.CodeSignerUntrusted},
		{"no signature", trust.Demand{Signers: []string{public.String()}}, func() ([]byte, error) { return nil, fs.ErrNotExist }, trust.CodeSignatureMissing},
		{"an unreadable signature", trust.Demand{Signers: []string{public.String()}}, func() ([]byte, error) { return nil, fs.ErrPermission }, "internal"},
		{"a signer that is no key", trust.Demand{Signers: []string{"RW"}}, beside, trust.CodeKeyInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := trust.Require(wasm, c.demand, c.read); abi.CodeOf(err) != c.code {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
}

func TestOnlyAModuleWithOneManifestIsSigned(t *testing.T) {
	key, _ := newKey(t)
	wasm := module("ceiling")
	for name, bad := range map[string][]byte{
		"empty":             nil,
		"no module":         []byte("not a module at all"),
		"no manifest":       wasm[:8],
		"a bad manifest":    appendCustom(bytes.Clone(wasm[:8]), abi.ManifestSection, "{}"),
		"two manifests":     appendCustom(bytes.Clone(wasm), abi.ManifestSection, fmt.Sprintf(manifestForm, "floor")),
		"cut":               wasm[:len(wasm)-1],
		"an endless length": append(bytes.Clone(wasm[:8]), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01),
		"too large":         make([]byte, abi.ModuleBytesMax+1),
	} {
		if signature, err := trust.Sign(bad, key); abi.CodeOf(err) == "internal" || err == nil || signature != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysHaveOneSpelling(t *testing.T) {
	_, public := newKey(t)
	text := public.String()
	for _, good := range []string{text, text + "\n", "untrusted comment: anything\n" + text, string(public.File())} {
		if got, err := trust.ReadPublicKey([]byte(good)); err != nil || got != public {
			t.Errorf("%q: %v", good, err)
		}
	}
	zero := base64.StdEncoding.EncodeToString(append([]byte("Ed12345678"), make([]byte, 32)...))
	for _, bad := range []string{
		"", text[:55], text + "A", text + "\n\n", " " + text, text[:20] + "\n" + text[20:], strings.Replace(text, "RW", "RU", 1),
		"untrusted comment: x", zero, strings.Repeat("A", trust.KeyFileBytesMax+1),
	} {
		if _, err := trust.ReadPublicKey([]byte(bad)); abi.CodeOf(err) != trust.CodeKeyInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAPrivateKeyFileReadsBackOrSaysNothingOfItself(t *testing.T) {
	key, public := newKey(t)
	file, err := key.File(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := trust.ReadPrivateKey(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Public(); err != nil || got != public {
		t.Errorf("%v, %v", got, err)
	}
	// The halves of the key no longer belong together.
	encoded := strings.Split(string(file), "\n")
	raw, err := base64.StdEncoding.DecodeString(encoded[1])
	if err != nil {
		t.Fatal(err)
	}
	raw[70] ^= 1
	torn := base64.StdEncoding.EncodeToString(raw)
	damaged, err := trust.ReadPrivateKey([]byte(torn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if signature, err := trust.Sign(module("ceiling"), damaged); abi.CodeOf(err) != trust.CodeKeyInvalid || signature != nil {
		t.Errorf("a damaged key signs: %v", err)
	}
	for _, bad := range []string{"", encoded[1][:100], encoded[1] + "A", "RW" + encoded[1], strings.Repeat("x", trust.KeyFileBytesMax+1), public.String()} {
		if _, err := trust.ReadPrivateKey([]byte(bad), nil); abi.CodeOf(err) != trust.CodeKeyInvalid || strings.Contains(err.Error(), encoded[1][90:100]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := trust.Sign(module("ceiling"), trust.PrivateKey{}); abi.CodeOf(err) != trust.CodeKeyInvalid {
		t.Errorf("the zero key signs: %v", err)
	}
}

func TestSecretsPrintNothing(t *testing.T) {
	key, _ := newKey(t)
	passphrase, err := trust.ReadPassphrase([]byte("correct horse\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{key, &key, passphrase, &passphrase} {
		encoded, err := json.Marshal(value)
		if err != nil || string(encoded) != `"[redacted]"` {
			t.Errorf("%s, %v", encoded, err)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			if got := fmt.Sprintf(format, value); got != "[redacted]" {
				t.Errorf("%s prints %s", format, got)
			}
		}
	}
	for _, bad := range []string{"", "\n", "two\nlines", strings.Repeat("x", trust.PassphraseBytesMax)} {
		if _, err := trust.ReadPassphrase([]byte(bad)); abi.CodeOf(err) != trust.CodePassphraseWrong {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestErrorsAreCoded(t *testing.T) {
	var coded *abi.Error
	if _, err := trust.ParsePublicKey("nothing"); !errors.As(err, &coded) || coded.Fix == "" {
		t.Errorf("%v", err)
	}
}

func TestASignatureKeptFromDebianHolds(t *testing.T) {
	signer, err := trust.ParsePublicKey(debianKey)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := trust.Verify([]byte("test"), []byte(debianSignature), []trust.PublicKey{signer}); err != nil || got.Comment != "for the documents" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := trust.Verify([]byte("test"), []byte(debianLegacy), []trust.PublicKey{signer}); abi.CodeOf(err) != trust.CodeSignatureLegacy {
		t.Error(err)
	}
}

func TestASignatureOfTheBuildBeforeIsSeenWithoutAKey(t *testing.T) {
	key, _ := newKey(t)
	signature := signed(t, module("ceiling"), key)
	if err := trust.Plausible(module("ceiling"), signature); err != nil {
		t.Error(err)
	}
	if err := trust.Plausible(module("floor"), signature); abi.CodeOf(err) != trust.CodeSignatureMismatch {
		t.Errorf("%v", err)
	}
	if err := trust.Plausible(module("floor"), []byte("nothing")); abi.CodeOf(err) != trust.CodeSignatureInvalid {
		t.Errorf("%v", err)
	}
	if err := trust.Plausible([]byte("test"), []byte(debianSignature)); err != nil {
		t.Errorf("a comment that claims nothing: %v", err)
	}
}
