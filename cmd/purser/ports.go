package main

import (
	"context"
	"errors"
	"sync"
	"time"

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

func (c chainLiveness) Head(ctx context.Context) (number uint64, at time.Time, err error) {
	head, err := c.chain.Head(ctx)
	return head.Number, head.Time, err
}

// answering gives a resource server that is away, breaks off or does not speak HTTP a code of its own: to an agent
// "internal" would read as this side's fault.
type answering struct{ settle.Protocol }

func (a answering) Quote(ctx context.Context, resource settle.Resource) (settle.Quoted, error) {
	quoted, err := a.Protocol.Quote(ctx, resource)
	return quoted, coded(err)
}

func (a answering) Present(ctx context.Context, resource settle.Resource, payment string) (settle.Presented, error) {
	presented, err := a.Protocol.Present(ctx, resource, payment)
	return presented, coded(err)
}

func coded(err error) error {
	var known *abi.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &abi.Error{
		Code: "resource_unreachable", Message: "the resource server did not answer, or not in HTTP", Retry: abi.RetryLater,
		Fix: "check the address; ask again under a new key", Cause: err,
	}
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
