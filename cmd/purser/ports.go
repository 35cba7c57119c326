package main

import (
	"context"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/signer/cosigner"
)

// chainLiveness is the co-signer's own view of a chain.
type chainLiveness struct{ chain *evm.Chain }

var _ cosigner.Liveness = chainLiveness{}

func (c chainLiveness) Life(ctx context.Context, t preimage.Transfer) (abi.Life, error) {
	fate, err := c.chain.Fate(ctx, settle.Authorization{
		Asset: t.Token.Asset, Payer: t.Payer, Payee: t.Payee, Amount: t.Amount, Nonce: t.Nonce, ValidBefore: t.ValidBefore,
	})
	return fate.Life, err
}

// allowList holds the addresses off the public internet that the operator names. It is replaced whole: an origin that
// a new policy no longer names is out of reach again, and a policy that was refused never opened a door. Safe for
// concurrent use.
type allowList struct {
	mu    sync.Mutex
	hosts map[string]bool
}

func (a *allowList) replace(hosts map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts = hosts
}

func (a *allowList) permits(hostPort string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hosts[hostPort]
}
