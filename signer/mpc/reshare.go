package mpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"math/big"
	"slices"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/resharing"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/signer"
)

// ReshareSession names one resharing of a wallet's key among the three roles: two or three of them hand their shares
// on, all three get new ones, and the key stays as it is. All three hold equal sessions but for Self.
type ReshareSession struct {
	// ID and Wallet are as in [Session].
	ID     [32]byte
	Wallet string
	// From is the epoch of the old shares, To that of the new ones; To is greater.
	From, To uint32
	// Old are the two or three roles that hand their shares on, in ascending order. A role that has lost its share is
	// not among them.
	Old []Role
	// PublicKey is the wallet's key of our own record: 65 bytes for secp256k1 (uncompressed), 32 for ed25519.
	PublicKey []byte
	Self      Role
}

// Binding is what every frame of [Engine.Reshare] carries in [Frame.Session]: a hash of the protocol, both epochs, the
// roles of the old committee, the key, the id and the wallet.
func (s ReshareSession) Binding() [32]byte { return s.binding("ecdsa-secp256k1") }

// BindingEdDSA is the same for [Engine.ReshareEdDSA].
func (s ReshareSession) BindingEdDSA() [32]byte { return s.binding("eddsa-ed25519") }

func (s ReshareSession) binding(scheme string) [32]byte {
	from := signer.BindSession("purser/mpc/v2/reshare-from/"+scheme, s.ID, s.Wallet, s.From, s.Old...)
	key := sha256.Sum256(append(from[:], s.PublicKey...))
	return signer.BindSession("purser/mpc/v2/reshare-to/"+scheme, key, s.Wallet, s.To, everyRole[:]...)
}

func (s ReshareSession) isOld(role Role) bool { return slices.Contains(s.Old, role) }

// check looks at everything but the key. held is the role of the old share, zero when there is none.
func (s ReshareSession) check(held Role, heldKey []byte, links map[Role]Transport) error {
	if err := signer.CheckSessionName(s.ID, s.Wallet); err != nil {
		return err
	}
	if err := checkLinks(s.Self, links); err != nil {
		return err
	}
	if len(s.Old) <= partyThreshold || len(s.Old) > partyCount || !slices.IsSorted(s.Old) ||
		len(slices.Compact(slices.Clone(s.Old))) != len(s.Old) || !s.Old[0].Valid() || !s.Old[len(s.Old)-1].Valid() {
		return inputError("session", "a resharing needs two or three different roles that hand on, in ascending order")
	}
	switch {
	case s.To <= s.From:
		return inputError("session", "the new epoch is not above the old one")
	case held == 0 && s.isOld(s.Self):
		return inputError("keyshare", "a role that hands its share on needs it")
	case held != 0 && held != s.Self:
		return inputError("keyshare", "the keyshare belongs to another role than the session's")
	case held != 0 && !bytes.Equal(heldKey, s.PublicKey):
		return inputError("keyshare", "the keyshare belongs to another key than the wallet's")
	}
	return nil
}

// Reshare runs this party's side of a resharing and returns our share of the new epoch. old is our share of the old
// epoch, or the zero value if we have none; it is not changed. pre are fresh pre-parameters: every epoch has moduli of
// its own. It costs a party about six CPU-seconds.
//
// The new share is not in force: nothing but [Engine.ProveEpoch] may use it until all three roles have reported success
// and the three test signatures have verified. Until then every role keeps its old share, which goes on working: a
// resharing that fails anywhere has changed nothing. Old and new shares do not work together.
func (e *Engine) Reshare(
	ctx context.Context, session ReshareSession, old Keyshare, pre PreParams, links map[Role]Transport,
) (Keyshare, error) {
	heldKey := old.PublicKey().Uncompressed()
	if err := session.check(old.Role(), heldKey[:], links); err != nil {
		return Keyshare{}, err
	}
	key, err := secpPublicPoint(session.PublicKey)
	if err != nil {
		return Keyshare{}, err
	}
	if err := pre.usable(); err != nil {
		return Keyshare{}, err
	}
	state := &resharingFacts{group: secpGroup{}, session: session, key: key}
	if old.secret != nil {
		for _, p := range old.secret.parties {
			state.retired = append(state.retired, p.paillier, p.ring)
		}
	}
	if own := pre.secret.numbers; own.PaillierSK != nil && (state.isRetired(own.PaillierSK.N) || state.isRetired(own.NTildei)) {
		return Keyshare{}, inputError("pre-parameters", "the pre-parameters are those of the old keyshare")
	}
	binding := session.Binding()
	if err := e.claim(binding, session.Self); err != nil {
		return Keyshare{}, err
	}
	if err := pre.spend(); err != nil {
		return Keyshare{}, err
	}
	finished, handedOn := make(chan *keygen.LocalPartySaveData, 1), make(chan *keygen.LocalPartySaveData, 1)
	var held *sharing
	if old.secret != nil {
		shared := old.secret.sharing()
		held = &shared
	}
	run, ids, err := state.prepare(binding, held, links, e.random, seats{
		rules: state.rules(), echoes: reshareEchoes, routes: reshareRoutes, facts: pre.facts,
		newParty: func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party {
			save := keygen.NewLocalPartySaveData(partyCount)
			save.LocalPreParams = pre.forLibrary()
			return resharing.NewLocalParty(params, save, out, finished)
		},
		oldParty: func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party {
			return resharing.NewLocalParty(params, old.secret.forLibrary(), out, handedOn)
		},
	})
	if err != nil {
		return Keyshare{}, err
	}
	if err := run.complete(ctx); err != nil {
		return Keyshare{}, err
	}
	data, err := result(run, finished)
	if err != nil {
		return Keyshare{}, err
	}
	return state.share(ids, data)
}

// share takes over a result of the library, if it is a share of the wallet's key.
func (s *resharingFacts) share(ids [partyCount]*big.Int, data *keygen.LocalPartySaveData) (Keyshare, error) {
	if data.Xi != nil {
		// The library leaves the sum of the shares it was handed, which is not reduced.
		data.Xi.Mod(data.Xi, curveOrder)
	}
	share, err := keyshareFromLibrary(s.session.Self, ids, data)
	if err != nil {
		return Keyshare{}, protocolError("the resharing made an unusable keyshare", err)
	}
	if !share.secret.key.equal(s.key) {
		return Keyshare{}, protocolError("the resharing made a share of another key", nil)
	}
	return share, nil
}

// seats are what differs between the resharings of the two schemes.
type seats struct {
	rules, echoes      []rule
	routes             map[string]route
	facts              func(self Role) *facts
	newParty, oldParty func(params *tss.ReSharingParameters, out chan<- tss.Message) tss.Party
}

// prepare seats our one or two parties. The new committee has ids of its own, because the library cannot reshare in
// place. The party in the new committee knows the old one by ids made up here: it needs nothing of them but an order,
// and a role that lost its share no longer knows the real ones.
func (s *resharingFacts) prepare(
	binding [32]byte, held *sharing, links map[Role]Transport, random io.Reader, by seats,
) (*ceremony, [partyCount]*big.Int, error) {
	self := s.session.Self
	run := newCeremony("resharing", self, binding, links, by.rules, by.echoes)
	run.routes, run.noteOwn = by.routes, s.noteOwn
	for _, role := range s.session.Old {
		run.old[role.Index()] = true
	}
	ids, standIns := freshIDs(s.group, "party", binding), freshIDs(s.group, "stand-in", binding)
	taken := slices.Concat(ids[:], standIns[:])
	if held != nil {
		taken = append(taken, held.ids[:]...)
	}
	if repeats(taken) {
		return nil, ids, inputError("session", "the session's ids collide: start a new session with a fresh id")
	}
	err := caught(func() error {
		newIDs, newPeers := partyIDs(ids, anyRole)
		oldIDs, oldPeers := partyIDs(standIns, s.session.isOld)
		run.ids = [committees][partyCount]*tss.PartyID{newCommittee: newIDs, oldCommittee: oldIDs}
		params := func(oldPeers *tss.PeerContext, own *tss.PartyID) *tss.ReSharingParameters {
			p := tss.NewReSharingParameters(
				s.group.library(), oldPeers, newPeers, own, len(s.session.Old), partyThreshold, partyCount, partyThreshold)
			p.SetRand(random)
			p.SetPartialKeyRand(random)
			return p
		}
		fresh := newStation()
		fresh.party = by.newParty(params(oldPeers, newIDs[self.Index()]), fresh.produced)
		run.stations[newCommittee] = fresh
		if s.session.isOld(self) {
			real, realPeers := partyIDs(held.ids, s.session.isOld)
			handing := newStation()
			handing.party = by.oldParty(params(realPeers, real[self.Index()]), handing.produced)
			run.stations[oldCommittee] = handing
		}
		run.admitBy(by.facts(self))
		return nil
	})
	if err != nil {
		return nil, ids, protocolError("the resharing could not be prepared", err)
	}
	return run, ids, nil
}

func repeats(numbers []*big.Int) bool {
	for i, n := range numbers {
		if n.Sign() == 0 || contains(numbers[:i], n) {
			return true
		}
	}
	return false
}

// secpPublicPoint decodes a public key of our own records.
func secpPublicPoint(key []byte) (curvePoint, error) {
	bad := inputError("public key", "this is no uncompressed secp256k1 public key of 65 bytes")
	if len(key) != 1+2*scalarBytes || key[0] != 4 {
		return curvePoint{}, bad
	}
	p := curvePoint{new(big.Int).SetBytes(key[1 : 1+scalarBytes]), new(big.Int).SetBytes(key[1+scalarBytes:])}
	if point(p.x.Bytes(), p.y.Bytes()) != nil {
		return curvePoint{}, bad
	}
	return p, nil
}
