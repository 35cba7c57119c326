package mpc

import (
	"context"
	"crypto/sha256"
	"io"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/signer"
)

// KeygenSession names one key generation among the three roles. ID, Wallet and Epoch are as in [Session].
type KeygenSession struct {
	ID     [32]byte
	Wallet string
	Epoch  uint32
	Self   Role
}

// Binding is what every frame of [Engine.Keygen] carries in [Frame.Session].
func (s KeygenSession) Binding() [32]byte {
	return signer.BindSession("purser/mpc/v2/keygen/ecdsa-secp256k1", s.ID, s.Wallet, s.Epoch, everyRole[:]...)
}

// BindingEdDSA is what every frame of [Engine.KeygenEdDSA] carries in [Frame.Session].
func (s KeygenSession) BindingEdDSA() [32]byte {
	return signer.BindSession("purser/mpc/v2/keygen/eddsa-ed25519", s.ID, s.Wallet, s.Epoch, everyRole[:]...)
}

func (s KeygenSession) check() error {
	return signer.CheckSessionName(s.ID, s.Wallet)
}

// freshIDs are the Shamir coordinates of the three roles: new for every ceremony, since they also separate the proofs
// of one from those of another, and computed alike by all three. The label separates what one binding is used for.
func freshIDs(g group, label string, binding [32]byte) [partyCount]*big.Int {
	var ids [partyCount]*big.Int
	for i, role := range everyRole {
		data := append([]byte("purser/mpc/v1/"+label), binding[:]...)
		sum := sha256.Sum256(append(data, byte(role)))
		id := new(big.Int).SetBytes(sum[:])
		ids[i] = id.Mod(id, g.order())
	}
	return ids
}

// partyIDs names the parties with these coordinates to the library, by Role.index, and sorts them as it wants.
func partyIDs(ids [partyCount]*big.Int, in func(Role) bool) (byRole [partyCount]*tss.PartyID, peers *tss.PeerContext) {
	var unsorted tss.UnSortedPartyIDs
	for i, role := range everyRole {
		if in(role) {
			byRole[i] = partyID(role, ids[i])
			unsorted = append(unsorted, byRole[i])
		}
	}
	return byRole, tss.NewPeerContext(tss.SortPartyIDs(unsorted)) // sorting sets the indexes in place
}

func anyRole(Role) bool { return true }

// newKeygen prepares what the key generations of both schemes share: the parties, and one station without its party.
func newKeygen(
	g group, session KeygenSession, binding [32]byte, links map[Role]Transport, rules, echoes []rule, random io.Reader,
) (*ceremony, [partyCount]*big.Int, *tss.Parameters) {
	run := newCeremony("key generation", session.Self, binding, links, rules, echoes)
	ids := freshIDs(g, "party", binding)
	byRole, peers := partyIDs(ids, anyRole)
	run.ids[newCommittee] = byRole
	run.stations[newCommittee] = newStation()
	params := tss.NewParameters(g.library(), peers, byRole[session.Self.Index()], partyCount, partyThreshold)
	params.SetRand(random)
	params.SetPartialKeyRand(random)
	return run, ids, params
}

// Keygen runs this party's side of a key generation with the two other roles, each behind its own transport, and
// returns our keyshare. It costs about six CPU-seconds. The keyshare counts only when all three parties have
// reported success and the same public key; deciding that is the ceremony's part, not this function's.
func (e *Engine) Keygen(ctx context.Context, session KeygenSession, pre PreParams, links map[Role]Transport) (Keyshare, error) {
	if err := checkKeygen(session, pre, links); err != nil {
		return Keyshare{}, err
	}
	if err := e.claim(session.Binding(), session.Self); err != nil {
		return Keyshare{}, err
	}
	if err := pre.spend(); err != nil {
		return Keyshare{}, err
	}
	finished := make(chan *keygen.LocalPartySaveData, 1)
	var run *ceremony
	var ids [partyCount]*big.Int
	err := caught(func() error {
		var params *tss.Parameters
		run, ids, params = newKeygen(secpGroup{}, session, session.Binding(), links, keygenRules, keygenEchoes, e.random)
		own := pre.forLibrary()
		s := run.stations[newCommittee]
		s.party = keygen.NewLocalParty(params, s.produced, finished, own)
		run.admitBy(pre.facts(session.Self))
		return nil
	})
	if err != nil {
		return Keyshare{}, protocolError("the key generation could not be prepared", err)
	}
	if err := run.complete(ctx); err != nil {
		return Keyshare{}, err
	}
	data, err := result(run, finished)
	if err != nil {
		return Keyshare{}, err
	}
	share, err := keyshareFromLibrary(session.Self, ids, data)
	if err != nil {
		return Keyshare{}, protocolError("the key generation made an unusable keyshare", err)
	}
	return share, nil
}

// result takes what a finished party has left.
func result[D any](run *ceremony, finished <-chan *D) (*D, error) {
	select {
	case data := <-finished:
		return data, nil
	default:
		return nil, protocolError("the "+run.name+" ended without a keyshare", nil)
	}
}

func checkKeygen(session KeygenSession, pre PreParams, links map[Role]Transport) error {
	if err := session.check(); err != nil {
		return err
	}
	if err := checkLinks(session.Self, links); err != nil {
		return err
	}
	return pre.usable()
}

// facts are what a guard knows of our own pre-parameters at the start.
func (p PreParams) facts(self Role) *facts {
	own := p.secret.numbers
	return &facts{
		self:     self,
		paillier: map[Role]*big.Int{self: own.PaillierSK.N},
		ring:     map[Role]*big.Int{self: own.NTildei},
		bases:    []*big.Int{own.H1i, own.H2i},
	}
}
