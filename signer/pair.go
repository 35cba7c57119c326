package signer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// prepareTimeMax bounds opening a session and its rounds before the digest, cold on a busy machine.
	prepareTimeMax = 30 * time.Second
	// finishTimeMax bounds the rounds after it.
	finishTimeMax = 10 * time.Second
)

// Pair is the runtime's Signer: it runs the runtime's party against one co-signer. Safe for concurrent use.
type Pair struct {
	config  PairConfig
	pool    pool
	strikes Strikes

	life context.Context
	end  context.CancelFunc
}

// PairConfig is what a Pair needs. Every field without a default is required.
type PairConfig struct {
	Wallet   Wallet
	Engine   Engine
	CoSigner CoSigner
	// Identity is the runtime's own, CoSignerKey the co-signer's public one.
	Identity    Identity
	CoSignerKey ed25519.PublicKey
	// Connect makes the two ends of a session's transport. Default: in memory.
	Connect func() (here, there Transport)
	Random  io.Reader
	// Now is the clock that sessions grow old by. Default: the system's.
	Now func() time.Time
}

var _ Signer = (*Pair)(nil)

// NewPair checks that the engine's keyshare belongs to the wallet. Close it when done.
func NewPair(config PairConfig) (*Pair, error) {
	if string(config.Engine.PublicKey()) != string(config.Wallet.PublicKey) {
		return nil, fmt.Errorf("wallet %s: the keyshare belongs to another key", config.Wallet.ID)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Connect == nil {
		config.Connect = func() (Transport, Transport) { here, there := Pipe(); return here, there }
	}
	life, end := context.WithCancel(context.Background())
	p := &Pair{config: config, life: life, end: end}
	p.pool.open(config.Now)
	return p, nil
}

// Close drops the sessions that wait, ends those that are being prepared and waits for them.
func (p *Pair) Close() error {
	p.end()
	p.pool.close()
	p.pool.working.Wait()
	return nil
}

// Sign checks both signatures on the record, takes a prepared session or prepares one, and runs our party. A session
// that breaks before our last message left is replaced once: a warm one may have died unseen. An error that is not an
// [*Unsent] means that the co-signer may hold the signature.
func (p *Pair) Sign(ctx context.Context, agent string, armed *abi.Armed) (Signature, error) {
	signature, left, err := p.sign(ctx, agent, armed)
	if err == nil {
		return signature, nil
	}
	err = fmt.Errorf("sign payment %s: %w", armed.Payment, err)
	if !left {
		err = &Unsent{Cause: err}
	}
	return Signature{}, err
}

func (p *Pair) sign(ctx context.Context, agent string, armed *abi.Armed) (_ Signature, left bool, err error) {
	if err := VerifyArmed(armed, RoleCoSigner, p.config.CoSignerKey); err != nil {
		return Signature{}, false, err
	}
	if err := VerifyArmed(armed, RoleRuntime, p.config.Identity.Public()); err != nil {
		return Signature{}, false, err
	}
	if err := p.strikes.Refuse(p.config.Now()); err != nil {
		return Signature{}, false, err
	}
	if armed.Wallet != p.config.Wallet.ID || armed.Epoch != uint64(p.config.Wallet.Epoch) {
		p.DropAll("epoch")
		return Signature{}, false, inputError("armed", "the record is for another wallet, or another epoch of its shares, than this signer's")
	}
	// The next payment finds a session again. This one is assembled and recorded first: the arithmetic takes the cores.
	defer func() { time.AfterFunc(refillPause, func() { p.Expect(agent) }) }()
	if ready := p.pool.take(agent); ready != nil {
		signature, left, err := p.finish(ctx, ready, armed)
		if err == nil {
			p.pool.count(func(s *PoolStatus) { s.Warm++ })
			return signature, left, nil
		}
		if left || ctx.Err() != nil {
			return Signature{}, left, err
		}
	}
	ready, err := p.adopt(ctx, agent)
	if err != nil {
		return Signature{}, false, err
	}
	signature, left, err := p.finish(ctx, ready, armed)
	if err == nil {
		p.pool.count(func(s *PoolStatus) { s.Cold++ })
	}
	return signature, left, err
}

// adopt takes over a session that is being prepared for the agent already, or prepares one that never waits.
func (p *Pair) adopt(ctx context.Context, agent string) (*readySession, error) {
	if under := p.pool.adopt(agent); under != nil {
		ready, err := p.pool.await(ctx, under)
		if err == nil || ctx.Err() != nil {
			return ready, err
		}
	}
	return p.prepare(ctx, agent, nil)
}

// readySession is a session whose rounds before the digest are done.
type readySession struct {
	session   Session
	wallet    Wallet
	prepared  Prepared
	transport Transport
	until     time.Time
	readyMax  int
}

func (s *readySession) drop() { _ = s.transport.Close() } // whoever closes it has nothing more to say

// prepare agrees on a session with the co-signer and runs the rounds before the digest.
func (p *Pair) prepare(ctx context.Context, agent string, hurry <-chan struct{}) (_ *readySession, err error) {
	if err := p.strikes.Refuse(p.config.Now()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, prepareTimeMax)
	defer cancel()
	here, there := p.config.Connect()
	defer func() {
		if err != nil {
			p.strikes.Note(p.config.Now(), err)
			err = errors.Join(err, here.Close())
		}
	}()
	ready, err := p.join(ctx, agent, there)
	if err != nil {
		return nil, err
	}
	ready.session.Hurry, ready.transport = hurry, here
	if ready.prepared, err = p.config.Engine.Prepare(ctx, ready.session, here); err != nil {
		return nil, err
	}
	ready.until = p.config.Now().Add(readyAgeMax)
	return ready, nil
}

// join has the co-signer open its end. What it answers is checked as far as it can be: a path that is not the agent's
// comes to light when the record that names the agent's own path is not for the session's key.
func (p *Pair) join(ctx context.Context, agent string, there Transport) (*readySession, error) {
	var ours Opening
	if _, err := io.ReadFull(p.config.Random, ours[:]); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	answer, err := p.config.CoSigner.Join(ctx, &abi.SessionRequest{Wallet: p.config.Wallet.ID, Agent: agent, Opening: ours[:]}, there)
	if err != nil {
		return nil, err
	}
	wallet, err := p.config.Wallet.At(answer.Path)
	if err != nil {
		return nil, err
	}
	if answer.Epoch != uint64(wallet.Epoch) {
		p.DropAll("epoch")
		return nil, &abi.Error{
			Code: "epoch_differs", Where: wallet.ID, Message: "the co-signer holds another epoch of the wallet's shares",
			Fix: "end the ceremony that was interrupted: purser ceremony resume, at every seat", Retry: abi.RetryLater,
		}
	}
	if len(answer.Opening) != len(Opening{}) {
		return nil, frameError("the co-signer's opening has another length")
	}
	session, err := NewSession(wallet, RoleRuntime, Parties{
		Runtime: ours, CoSigner: Opening(answer.Opening), RuntimeKey: p.config.Identity.Public(), CoSignerKey: p.config.CoSignerKey,
	})
	if err != nil {
		return nil, err
	}
	return &readySession{session: session, wallet: wallet, readyMax: int(min(answer.ReadyMax, readyKeyMax))}, nil //nolint:gosec // bounded
}

// finish binds the session to the record and signs. left reports whether our last message may have left.
func (p *Pair) finish(ctx context.Context, ready *readySession, armed *abi.Armed) (_ Signature, left bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, finishTimeMax)
	defer cancel()
	defer ready.drop()
	defer func() { p.strikes.Note(p.config.Now(), err) }()
	if armed.Wallet != ready.wallet.ID || armed.Path != ready.session.Derivation.Path || armed.Epoch != uint64(ready.wallet.Epoch) {
		return Signature{}, false, inputError("armed", "the record is for another key than the session's")
	}
	bind, err := BindFrame(ready.session, armed)
	if err != nil {
		return Signature{}, false, err
	}
	if err := ready.transport.Send(ctx, bind); err != nil {
		return Signature{}, false, err
	}
	// The armed row is our durable record of a possible spend: nothing releases it without proof.
	digest := [32]byte(armed.Digest)
	signature, err := ready.prepared.Sign(ctx, digest, bind.Armed, func() error { left = true; return nil })
	if err != nil {
		return Signature{}, left, err
	}
	if err := signature.Verify(ready.wallet.PublicKey, digest); err != nil {
		return Signature{}, true, errors.Join(&abi.Error{
			Code: codeSignatureInvalid, Where: armed.Payment,
			Message: "the signing session's result does not verify", Fix: "treat the co-signer as compromised",
		}, err)
	}
	return signature, true, nil
}
