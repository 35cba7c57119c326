package mpc

import (
	"context"
	"crypto/rand"
	"io"
	"sync"

	"github.com/purserhq/purser/abi"
)

// sessionIDsRemembered bounds how many used session ids an engine remembers. It catches a caller that starts a
// session twice; ids made from fresh randomness of both sides are what prevents it across restarts.
const sessionIDsRemembered = 4096

// Config holds what an engine needs.
type Config struct {
	// Random is the source of all secrets and nonces. Default crypto/rand. It must never fail (the library panics,
	// in goroutines of its own) and never repeat: a repeated nonce gives the share away. It need not be safe for
	// concurrent use.
	Random io.Reader
}

// Engine runs protocol sessions. It is safe for concurrent use, starts no goroutines and holds no secrets.
type Engine struct {
	random io.Reader

	mu    sync.Mutex
	used  map[usedSession]bool
	order []usedSession // ring buffer of the keys of used
	next  int
}

type usedSession struct {
	binding [32]byte
	self    Role
}

// New makes an engine.
func New(config Config) (*Engine, error) {
	if err := silenceLibrary(); err != nil {
		return nil, err
	}
	random := config.Random
	if random == nil {
		random = rand.Reader
	}
	return &Engine{random: &lockedReader{source: random}, used: make(map[usedSession]bool)}, nil
}

// Sign runs this party's side of one signing session and returns the signature of digest under share's wallet,
// verified. Both sides call it with the same digest; if the digests differ, the session fails before any part of a
// signature has left.
//
// beforeLast is required. It is called at most once, when everything of the peer has been checked and only our last
// message remains to be sent: the caller makes the spend durable in it. Its error ends the session with
// [CodeSpendNotRecorded] and nothing more leaves. After it has returned nil, an error means [CodeOutcomeUnknown].
//
// The context's deadline bounds the session. A cold session costs each side about half a CPU-second. Sign does not
// close the transport: after an error the caller does, or the peer waits for its own deadline.
func (e *Engine) Sign(
	ctx context.Context, session Session, share Keyshare, digest [32]byte, transport Transport, beforeLast func() error,
) (Signature, error) {
	if err := checkSigning(session, share, digest, transport, beforeLast); err != nil {
		return Signature{}, err
	}
	if err := interruption(ctx, "the context ended before the session began"); err != nil {
		return Signature{}, err
	}
	if err := e.claim(session.Binding(), session.Self); err != nil {
		return Signature{}, err
	}
	run, err := newSigningRun(session, share, digest, e.random)
	if err != nil {
		return Signature{}, err
	}
	run.transport, run.beforeLast = transport, beforeLast
	signature, err := run.complete(ctx)
	if err != nil && run.lastLeft {
		return Signature{}, unknownOutcome(err)
	}
	return signature, err
}

func checkSigning(session Session, share Keyshare, digest [32]byte, transport Transport, beforeLast func() error) error {
	if err := session.Check(); err != nil {
		return err
	}
	switch {
	case share.secret == nil:
		return inputError("keyshare", "there is no keyshare")
	case share.Role() != session.Self:
		return inputError("keyshare", "the keyshare belongs to another role than the session's")
	case digestNumber(digest).Sign() == 0:
		// Anybody can make a valid signature of zero for some key; no hash is zero by accident.
		return inputError("digest", "the digest is zero modulo the group order")
	case transport == nil || beforeLast == nil:
		return inputError("session", "a session needs a transport and a function that records the spend")
	}
	return nil
}

// claim refuses a session this engine has run before. Running one twice lets the peer answer twice to the same
// session, which is what write-once forbids within one run.
func (e *Engine) claim(binding [32]byte, self Role) error {
	key := usedSession{binding, self}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.used[key] {
		return &abi.Error{
			Code: CodeInputInvalid, Message: "the session id was used before", Where: "session",
			Fix: "start a new session with a fresh id", Retry: abi.RetryNever,
		}
	}
	if len(e.order) < sessionIDsRemembered {
		e.order = append(e.order, key)
	} else {
		delete(e.used, e.order[e.next])
		e.order[e.next] = key
		e.next = (e.next + 1) % sessionIDsRemembered
	}
	e.used[key] = true
	return nil
}
