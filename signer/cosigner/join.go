package cosigner

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// Join opens a session for an agent's key. Our party runs until the session ends, bounded in time and number; it signs
// nothing but a promise of this ledger, and its last message leaves only after the spend is durable.
func (c *CoSigner) Join(ctx context.Context, request *abi.SessionRequest, transport signer.Transport) (_ *abi.SessionAnswer, err error) {
	defer func() { c.refused(ctx, asked{what: "join", agent: request.Agent, wallet: request.Wallet}, err) }()
	key, ok := c.config.Keys[request.Wallet]
	if !ok {
		return nil, invalid("wallet", "this co-signer holds no share of the wallet")
	}
	if len(request.Opening) != len(signer.Opening{}) {
		return nil, invalid("opening", "the opening has another length")
	}
	wallet, err := c.walletOf(ctx, key.Wallet, request.Agent)
	if err != nil {
		return nil, err
	}
	var ours signer.Opening
	if _, err := io.ReadFull(c.config.Random, ours[:]); err != nil {
		return nil, fmt.Errorf("join: read randomness: %w", err)
	}
	session, err := signer.NewSession(wallet, signer.RoleCoSigner, signer.Parties{
		Runtime: signer.Opening(request.Opening), CoSigner: ours, RuntimeKey: c.config.RuntimeKey, CoSignerKey: c.config.Identity.Public(),
	})
	if err != nil {
		return nil, err
	}
	open, err := c.sessions.begin(session, c.config.Now(), func() { c.working.Add(1) })
	if err != nil {
		return nil, err
	}
	session.Hurry = open.hurry
	go func() {
		defer c.working.Done()
		defer func() { _ = transport.Close() }() // the other party would wait for us until its own time-out
		signed, err := c.run(open, session, key.Engine, transport)
		frozen := c.sessions.ended(open, c.config.Now(), signed, err)
		log := c.config.Log.With("wallet", session.Wallet, "path", session.Derivation.Path)
		if err != nil {
			log.WarnContext(c.life, "signing session ended", "code", abi.CodeOf(err), "error", err.Error())
		}
		if frozen {
			log.ErrorContext(c.life, "ALARM: the runtime broke one signing session after the other; the wallet's sessions are frozen for a while", "alarm", "sessions_aborted")
		}
	}()
	return &abi.SessionAnswer{
		Opening: ours[:], Path: session.Derivation.Path, Epoch: uint64(session.Epoch), ReadyMax: uint64(c.sessions.offer()), //nolint:gosec // not negative
	}, nil
}

// DropSessions ends every session that has no digest yet, because what it is bound to ended: a freeze, a refresh, a
// rotation. A session that has one goes on and meets the ledger's own checks.
func (c *CoSigner) DropSessions(reason string) {
	c.sessions.drop(c.life)
	c.config.Log.Info("prepared signing sessions dropped", "reason", reason)
}

// run is our party of one session: what can be done ahead, the wait for a promise of ours, the signature. A session that
// nobody needed any more is neither signed nor an error.
func (c *CoSigner) run(open *openSession, session signer.Session, engine signer.Engine, transport signer.Transport) (signed bool, err error) {
	ctx, cancel := context.WithTimeout(open.waiting, prepareTimeMax)
	prepared, err := engine.Prepare(ctx, session, transport)
	cancel()
	if err != nil {
		if open.waiting.Err() != nil && !signer.Blamed(err) { // we dropped it
			return false, nil
		}
		return false, err
	}
	c.sessions.prepared(open)
	ctx, cancel = context.WithTimeout(open.waiting, readyAgeMax)
	frame, err := transport.Receive(ctx)
	cancel()
	if err != nil {
		if signer.Blamed(err) {
			return false, err
		}
		return false, nil
	}
	promise, hash, err := signer.ReadBind(session, frame)
	if err != nil {
		return false, err
	}
	ctx, cancel = context.WithTimeout(c.life, finishTimeMax)
	defer cancel()
	row, err := c.admit(ctx, promise)
	if err != nil {
		return false, fmt.Errorf("payment %s: %w", promise.Payment, err)
	}
	if err := c.sessions.strikes[session.Wallet].Refuse(c.config.Now()); err != nil {
		return false, fmt.Errorf("payment %s: %w", promise.Payment, err)
	}
	// The signature itself is the runtime's to keep; ours proves nothing more than the spend row does.
	if _, err := prepared.Sign(ctx, [32]byte(promise.Digest), hash, func() error { return c.spend(ctx, row) }); err != nil {
		return false, fmt.Errorf("payment %s: %w", promise.Payment, err)
	}
	c.sessions.kept(promise, c.config.Now())
	return true, nil
}

const (
	// prepareTimeMax bounds the rounds before the digest, readyAgeMax the wait for it, finishTimeMax the rounds after.
	prepareTimeMax = 30 * time.Second
	readyAgeMax    = 11 * time.Minute // a little longer than the runtime keeps a session
	finishTimeMax  = 10 * time.Second
)

// admit checks that the promise is ours, that the runtime signed it too, and that it is still good.
func (c *CoSigner) admit(ctx context.Context, promise *abi.Armed) (store.Row, error) {
	if err := signer.VerifyArmed(promise, signer.RoleCoSigner, c.config.Identity.Public()); err != nil {
		return store.Row{}, err
	}
	if err := signer.VerifyArmed(promise, signer.RoleRuntime, c.config.RuntimeKey); err != nil {
		return store.Row{}, err
	}
	row, err := c.config.Store.Row(ctx, c.config.Tenant, promise.Payment)
	if err != nil {
		return store.Row{}, err
	}
	r, err := readRecord(row)
	if err != nil {
		return store.Row{}, err
	}
	// The signature says that some ledger of ours promised it; the row says that this one did.
	if row.State != armed && row.State != spent || r.Armed == nil || !signer.SameArmed(r.Armed, promise) {
		return store.Row{}, invalid("armed", "this ledger holds no such promise")
	}
	if err := c.mayFinish(ctx, row.Agent, promise); err != nil {
		return store.Row{}, err
	}
	if err := c.unfrozen(ctx, row.Agent, r); err != nil {
		return store.Row{}, err
	}
	if err := c.peerStopped(ctx); err != nil {
		return store.Row{}, err
	}
	if !c.config.Now().Before(expiry(r)) {
		return store.Row{}, &abi.Error{Code: "armed_expired", Where: promise.Payment, Message: "the authorization's time is over", Fix: "ask the chain what became of it"}
	}
	return row, nil
}

// spend makes "a signature may exist" durable. It runs before our last message leaves; a payment that was spent in an
// earlier session is spent already. A freeze is looked for before the spend, so that a frozen promise stays armed, and
// after it: one that came first on the disk, however short before, must stop the message.
func (c *CoSigner) spend(ctx context.Context, row store.Row) error {
	row, err := c.config.Store.Row(ctx, row.Tenant, row.ID)
	if err != nil {
		return err
	}
	r, err := readRecord(row)
	if err != nil {
		return err
	}
	if row.State != armed && row.State != spent {
		return invalid("armed", "the promise ended meanwhile")
	}
	if err := c.mayFinish(ctx, row.Agent, r.Armed); err != nil {
		return err
	}
	if err := c.unfrozen(ctx, row.Agent, r); err != nil || row.State == spent {
		return err
	}
	next, err := change(row, spent, r, "cosigner.spent", spendDetail(row, r))
	if err != nil {
		return err
	}
	if _, err = c.config.Store.Commit(ctx, next); err != nil {
		return err
	}
	return c.unfrozen(ctx, row.Agent, r)
}
