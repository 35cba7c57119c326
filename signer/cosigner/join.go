package cosigner

import (
	"context"
	"fmt"
	"io"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// Join opens a session for a promise of ours. Our party runs until the session ends, bounded in time and number; its
// last message leaves only after the spend is durable.
func (c *CoSigner) Join(ctx context.Context, promise *abi.Armed, opening signer.Opening, transport signer.Transport) (signer.Opening, error) {
	row, key, err := c.admit(ctx, promise)
	if err != nil {
		return signer.Opening{}, err
	}
	var ours signer.Opening
	if _, err := io.ReadFull(c.config.Random, ours[:]); err != nil {
		return signer.Opening{}, fmt.Errorf("join payment %s: read randomness: %w", promise.Payment, err)
	}
	session, err := signer.NewSession(promise, key.Wallet, signer.RoleCoSigner, opening, ours)
	if err != nil {
		return signer.Opening{}, err
	}
	select {
	case c.places <- struct{}{}:
	default:
		return signer.Opening{}, &abi.Error{Code: "busy", Message: fmt.Sprintf("%d signing sessions are running already", sessionsMax), Retry: abi.RetryLater}
	}
	if !c.begin() {
		<-c.places
		return signer.Opening{}, &abi.Error{Code: "closing", Message: "the co-signer is shutting down", Retry: abi.RetryLater}
	}
	go func() {
		defer c.working.Done()
		defer func() { <-c.places }()
		c.run(session, key, row, [32]byte(promise.Digest), transport)
	}()
	return ours, nil
}

// admit checks that the promise is ours, that the runtime signed it too, and that it is still good.
func (c *CoSigner) admit(ctx context.Context, promise *abi.Armed) (store.Row, Key, error) {
	if err := signer.VerifyArmed(promise, signer.RoleCoSigner, c.config.Identity.Public()); err != nil {
		return store.Row{}, Key{}, err
	}
	if err := signer.VerifyArmed(promise, signer.RoleRuntime, c.config.RuntimeKey); err != nil {
		return store.Row{}, Key{}, err
	}
	row, err := c.config.Store.Row(ctx, c.config.Tenant, promise.Payment)
	if err != nil {
		return store.Row{}, Key{}, err
	}
	r, err := readRecord(row)
	if err != nil {
		return store.Row{}, Key{}, err
	}
	// The signature says that some ledger of ours promised it; the row says that this one did.
	if row.State != armed && row.State != spent || r.Armed == nil || !signer.SameArmed(r.Armed, promise) {
		return store.Row{}, Key{}, invalid("armed", "this ledger holds no such promise")
	}
	if !c.config.Now().Before(expiry(r)) {
		return store.Row{}, Key{}, &abi.Error{Code: "armed_expired", Where: promise.Payment, Message: "the authorization's time is over", Fix: "ask the chain what became of it"}
	}
	key, ok := c.config.Keys[promise.Wallet]
	if !ok {
		return store.Row{}, Key{}, invalid("armed.wallet", "this co-signer holds no share of the wallet")
	}
	return row, key, nil
}

func (c *CoSigner) run(session signer.Session, key Key, row store.Row, digest [32]byte, transport signer.Transport) {
	ctx, cancel := context.WithTimeout(c.life, sessionTimeMax)
	defer cancel()
	// The signature itself is the runtime's to keep; ours proves nothing more than the spend row does.
	if _, err := key.Engine.Sign(ctx, session, digest, transport, func() error { return c.spend(ctx, row) }); err != nil {
		c.config.Log.WarnContext(ctx, "signing session ended", "payment", row.ID, "code", abi.CodeOf(err), "error", err.Error())
		// The other party would wait for us until its own time-out, and the authorization is short.
		if closer, ok := transport.(io.Closer); ok {
			_ = closer.Close() // the session failed already
		}
	}
}

// spend makes "a signature may exist" durable. It runs before our last message leaves; a payment that was spent in an
// earlier session is spent already.
func (c *CoSigner) spend(ctx context.Context, row store.Row) error {
	row, err := c.config.Store.Row(ctx, row.Tenant, row.ID)
	if err != nil {
		return err
	}
	if row.State == spent {
		return nil
	}
	if row.State != armed {
		return invalid("armed", "the promise ended meanwhile")
	}
	r, err := readRecord(row)
	if err != nil {
		return err
	}
	next, err := change(row, spent, r, "cosigner.spent", map[string]any{"digest": fmt.Sprintf("%x", row.Digest)})
	if err != nil {
		return err
	}
	_, err = c.config.Store.Commit(ctx, next)
	return err
}
