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

// Prepare runs this party's side of a session up to its digest, see [Engine.Prepare].
func (p *Party) Prepare(ctx context.Context, session Session, transport Transport) (signer.Prepared, error) {
	prepared, err := p.engine.Prepare(ctx, session, p.share, transport)
	if err != nil {
		return nil, err
	}
	return prepared, nil
}
