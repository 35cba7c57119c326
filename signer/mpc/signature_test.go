package mpc

import (
	"crypto/sha256"
	"math/big"
	"testing"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// signedAlone signs with an ordinary key, so that rare shapes can be searched for.
func signedAlone(seed, digest [32]byte) (PublicKey, Signature) {
	key := secp256k1.PrivKeyFromBytes(seed[:])
	compact := ecdsa.SignCompact(key, digest[:], false)
	var s Signature
	s.V = compact[0] - 27
	copy(s.R[:], compact[1:33])
	copy(s.S[:], compact[33:])
	return publicKey(key.PubKey().X(), key.PubKey().Y()), s
}

func TestLeadingZerosOfASignatureAreKept(t *testing.T) {
	seed := sha256.Sum256([]byte("a key of this test"))
	var found int
	for i := 0; found < 2 && i < 4096; i++ {
		digest := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		key, want := signedAlone(seed, digest)
		if want.R[0] != 0 && want.S[0] != 0 {
			continue
		}
		found++
		trimmed := &common.SignatureData{
			R: new(big.Int).SetBytes(want.R[:]).Bytes(), S: new(big.Int).SetBytes(want.S[:]).Bytes(), SignatureRecovery: []byte{want.V},
		}
		got, err := signatureFrom(trimmed, key, digest)
		if err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	if found == 0 {
		t.Fatal("no signature with a leading zero among 4096")
	}
}

func TestOnlyTheCanonicalSignatureOfTheDigestUnderTheKeyIsReleased(t *testing.T) {
	seed, digest := sha256.Sum256([]byte("key")), sha256.Sum256([]byte("digest"))
	key, good := signedAlone(seed, digest)
	otherKey, _ := signedAlone(digest, digest)
	result := func(s Signature) *common.SignatureData {
		return &common.SignatureData{R: s.R[:], S: s.S[:], SignatureRecovery: []byte{s.V}}
	}
	if _, err := signatureFrom(result(good), key, digest); err != nil || !verifiedByTextbook(key, digest, good) {
		t.Fatalf("the good signature was refused: %v", err)
	}
	order := [32]byte(curveOrder.Bytes())
	tests := map[string]func(*common.SignatureData, *PublicKey, *[32]byte){
		"high s": func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) {
			r.S = new(big.Int).Sub(curveOrder, new(big.Int).SetBytes(r.S)).Bytes()
			r.SignatureRecovery = []byte{r.SignatureRecovery[0] ^ 1}
		},
		"the other recovery id": func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.SignatureRecovery[0] ^= 1 },
		"recovery id 2":         func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.SignatureRecovery[0] |= 2 },
		"no recovery id":        func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.SignatureRecovery = nil },
		"zero r":                func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.R = nil },
		"zero s":                func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.S = nil },
		"r of the order":        func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.R = order[:] },
		"33 bytes":              func(r *common.SignatureData, _ *PublicKey, _ *[32]byte) { r.R = append([]byte{0}, r.R...) },
		"another digest":        func(_ *common.SignatureData, _ *PublicKey, d *[32]byte) { d[0] ^= 1 },
		"another key":           func(_ *common.SignatureData, k *PublicKey, _ *[32]byte) { *k = otherKey },
		"no key":                func(_ *common.SignatureData, k *PublicKey, _ *[32]byte) { *k = PublicKey{} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			r, k, d := result(good), key, digest
			change(r, &k, &d)
			got, err := signatureFrom(r, k, d)
			wantCode(t, err, CodeSignatureInvalid)
			if got != (Signature{}) {
				t.Error("a refused signature was returned")
			}
		})
	}
}

func TestAPublicKeyEncodesAsSEC1Says(t *testing.T) {
	key := demoShare(t, Runtime).PublicKey()
	uncompressed, compressed := key.Uncompressed(), key.Compressed()
	for _, data := range [][]byte{uncompressed[:], compressed[:]} {
		parsed, err := secp256k1.ParsePubKey(data)
		if err != nil {
			t.Fatal(err)
		}
		if publicKey(parsed.X(), parsed.Y()) != key {
			t.Error("the key encodes to another key")
		}
	}
}
