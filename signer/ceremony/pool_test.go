package ceremony

import (
	"context"
	"strings"
	"testing"

	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

func TestOneSittingFillsThePoolsOfBothSignersWithTheSameWallets(t *testing.T) {
	w := newWorld(t)
	plan := edPlan("")
	plan.Pooled = true
	names := map[signer.Role][]string{}
	all := w.hold(t, func(ctx context.Context, role signer.Role, seat *Seat) (Result, error) {
		first, err := seat.Keygen(ctx, plan)
		if err != nil {
			return first, err
		}
		second, err := seat.Keygen(ctx, plan)
		if role == signer.RoleRuntime {
			names[role] = []string{first.Wallet, second.Wallet}
		}
		return second, err
	})
	wantResults(t, all)
	wallets := names[signer.RoleRuntime]
	if len(wallets) != 2 || wallets[0] == wallets[1] || !strings.HasPrefix(wallets[0], "pool-") {
		t.Fatalf("wallets %v", wallets)
	}
	for _, role := range everyRole[:2] {
		shares, release := w.shares(t, role)
		store, _ := shares.(vault)
		pool, err := store.OpenWalletPool(keystore.WalletPoolConfig{Scheme: keystore.SchemeEdDSA})
		must(t, err)
		if pool.Depth() != 2 {
			t.Errorf("the %s's pool holds %d", role, pool.Depth())
		}
		release()
	}
	// A pooled wallet is refreshed like any other, and stays in the pool.
	wantResults(t, w.hold(t, refresh(wallets[0])))
	for _, role := range everyRole[:2] {
		shares, release := w.shares(t, role)
		status, err := shares.Status(wallets[0])
		must(t, err)
		if !status.Pooled || !status.has(1) {
			t.Errorf("the %s has %+v", role, status)
		}
		release()
	}
}
