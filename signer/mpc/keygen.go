package mpc

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/big"
	"slices"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/signer"
)

// keygenMessagesMax is more than a party produces in one call into the library.
const keygenMessagesMax = 8

// KeygenSession names one key generation among the three roles. ID, Wallet and Epoch are as in [Session].
type KeygenSession struct {
	ID     [32]byte
	Wallet string
	Epoch  uint32
	Self   Role
}

// Binding is what every frame of the key generation carries in [Frame.Session].
func (s KeygenSession) Binding() [32]byte {
	return signer.BindSession("purser/mpc/v1/keygen/ecdsa-secp256k1", s.ID, s.Wallet, s.Epoch, everyRole[:]...)
}

// partyIDs are the Shamir coordinates of the three roles: fresh for every key generation, since they also separate
// the proofs of one from those of another, and computed alike by all three.
func (s KeygenSession) partyIDs() [partyCount]*big.Int {
	var ids [partyCount]*big.Int
	binding := s.Binding()
	for i, role := range everyRole {
		data := append([]byte("purser/mpc/v1/party"), binding[:]...)
		sum := sha256.Sum256(append(data, byte(role)))
		ids[i] = digestNumber(sum)
	}
	return ids
}

// keygenRun is one party's side of one key generation, used from one goroutine.
type keygenRun struct {
	session  KeygenSession
	binding  [32]byte
	ids      [partyCount]*big.Int
	peers    []Role // in ascending order
	links    map[Role]Transport
	party    tss.Party
	produced chan tss.Message
	finished chan *keygen.LocalPartySaveData
	guard    *guard
	nextSeq  map[Role]uint32
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
	if pre.secret.spent.Swap(true) {
		return Keyshare{}, inputError("pre-parameters", "the pre-parameters were used before")
	}
	run, err := newKeygenRun(session, pre, links, e.random)
	if err != nil {
		return Keyshare{}, err
	}
	return run.complete(ctx)
}

func checkKeygen(session KeygenSession, pre PreParams, links map[Role]Transport) error {
	if err := signer.CheckSessionName(session.ID, session.Wallet); err != nil {
		return err
	}
	if !session.Self.Valid() {
		return inputError("session", "a key generation needs a role out of runtime, co-signer and recovery")
	}
	if pre.secret == nil {
		return inputError("pre-parameters", "there are no pre-parameters")
	}
	if pre.secret.spent.Load() {
		return inputError("pre-parameters", "the pre-parameters were used before")
	}
	if len(links) != partyCount-1 || links[session.Self] != nil {
		return inputError("session", "a key generation needs a transport to each of the two other roles")
	}
	for role, link := range links {
		if !role.Valid() || link == nil {
			return inputError("session", "a key generation needs a transport to each of the two other roles")
		}
	}
	return nil
}

func newKeygenRun(session KeygenSession, pre PreParams, links map[Role]Transport, random io.Reader) (*keygenRun, error) {
	run := &keygenRun{
		session: session, binding: session.Binding(), ids: session.partyIDs(), links: links,
		produced: make(chan tss.Message, keygenMessagesMax), finished: make(chan *keygen.LocalPartySaveData, 1),
		nextSeq: make(map[Role]uint32),
	}
	err := caught(func() error {
		var unsorted tss.UnSortedPartyIDs
		others := make(map[Role]*tss.PartyID)
		var self *tss.PartyID
		for i, role := range everyRole {
			id := partyID(role, run.ids[i])
			unsorted = append(unsorted, id)
			if role == session.Self {
				self = id
				continue
			}
			others[role] = id
			run.peers = append(run.peers, role)
		}
		params := tss.NewParameters(curve, tss.NewPeerContext(tss.SortPartyIDs(unsorted)), self, partyCount, partyThreshold)
		params.SetRand(random)
		params.SetPartialKeyRand(random)
		own := pre.forLibrary()
		run.party = keygen.NewLocalParty(params, run.produced, run.finished, own)
		known := &facts{
			self:     session.Self,
			paillier: map[Role]*big.Int{session.Self: own.PaillierSK.N},
			ring:     map[Role]*big.Int{session.Self: own.NTildei},
			bases:    []*big.Int{own.H1i, own.H2i},
		}
		run.guard = newGuard(run.binding, slices.Concat(keygenRules, echoRules), known, others)
		return nil
	})
	if err != nil {
		return nil, protocolError("the key generation could not be prepared", err)
	}
	return run, nil
}

// complete runs the three rounds: send ours, collect and check everybody's, compare the broadcasts, and only then
// feed the library.
func (run *keygenRun) complete(ctx context.Context) (Keyshare, error) {
	if err := interruption(ctx, "the context ended before the key generation began"); err != nil {
		return Keyshare{}, err
	}
	if err := libraryCall(run.party.Start); err != nil {
		return Keyshare{}, protocolError("the key generation could not be started", err)
	}
	for round := 1; round <= keygenRounds; round++ {
		seen := &broadcasts{round: round}
		if err := run.sendProduced(ctx, seen); err != nil {
			return Keyshare{}, err
		}
		messages, err := run.collect(ctx, seen)
		if err != nil {
			return Keyshare{}, err
		}
		if err := run.compare(ctx, seen); err != nil {
			return Keyshare{}, err
		}
		if err := run.feed(ctx, messages); err != nil {
			return Keyshare{}, err
		}
	}
	select {
	case data := <-run.finished:
		share, err := keyshareFromLibrary(run.session.Self, run.ids, data)
		if err != nil {
			return Keyshare{}, protocolError("the key generation made an unusable keyshare", err)
		}
		return share, nil
	default:
		return Keyshare{}, protocolError("the key generation ended without a keyshare", nil)
	}
}

func (run *keygenRun) sendProduced(ctx context.Context, seen *broadcasts) error {
	for {
		select {
		case message := <-run.produced:
			if err := run.send(ctx, message, seen); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (run *keygenRun) send(ctx context.Context, message tss.Message, seen *broadcasts) error {
	var body []byte
	var r rule
	err := caught(func() (err error) {
		if r, err = run.guard.outgoing(message); err != nil {
			return err
		}
		body, _, err = message.WireBytes()
		return err
	})
	if err != nil {
		return protocolError("a message could not be encoded", err)
	}
	if r.broadcast {
		seen.add(run.session.Self, body)
		for _, peer := range run.peers {
			if err := run.sendTo(ctx, peer, r.name, body); err != nil {
				return err
			}
		}
		return nil
	}
	if len(message.GetTo()) != 1 {
		return protocolError("a message for one party names several", nil)
	}
	for _, peer := range run.peers {
		if message.GetTo()[0] == run.guard.peers[peer].id {
			return run.sendTo(ctx, peer, r.name, body)
		}
	}
	return protocolError("a message names no party of this key generation", nil)
}

func (run *keygenRun) sendTo(ctx context.Context, peer Role, frameType string, body []byte) error {
	frame := Frame{
		Session: run.binding, From: run.session.Self, To: peer, Type: frameType, Seq: run.nextSeq[peer], Body: body,
	}
	run.nextSeq[peer]++
	if err := run.links[peer].Send(ctx, frame); err != nil {
		return interrupted(fmt.Sprintf("a message to the %s could not be sent", peer), err)
	}
	return nil
}

// collect takes each peer's messages of one round, which every peer sends before it waits for anything.
func (run *keygenRun) collect(ctx context.Context, seen *broadcasts) ([]tss.ParsedMessage, error) {
	var messages []tss.ParsedMessage
	for _, peer := range run.peers {
		for range keygenMessagesIn(seen.round) {
			frame, err := run.links[peer].Receive(ctx)
			if err != nil {
				return nil, missing(peer, err)
			}
			message, r, err := run.guard.admit(peer, frame)
			if err != nil {
				return nil, err
			}
			// Not even one round ahead: a later broadcast counted into this round would take the place of the
			// one the others are asked about.
			if r.round != seen.round {
				return nil, refusal(peer, r.name, errWrongRound)
			}
			if r.broadcast {
				seen.add(peer, frame.Body)
			}
			messages = append(messages, message)
		}
	}
	return messages, nil
}

func keygenMessagesIn(round int) int {
	count := 0
	for _, r := range keygenRules {
		if r.round == round {
			count++
		}
	}
	return count
}

func (run *keygenRun) compare(ctx context.Context, seen *broadcasts) error {
	want := seen.digest(run.binding)
	name := echoRules[seen.round-1].name
	for _, peer := range run.peers {
		if err := run.sendTo(ctx, peer, name, want[:]); err != nil {
			return err
		}
	}
	for _, peer := range run.peers {
		frame, err := run.links[peer].Receive(ctx)
		if err != nil {
			return missing(peer, err)
		}
		if err := run.guard.admitEcho(peer, frame, seen.round, want); err != nil {
			return err
		}
	}
	return nil
}

func (run *keygenRun) feed(ctx context.Context, messages []tss.ParsedMessage) error {
	for _, message := range messages {
		if err := interruption(ctx, "the context ended during the key generation"); err != nil {
			return err
		}
		err := libraryCall(func() *tss.Error {
			_, failure := run.party.Update(message)
			return failure
		})
		if err != nil {
			return protocolError("a check of the protocol failed", err)
		}
	}
	return nil
}
