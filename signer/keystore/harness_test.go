package keystore

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

const testStore = "store-7f"

// fixedKey wraps under a key of the test: the derivation of a passphrase would cost a tenth of a second each time.
type fixedKey [keyBytes]byte

func (f fixedKey) Name() string { return "fixed" }

func (f fixedKey) Wrap(_ context.Context, dek, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(f[:])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, dek, aad), nil
}

func (f fixedKey) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(f[:])
	if err != nil {
		return nil, err
	}
	if len(wrapped) < chacha20poly1305.NonceSizeX {
		return nil, lockedError("fixed key")
	}
	dek, err := aead.Open(nil, wrapped[:chacha20poly1305.NonceSizeX], wrapped[chacha20poly1305.NonceSizeX:], aad)
	if err != nil {
		return nil, lockedError("fixed key")
	}
	return dek, nil
}

func testConfig(dir string) Config {
	return Config{Dir: dir, Role: signer.RoleCoSigner, Wrapper: fixedKey{1}, StoreID: testStore}
}

func openTest(t testing.TB, config Config) *Keystore {
	t.Helper()
	k, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func openOn(t testing.TB, d disk) *Keystore {
	t.Helper()
	k, err := open(t.Context(), testConfig("memory"), d)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func testShare(wallet string, epoch uint32, blob string) Share {
	key := make([]byte, 65)
	key[0] = 4
	copy(key[1:], wallet)
	return Share{
		Wallet: wallet, Epoch: epoch, Role: signer.RoleCoSigner, Scheme: SchemeECDSA, Blob: NewSecret([]byte(blob)),
		Public: Record{
			PublicKey: key, Address: "0x00000000000000000000000000000000000000aa",
			Networks: []abi.Network{"eip155:8453"}, Created: time.Unix(1_790_000_000, 0).UTC(),
		},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if abi.CodeOf(err) != code {
		t.Fatalf("got %v, want an error with the code %s", err, code)
	}
}

func blobOf(t testing.TB, k *Keystore, wallet string, epoch uint32) string {
	t.Helper()
	share, err := k.Load(t.Context(), wallet, epoch)
	must(t, err)
	return string(share.Blob.Bytes())
}
