package mpc

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/bnb-chain/tss-lib/v2/crypto/ckd"

	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/signer"
)

var chainCode = sha256.Sum256([]byte("engine tests: a worthless chain code"))

// rootWallet is the demo wallet as a root that agents' keys hang under.
func rootWallet(t testing.TB) signer.Wallet {
	t.Helper()
	key := demoShare(t, Runtime).PublicKey().Uncompressed()
	return signer.Wallet{ID: "demo", PublicKey: key[:], ChainCode: signer.NewChainCode(chainCode)}
}

func derivedAt(t testing.TB, path string) signer.Wallet {
	t.Helper()
	wallet, err := rootWallet(t).At(path)
	if err != nil {
		t.Fatal(err)
	}
	return wallet
}

// The library derives children too; it and package signer must agree on every key and every tweak.
func TestOurDerivationIsTheLibrarys(t *testing.T) {
	key := demoShare(t, Runtime).secret.key
	for _, levels := range [][]uint32{{0}, {1, 2}, {1<<31 - 1, 0, 17}, {4, 3, 2, 1}} {
		path := "m"
		for _, level := range levels {
			path += fmt.Sprintf("/%d", level)
		}
		parent := &ckd.ExtendedKey{PublicKey: ecdsa.PublicKey{Curve: curve, X: key.x, Y: key.y}, ChainCode: chainCode[:]} //nolint:staticcheck // the library takes it so
		delta, child, err := ckd.DeriveChildKeyFromHierarchy(levels, parent, curveOrder, curve)
		if err != nil {
			t.Fatal(err)
		}
		ours := derivedAt(t, path)
		if got := new(big.Int).SetBytes(ours.Derivation.Tweak[:]); got.Cmp(delta) != 0 {
			t.Errorf("%s: tweak %x, the library's %x", path, got, delta)
		}
		want := publicKey(child.X, child.Y).Uncompressed()
		if string(ours.PublicKey) != string(want[:]) {
			t.Errorf("%s: key %x, the library's %x", path, ours.PublicKey, want)
		}
	}
}

func derivedPair(t testing.TB, wallet signer.Wallet, digest [32]byte) (party, party) {
	t.Helper()
	a, b := pair(t, Runtime, CoSigner, digest)
	a.session.Derivation, b.session.Derivation = wallet.Derivation, wallet.Derivation
	return a, b
}

func TestTwoPartiesSignUnderADerivedKeyAndTheirSharesStayAsTheyAre(t *testing.T) {
	engine := newEngine(t)
	digest := sha256.Sum256([]byte(t.Name()))
	wallet := derivedAt(t, signer.AgentPath("default", "shopper"))
	for range 2 { // the library changes what it is given in place: the second session would meet a moved share
		a, b := derivedPair(t, wallet, digest)
		oa, ob := signBoth(t, engine, a, b)
		if oa.err != nil || ob.err != nil {
			t.Fatalf("errors: %v; %v", oa.err, ob.err)
		}
		if err := oa.signature.Verify(wallet.PublicKey, digest); err != nil || ob.signature != oa.signature {
			t.Errorf("under the child's key: %v", err)
		}
		if err := oa.signature.Verify(rootWallet(t).PublicKey, digest); err == nil {
			t.Error("the root's key signed")
		}
	}
}

func TestSiblingSessionsCannotBeCrossed(t *testing.T) {
	first, second := derivedAt(t, "m/1/2"), derivedAt(t, "m/1/3")
	tests := map[string]signer.Derivation{
		"a sibling":                          second.Derivation,
		"the root":                           {},
		"another tweak behind the same path": {Path: first.Derivation.Path, Tweak: second.Derivation.Tweak},
	}
	for name, other := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := derivedPair(t, first, sha256.Sum256([]byte(name)))
			b.session.Derivation = other
			called := false
			a.beforeLast = func() error { called = true; return nil }
			b.beforeLast = a.beforeLast
			oa, ob := signBoth(t, newEngine(t), a, b)
			if oa.err == nil || ob.err == nil || called {
				t.Errorf("errors: %v; %v; about to send a last message: %v", oa.err, ob.err, called)
			}
			for _, o := range []outcome{oa, ob} {
				wantNoChainCode(t, fmt.Sprintf("%v %+v %#v", o.err, o.err, o.err))
			}
		})
	}
}

func TestAPathWithoutATweakAndATweakWithoutAPathAreRefused(t *testing.T) {
	good := derivedAt(t, "m/7").Derivation
	for name, derivation := range map[string]signer.Derivation{
		"no tweak":          {Path: good.Path},
		"no path":           {Tweak: good.Tweak},
		"a hardened level":  {Path: "m/2147483648", Tweak: good.Tweak},
		"another spelling":  {Path: "m/07", Tweak: good.Tweak},
		"too many levels":   {Path: "m/1/2/3/4/5", Tweak: good.Tweak},
		"a tweak too large": {Path: good.Path, Tweak: [32]byte(curveOrder.Bytes())},
	} {
		a, _ := pair(t, Runtime, CoSigner, sha256.Sum256([]byte("d")))
		a.session.Derivation = derivation
		a.transport = meddler{Transport: a.transport, sent: func(Frame) error { t.Errorf("%s: a frame was sent", name); return nil }}
		if _, err := newEngine(t).Prepare(t.Context(), a.session, a.share, a.transport); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func wantNoChainCode(t *testing.T, text string) {
	t.Helper()
	wantNoSecret(t, "an error", text)
	for _, spelling := range append(spellings(new(big.Int).SetBytes(chainCode[:])), hex.EncodeToString(chainCode[:])) {
		if strings.Contains(text, spelling) {
			t.Error("an error shows the chain code")
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	root, share := rootWallet(b), demoShare(b, Runtime).secret
	latency.Measure(b, time.Microsecond, func() error {
		wallet, err := root.At("m/17/4")
		if err != nil {
			return err
		}
		_, _, err = share.derived(wallet.Derivation)
		return err
	})
}
