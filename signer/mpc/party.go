package mpc

import (
	"context"

	"github.com/purserhq/purser/signer"
)

// Party is an engine with one keyshare: one side of every session of one wallet. It is safe for concurrent use and
// prints nothing of the keyshare.
type Party struct {
	engine *Engine
	share  Keyshare
}

var _ signer.Engine = (*Party)(nil)

// NewParty binds a keyshare to an engine.
func NewParty(engine *Engine, share Keyshare) *Party { return &Party{engine: engine, share: share} }

// PublicKey is the wallet's key, uncompressed.
func (p *Party) PublicKey() []byte {
	key := p.share.PublicKey().Uncompressed()
	return key[:]
}

// Sign runs this party's side of one session, see [Engine.Sign].
func (p *Party) Sign(ctx context.Context, session Session, digest [32]byte, transport Transport, beforeLast func() error) (Signature, error) {
	return p.engine.Sign(ctx, session, p.share, digest, transport, beforeLast)
}
