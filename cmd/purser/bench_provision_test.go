package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

// derived measures what it takes to give an agent an address: an operator's order, on the disk of both sides, and the
// key under the wallet.
func (g *signerBench) derived(b *testing.B) {
	f := g.open(b, g.hosts.address)
	f.enrol(b, fmt.Sprintf("new-%d", g.made.Add(1))) // connects
	var o *abi.Order
	latency.Report(b, time.Millisecond, "", planFor(b, sharesOne, func() error {
		o = g.hosts.enrolment(b, abi.Enrolment{Agent: fmt.Sprintf("new-%d", g.made.Add(1)), Wallet: demoWalletID, Derived: true})
		return nil
	}).Run(b, func() error {
		there := f.seen.accepted.Load()
		agent, _, err := f.runtime.EnrolAgent(b.Context(), o, nil)
		if err != nil {
			return err
		}
		view, err := f.runtime.AgentView(agent)
		if err == nil && (view.Address == "" || view.Address == f.config.keys[0].wallet.Address || f.seen.accepted.Load() == there) {
			err = fmt.Errorf("enrolled at one side only, or without a key of its own: %+v", view)
		}
		return err
	}))
}

// pooled measures what it takes to give an agent a whole wallet that a ceremony made before: taken at one side, and the
// same one at the other, durably. Both keystores are in this process, so the message between them is not in the figure.
func (g *signerBench) pooled(b *testing.B) {
	pools := map[string]*keystore.WalletPool{}
	wallet, err := demoWallet()
	if err != nil {
		b.Fatal(err)
	}
	for _, role := range roles {
		config := keysConfig{Folder: filepath.Join(b.TempDir(), role), PassphraseFile: g.hosts.at(role, "passphrase")}
		vault, err := config.openKeystore(b.Context(), signerRoles[role], role)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { must(b, vault.Close()) })
		if pools[role], err = vault.OpenWalletPool(keystore.WalletPoolConfig{Scheme: keystore.SchemeECDSA}); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	plan := planFor(b, sharesOne, func() error {
		n++
		return errors.Join(g.pool(b, pools, wallet, roleRuntime, n), g.pool(b, pools, wallet, roleCosigner, n))
	})
	plan.SamplesMax = benchPooledMax // each is a share of 15 kB in a keystore
	latency.Report(b, time.Millisecond, "", plan.Run(b, func() error {
		claim := fmt.Sprintf("agent-%d", n)
		taken, err := pools[roleRuntime].Take(b.Context(), claim)
		if err != nil {
			return err
		}
		_, err = pools[roleCosigner].TakeNamed(b.Context(), taken.Wallet, claim)
		return err
	}))
}

// pool adds a wallet that nobody has, with the demo wallet's shares under another name.
func (g *signerBench) pool(b *testing.B, pools map[string]*keystore.WalletPool, wallet signer.Wallet, role string, n int) error {
	share, err := demowallet.Share(signerRoles[role])
	if err != nil {
		return err
	}
	secret, err := share.MarshalBinary()
	if err != nil {
		return err
	}
	return pools[role].Add(b.Context(), keystore.Share{
		Wallet: fmt.Sprintf("pooled-%d", n), Role: signerRoles[role], Scheme: keystore.SchemeECDSA, Blob: keystore.NewSecret(secret),
		Public: keystore.Record{PublicKey: wallet.PublicKey, Address: wallet.Address, Networks: wallet.Networks, Created: time.Unix(1_700_000_000, 0)},
	})
}
