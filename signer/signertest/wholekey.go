// Package signertest has a signing engine for tests that holds the whole key on both sides, so that races over
// hundreds of payments need no hundreds of half-second sessions. It refuses to exist outside of tests.
package signertest

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/purserhq/purser/signer"
)

// WholeKey is an engine with a whole key. The protocol around it is the real one: frames travel in both directions
// before and after the digest is fixed, both sides must hold the same digest and the same armed hash, and each side's
// spend is durable before its last frame leaves. Set the fields before the first session.
type WholeKey struct {
	key *secp256k1.PrivateKey
	// Wait, when set, holds every session before its last frame until it is closed.
	Wait chan struct{}
	// Prepared counts sessions whose first part is done, Armed those that were given a digest.
	Prepared, Armed atomic.Int64
}

var _ signer.Engine = (*WholeKey)(nil)

// NewWholeKey makes an engine out of 32 bytes. It panics outside of tests.
func NewWholeKey(secret [32]byte) *WholeKey {
	if !testing.Testing() {
		panic("signertest: an engine that holds a whole key is for tests only")
	}
	return &WholeKey{key: secp256k1.PrivKeyFromBytes(secret[:])}
}

// Beside is the other side's engine over the same key, with counters of its own.
func (w *WholeKey) Beside() *WholeKey { return &WholeKey{key: w.key} }

// PublicKey is uncompressed.
func (w *WholeKey) PublicKey() []byte { return w.key.PubKey().SerializeUncompressed() }

// Prepare exchanges one frame each way. A session of a derived key signs with that key.
func (w *WholeKey) Prepare(ctx context.Context, session signer.Session, transport signer.Transport) (signer.Prepared, error) {
	if err := session.Check(); err != nil {
		return nil, err
	}
	p := &prepared{engine: w, session: session, transport: transport}
	if _, err := p.exchange(ctx, "whole1", []byte{1}); err != nil {
		return nil, err
	}
	w.Prepared.Add(1)
	return p, nil
}

type prepared struct {
	engine    *WholeKey
	session   signer.Session
	transport signer.Transport
	armed     [32]byte
	seq       uint32
	used      atomic.Bool
}

var errDiffers = errors.New("the other side's frame is not the one that this session waits for")

func (p *prepared) Sign(ctx context.Context, digest, armed [32]byte, beforeLast func() error) (signer.Signature, error) {
	if p.used.Swap(true) || digest == ([32]byte{}) || armed == ([32]byte{}) {
		return signer.Signature{}, errors.New("a session takes one digest, once")
	}
	p.engine.Armed.Add(1)
	p.armed = armed
	theirs, err := p.exchange(ctx, "whole2", digest[:])
	if err != nil {
		return signer.Signature{}, err
	}
	if !bytes.Equal(theirs, digest[:]) {
		return signer.Signature{}, errDiffers
	}
	if p.engine.Wait != nil {
		select {
		case <-p.engine.Wait:
		case <-ctx.Done():
			return signer.Signature{}, ctx.Err()
		}
	}
	if err := beforeLast(); err != nil {
		return signer.Signature{}, err
	}
	if _, err := p.exchange(ctx, "whole3", []byte{3}); err != nil {
		return signer.Signature{}, err
	}
	return p.signature(digest), nil
}

// exchange sends our frame of a kind and takes the peer's.
func (p *prepared) exchange(ctx context.Context, kind string, body []byte) ([]byte, error) {
	frame := signer.Frame{
		Session: p.session.Binding(), Armed: p.armed, From: p.session.Self, To: p.session.Peer, Type: kind, Seq: p.seq, Body: body,
	}
	if err := p.transport.Send(ctx, frame); err != nil {
		return nil, err
	}
	got, err := p.transport.Receive(ctx)
	if err != nil {
		return nil, err
	}
	if got.Session != frame.Session || got.Armed != p.armed || got.From != frame.To || got.To != frame.From || got.Type != kind || got.Seq != p.seq {
		return nil, errDiffers
	}
	p.seq++
	return got.Body, nil
}

func (p *prepared) signature(digest [32]byte) signer.Signature {
	var tweak secp256k1.ModNScalar
	tweak.SetBytes(&p.session.Derivation.Tweak)
	child := secp256k1.NewPrivateKey(tweak.Add(&p.engine.key.Key))
	compact := ecdsa.SignCompact(child, digest[:], false) // 27 plus the recovery id, r, s; always low-s
	return signer.Signature{R: [32]byte(compact[1:33]), S: [32]byte(compact[33:65]), V: compact[0] - 27}
}
