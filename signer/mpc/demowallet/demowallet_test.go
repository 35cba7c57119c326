package demowallet_test

import (
	"testing"

	"github.com/purserhq/purser/signer/mpc"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

func TestTheThreeDemoSharesBelongToOneWallet(t *testing.T) {
	key, err := demowallet.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if key == (mpc.PublicKey{}) {
		t.Fatal("the demo wallet has no public key")
	}
	for _, role := range []mpc.Role{mpc.Runtime, mpc.CoSigner, mpc.Recovery} {
		share, err := demowallet.Share(role)
		if err != nil {
			t.Fatal(err)
		}
		if share.PublicKey() != key || share.Role() != role {
			t.Errorf("the share of the %s is of another wallet or role", role)
		}
	}
}

func TestThereIsNoFourthShare(t *testing.T) {
	for _, role := range []mpc.Role{0, 4} {
		if _, err := demowallet.Share(role); err == nil {
			t.Errorf("role %d has a share", role)
		}
	}
}
