package trust_test

import (
	"bytes"
	"testing"

	"aead.dev/minisign"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
)

// Seeds made by Debian's minisign 0.11: a key, and signatures of the word "test" by it, prehashed and legacy.
const (
	debianKey       = "RWTm5mc/sHVQcjXzwRUSvSeqEGEsHUFWLynLuNpZ8khdBG0kLB/6cFAz"
	debianSignature = "untrusted comment: signature from minisign secret key\n" +
		"RUTm5mc/sHVQcigzTaez3y6ksB3PZcSyLYwFdp0Z5eCjJjdKwspfAPa0RcE3BiJ4YGtDQ4ObEetkjwapGLStbROtdHne6hV0JwU=\n" +
		"trusted comment: for the documents\n" +
		"r41eelqWAOA9Ky364bh+9hOqqjMoB0OqGgRrBpA8VfG2Q+TrdA3Z5/pIIlloQ3m0l5biO3sokgSWDVwoVNkECA==\n"
	debianLegacy = "untrusted comment: signature from minisign secret key\n" +
		"RWTm5mc/sHVQcmPQcLT6C2id/v2kwmPJhIY6/Z4I5d+LyiBn5eoeym0jakhrISzMbqy2YNeLWHI1Fzc2fq0xEpZCrZ0JcFiKxAM=\n" +
		"trusted comment: legacy\n" +
		"fxIZsw/6Reii37c0buWOIZXmIrin7wmRsm1FvDtR7ANeFBg9byQ3Fi//3Nfjp6wNq5mvIle/1UR3g2MWybcwBw==\n"
)

// Whatever the file holds, reading it ends with a coded error or with a signature that the library reads the same way,
// and one that the signer did not make never verifies.
func FuzzSignature(f *testing.F) {
	key, public := newKey(f)
	wasm := module("ceiling")
	good := signed(f, wasm, key)
	f.Add(good)
	f.Add([]byte(debianSignature))
	f.Add([]byte(debianLegacy))
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	f.Add([]byte("untrusted comment: \n\ntrusted comment: \n"))
	lines := bytes.SplitN(good, []byte("\n"), 2)
	f.Fuzz(func(t *testing.T, file []byte) {
		parsed, err := trust.ParseSignature(file)
		if code := abi.CodeOf(err); err != nil && code != trust.CodeSignatureInvalid && code != trust.CodeSignatureLegacy {
			t.Fatalf("%v", err)
		}
		var same minisign.Signature
		if err == nil {
			if err := same.UnmarshalText(file); err != nil || same.Algorithm != minisign.HashEdDSA {
				t.Fatalf("read here and not by the library: %v, %x", err, same.Algorithm)
			}
			if want, err := trust.ParseSignature([]byte(same.String())); err != nil || want.KeyID() != parsed.KeyID() {
				t.Fatalf("written again it is another: %v", err)
			}
		}
		if _, err := trust.Verify(wasm, file, []trust.PublicKey{public}); err == nil && !sameBelowComment(file, lines[1]) {
			t.Fatalf("verified: %q", file)
		}
	})
}

// sameBelowComment holds for a file that differs from the one that was made at most in its untrusted comment.
func sameBelowComment(file, want []byte) bool {
	_, rest, _ := bytes.Cut(file, []byte("\n"))
	return bytes.Equal(bytes.TrimSuffix(rest, []byte("\n")), bytes.TrimSuffix(want, []byte("\n")))
}

func FuzzPublicKey(f *testing.F) {
	_, public := newKey(f)
	f.Add(public.File())
	f.Add([]byte(public.String()))
	f.Add([]byte(debianKey))
	f.Add([]byte("untrusted comment: \n\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		key, err := trust.ReadPublicKey(file)
		if err != nil {
			if abi.CodeOf(err) != trust.CodeKeyInvalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if again, err := trust.ParsePublicKey(key.String()); err != nil || again != key {
			t.Fatalf("%v: %v", key, err)
		}
	})
}

// Reading a manifest never panics, and never finds one that signing and verifying would read differently.
func FuzzManifest(f *testing.F) {
	f.Add(module("ceiling"))
	f.Add(module("ceiling")[:8])
	f.Add(appendCustom(module("a"), abi.ManifestSection, "{}"))
	f.Add(append(module("a"), 0, 0xff, 0xff, 0xff, 0xff, 0x0f))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if _, err := trust.Manifest(wasm); err != nil && abi.CodeOf(err) != abi.CodeManifestInvalid && abi.CodeOf(err) != abi.CodeABIUnsupported {
			t.Fatalf("%v", err)
		}
	})
}
