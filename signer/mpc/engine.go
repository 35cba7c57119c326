package mpc

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"sync/atomic"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
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

// Engine runs protocol sessions. It is safe for concurrent use, starts no goroutines and holds no secrets. The cores that
// signing sessions may use before their digest is fixed are counted by engine: a process wants one for each role it plays.
type Engine struct {
	random io.Reader
	gate   *gate

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
	return &Engine{random: &lockedReader{source: random}, gate: newGate(), used: make(map[usedSession]bool)}, nil
}

// Prepare runs rounds one to three of a signing session with share: nearly all of its arithmetic, about half a
// CPU-second for each side, and nothing that depends on what will be signed. It returns when the peer's message of
// round three is here; that message is kept from the library until [Prepared.Sign], so that our part of the nonce is
// still closed when the digest is fixed.
//
// Prepare does not close the transport: after an error the caller does, or the peer waits for its own deadline.
func (e *Engine) Prepare(ctx context.Context, session Session, share Keyshare, transport Transport) (*Prepared, error) {
	if err := checkSigning(session, share, transport); err != nil {
		return nil, err
	}
	if err := interruption(ctx, "the context ended before the session began"); err != nil {
		return nil, err
	}
	if err := e.claim(session.Binding(), session.Self); err != nil {
		return nil, err
	}
	run, err := e.newSigningRun(session, share, transport)
	if err != nil {
		return nil, err
	}
	if err := run.prepare(ctx); err != nil {
		return nil, err
	}
	return &Prepared{run: run}, nil
}

// Prepared is a signing session that waits for its digest. It is single use and safe for concurrent use: of two calls
// of Sign one gets the session.
type Prepared struct {
	run  *signingRun
	used atomic.Bool
}

var _ signer.Prepared = (*Prepared)(nil)

// Sign fixes the digest and returns its signature under the session's key, verified. Both sides call it with the same
// digest and the same armed hash; if they differ, the session fails before any part of a signature has left.
//
// beforeLast is required. It is called at most once, when everything of the peer has been checked and only our last
// message remains to be sent: the caller makes the spend durable in it. Its error ends the session with
// [CodeSpendNotRecorded] and nothing more leaves. After it has returned nil, an error means [CodeOutcomeUnknown].
// A second call is an error.
func (p *Prepared) Sign(ctx context.Context, digest, armed [32]byte, beforeLast func() error) (Signature, error) {
	switch {
	case p.used.Swap(true):
		return Signature{}, inputError("session", "the session has its digest already")
	case digestNumber(digest).Sign() == 0:
		// Anybody can make a valid signature of zero for some key; no hash is zero by accident.
		return Signature{}, inputError("digest", "the digest is zero modulo the group order")
	case armed == ([32]byte{}) || beforeLast == nil:
		return Signature{}, inputError("session", "a digest needs the hash of its armed record and a function that records the spend")
	}
	run := p.run
	run.armed, run.beforeLast = armed, beforeLast
	if err := interruption(ctx, "the context ended before the digest was fixed"); err != nil {
		return Signature{}, err
	}
	signature, err := run.finish(ctx, digest)
	if err != nil && run.lastLeft {
		return Signature{}, unknownOutcome(err)
	}
	return signature, err
}

func checkSigning(session Session, share Keyshare, transport Transport) error {
	if err := session.Check(); err != nil {
		return err
	}
	switch {
	case share.secret == nil:
		return inputError("keyshare", "there is no keyshare")
	case share.Role() != session.Self:
		return inputError("keyshare", "the keyshare belongs to another role than the session's")
	case transport == nil:
		return inputError("session", "a session needs a transport")
	case (session.Derivation.Path == "") != (session.Derivation.Tweak == [32]byte{}):
		// Frames are bound to the path; without this rule two tweaks could hide behind one.
		return inputError("session", "a path and a tweak come together or not at all")
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
