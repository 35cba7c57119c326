package mpc

import (
	"context"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

// KeygenEdDSA is [Engine.Keygen] for an Ed25519 wallet. It needs no pre-parameters and costs a party about a fifth of a
// CPU-second.
func (e *Engine) KeygenEdDSA(ctx context.Context, session KeygenSession, links map[Role]Transport) (EdKeyshare, error) {
	if err := session.check(); err != nil {
		return EdKeyshare{}, err
	}
	if err := checkLinks(session.Self, links); err != nil {
		return EdKeyshare{}, err
	}
	binding := session.BindingEdDSA()
	if err := e.claim(binding, session.Self); err != nil {
		return EdKeyshare{}, err
	}
	finished := make(chan *keygen.LocalPartySaveData, 1)
	var run *ceremony
	var ids [partyCount]*big.Int
	err := caught(func() error {
		var params *tss.Parameters
		run, ids, params = newKeygen(edGroup{}, session, binding, links, edKeygenRules, edKeygenEchoes, e.random)
		s := run.stations[newCommittee]
		s.party = keygen.NewLocalParty(params, s.produced, finished)
		run.admitBy(&facts{self: session.Self})
		return nil
	})
	if err != nil {
		return EdKeyshare{}, protocolError("the key generation could not be prepared", err)
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
		return EdKeyshare{}, protocolError("the key generation made an unusable keyshare", err)
	}
	return share, nil
}
