package mpc

import (
	"context"

	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/eddsa/resharing"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

// ReshareEdDSA is [Engine.Reshare] for an Ed25519 wallet. It needs no pre-parameters and costs a party about a quarter
// of a CPU-second.
func (e *Engine) ReshareEdDSA(ctx context.Context, session ReshareSession, old EdKeyshare, links map[Role]Transport) (EdKeyshare, error) {
	heldKey := old.PublicKey()
	if err := session.check(old.Role(), heldKey[:], links); err != nil {
		return EdKeyshare{}, err
	}
	key, err := edPublicPoint(session.PublicKey)
	if err != nil {
		return EdKeyshare{}, err
	}
	binding := session.BindingEdDSA()
	if err := e.claim(binding, session.Self); err != nil {
		return EdKeyshare{}, err
	}
	state := &resharingFacts{group: edGroup{}, session: session, key: key}
	finished, handedOn := make(chan *keygen.LocalPartySaveData, 1), make(chan *keygen.LocalPartySaveData, 1)
	run, ids, err := state.prepare(binding, old.secret, links, e.random, seats{
		rules: state.edRules(), echoes: edReshareEchoes, routes: edReshareRoutes,
		facts: func(self Role) *facts { return &facts{self: self} },
		newParty: func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party {
			return resharing.NewLocalParty(params, keygen.NewLocalPartySaveData(partyCount), out, finished)
		},
		oldParty: func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party {
			return resharing.NewLocalParty(params, old.secret.forEdLibrary(), out, handedOn)
		},
	})
	if err != nil {
		return EdKeyshare{}, err
	}
	if err := run.complete(ctx); err != nil {
		return EdKeyshare{}, err
	}
	data, err := result(run, finished)
	if err != nil {
		return EdKeyshare{}, err
	}
	share, err := edKeyshareFromLibrary(session.Self, ids, data)
	if err != nil {
		return EdKeyshare{}, protocolError("the resharing made an unusable keyshare", err)
	}
	if !share.secret.key.equal(key) {
		return EdKeyshare{}, protocolError("the resharing made a share of another key", nil)
	}
	return share, nil
}
