package cosigner

import (
	"context"
	"errors"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// codeSpent answers a runtime that wants a promise back whose signature may exist.
const codeSpent = "spent"

// Disclaim ends a promise whose last message has not left: the row is dead before the tombstone exists, so no session,
// of this process or the next, can spend it afterwards. Repeated it answers the same.
func (c *CoSigner) Disclaim(ctx context.Context, promise *abi.Armed) (_ *abi.Tombstone, err error) {
	defer func() {
		if abi.CodeOf(err) != codeSpent { // an honest runtime asks, and hears that it is too late
			c.refused(ctx, asked{what: "disclaim"}, err)
		}
	}()
	if err := signer.VerifyArmed(promise, signer.RoleCoSigner, c.config.Identity.Public()); err != nil {
		return nil, err
	}
	if err := signer.VerifyArmed(promise, signer.RoleRuntime, c.config.RuntimeKey); err != nil {
		return nil, err
	}
	for range noteAttemptsMax {
		tombstone, err := c.bury(ctx, promise)
		// Somebody changed the row: a session that spent it, which the next look finds, or a decision that was only logged.
		if !errors.Is(err, store.ErrConflict) {
			return tombstone, err
		}
	}
	return nil, store.ErrConflict
}

func (c *CoSigner) bury(ctx context.Context, promise *abi.Armed) (*abi.Tombstone, error) {
	row, err := c.config.Store.Row(ctx, c.config.Tenant, promise.Payment)
	if err != nil {
		return nil, err
	}
	r, err := readRecord(row)
	if err != nil {
		return nil, err
	}
	if r.Armed == nil || !signer.SameArmed(r.Armed, promise) {
		return nil, invalid("armed", "this ledger holds no such promise")
	}
	if r.Tombstone != nil {
		return r.Tombstone, nil
	}
	if row.State != armed {
		return nil, &abi.Error{
			Code: codeSpent, Where: row.ID, Message: "a signature of this promise may exist",
			Fix: "ask the chain what became of it: nothing else frees its money",
		}
	}
	facts, err := c.config.Store.Facts(ctx, store.FactQuery{Tenant: c.config.Tenant})
	if err != nil {
		return nil, err
	}
	tombstone, err := signer.NewTombstone(promise, c.config.Store.ID(), facts.Position, c.config.Identity)
	if err != nil {
		return nil, err
	}
	r.Tombstone = tombstone
	next, err := change(row, dead, r, "cosigner.disclaimed", map[string]any{"tombstone": tombstone})
	if err != nil {
		return nil, err
	}
	next.Close, next.Due = store.Release, time.Time{}
	_, err = c.config.Store.Commit(ctx, next)
	if err != nil {
		return nil, err
	}
	return tombstone, nil
}
