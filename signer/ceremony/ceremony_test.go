package ceremony

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

func TestAWalletIsMadeRefreshedAndRecoveredWithItsKeyUnchangedAndEveryPairSigning(t *testing.T) {
	w := newWorld(t)
	made := wantResults(t, w.hold(t, keygen(edPlan("treasury"))))
	if made.Epoch != 0 || len(made.PublicKey) != 32 || made.Finished {
		t.Fatalf("the key generation ended with %+v", made)
	}
	w.everyPairSigns(t, "treasury")

	if again := wantResults(t, w.hold(t, keygen(edPlan("treasury")))); !again.Finished || !bytes.Equal(again.PublicKey, made.PublicKey) {
		t.Errorf("a second key generation of the same wallet ended with %+v", again)
	}

	epoch := uint32(1)
	next := func(what string, all map[signer.Role]outcome) {
		t.Helper()
		got := wantResults(t, all)
		if got.Epoch != epoch || !bytes.Equal(got.PublicKey, made.PublicKey) {
			t.Fatalf("the %s ended with %+v, want epoch %d of %x", what, got, epoch, made.PublicKey)
		}
		for _, role := range everyRole {
			if state := w.state(t, role, "treasury"); !strings.HasSuffix(state, "retiring [] pending []") {
				t.Errorf("the %s left at the %s: %s", what, role, state)
			}
		}
		epoch++
	}
	next("refresh", w.hold(t, refresh("treasury")))
	for _, lost := range everyRole {
		must(t, os.RemoveAll(w.folder(lost)))
		next("recovery of the "+lost.String(), w.hold(t, recovery("treasury", lost)))
	}
	w.everyPairSigns(t, "treasury")
}

func TestAnEcdsaWalletWithDerivedKeysHasOneChainCodeAtTheTwoSignersOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("a key generation of secp256k1 takes 20 CPU-seconds")
	}
	w := newWorld(t)
	w.preparams = fixturePreParams(t)
	plan := Plan{Wallet: "treasury", Scheme: keystore.SchemeECDSA, Networks: edPlan("").Networks, Derived: true}
	made := wantResults(t, w.hold(t, keygen(plan)))
	if len(made.PublicKey) != 65 || !strings.HasPrefix(made.Address, "0x") {
		t.Fatalf("made %+v", made)
	}
	codes := map[signer.Role]string{}
	for _, role := range everyRole {
		shares, release := w.shares(t, role)
		share, err := shares.Load(t.Context(), "treasury", 0)
		must(t, err)
		codes[role] = ChainTag(share.ChainCode)
		release()
	}
	if codes[signer.RoleRuntime] == chainNone || codes[signer.RoleRuntime] != codes[signer.RoleCoSigner] || codes[signer.RoleRecovery] != chainNone {
		t.Errorf("chain codes: %v", codes)
	}
	w.everyPairSigns(t, "treasury")
}
