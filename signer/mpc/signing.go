package mpc

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"
)

// signingRun is one party's side of one ECDSA signing session, in two parts: before the digest and after.
type signingRun struct {
	pairRun
	// key is the key that is signed with: the wallet's, or a child's.
	key PublicKey
	// digest is the number the library signs. It holds a random one until the session is armed: the library keeps the
	// pointer and reads it first in round five.
	digest *big.Int
	// held is the peer's message of round three, which the library gets only once the digest is fixed: without it the
	// message that opens our part of the nonce does not exist.
	held tss.ParsedMessage

	gate     *gate
	grid     grid
	finished chan *common.SignatureData
}

func (e *Engine) newSigningRun(session Session, share Keyshare, transport Transport) (*signingRun, error) {
	secret := share.secret
	run := &signingRun{
		pairRun: pairRun{
			self: session.Self, peer: session.Peer, binding: session.Binding(), transport: transport, lastType: signLastType,
			produced: make(chan tss.Message, signingMessages),
		},
		gate: e.gate, grid: grid{start: time.Now(), hurry: session.Hurry}, finished: make(chan *common.SignatureData, 1),
	}
	run.note = run.noteTheta
	err := caught(func() error {
		placeholder, err := rand.Int(e.random, new(big.Int).Sub(curveOrder, bigOne))
		if err != nil {
			return err
		}
		run.digest = placeholder.Add(placeholder, bigOne)
		data, key, err := secret.derived(session.Derivation)
		if err != nil {
			return err
		}
		run.key = key
		self := partyID(session.Self, secret.parties[session.Self.Index()].id)
		peer := partyID(session.Peer, secret.parties[session.Peer.Index()].id)
		parties := tss.SortPartyIDs(tss.UnSortedPartyIDs{self, peer}) // sets the indexes in place
		params := tss.NewParameters(curve, tss.NewPeerContext(parties), self, len(parties), partyThreshold)
		params.SetRand(e.random)
		params.SetPartialKeyRand(e.random)
		tweak := new(big.Int).SetBytes(session.Derivation.Tweak[:])
		run.party = signing.NewLocalPartyWithKDD(run.digest, params, data, tweak, run.produced, run.finished, digestBytes)
		run.guard = newGuard(run.binding, signingRules, secret.signingFacts(session), map[Role]*tss.PartyID{session.Peer: peer})
		return nil
	})
	if err != nil {
		return nil, protocolError("the session could not be prepared", err)
	}
	return run, nil
}

// signingFacts are the moduli both sides agreed on when the key was made. Nothing of a session changes them.
func (s *keyshareSecret) signingFacts(session Session) *facts {
	f := &facts{self: session.Self, paillier: make(map[Role]*big.Int), ring: make(map[Role]*big.Int)}
	for _, role := range []Role{session.Self, session.Peer} {
		p := s.parties[role.Index()]
		f.paillier[role], f.ring[role] = p.paillier, p.ring
	}
	return f
}

// prepare runs rounds one to three, and stops with the peer's last message of them in hand.
func (run *signingRun) prepare(ctx context.Context) error {
	if err := run.gate.run(ctx, run.grid.hurry, run.start); err != nil {
		return err
	}
	for {
		if err := run.sendOnGrid(ctx); err != nil {
			return err
		}
		message, r, err := run.take(ctx)
		if err != nil {
			return err
		}
		if r.name == signThetaType {
			// The guard admits it only after ours has left, so nothing of ours is outstanding.
			run.held = message
			return nil
		}
		if err := run.gate.run(ctx, run.grid.hurry, func() error { return feedParty(run.party, message) }); err != nil {
			return err
		}
	}
}

// sendOnGrid sends what the library produced, all of it at one line of the raster.
func (run *signingRun) sendOnGrid(ctx context.Context) error {
	if len(run.produced) == 0 {
		return nil
	}
	if err := run.grid.wait(ctx, run.transport.Done()); err != nil {
		return err
	}
	return run.sendProduced(ctx)
}

// finish gives the library the digest and the message that was held back, in the one goroutine that feeds it, and runs
// the session to its end.
func (run *signingRun) finish(ctx context.Context, digest [32]byte) (Signature, error) {
	defer run.gate.pause()()
	run.digest.Set(digestNumber(digest))
	if err := feedParty(run.party, run.held); err != nil {
		return Signature{}, err
	}
	run.held = nil
	if err := run.complete(ctx, signingMessages); err != nil {
		return Signature{}, err
	}
	select {
	case result := <-run.finished:
		return signatureFrom(result, run.key, digest)
	default:
		return Signature{}, protocolError("the session ended without a signature", nil)
	}
}

// noteTheta keeps our theta, with which the guard checks the peer's.
func (run *signingRun) noteTheta(r rule, message tss.Message) (err error) {
	if r.name == signThetaType {
		run.guard.facts.ownTheta, err = thetaOf(message)
	}
	return err
}

func thetaOf(message tss.Message) (*big.Int, error) {
	parsed, ok := message.(tss.ParsedMessage)
	if !ok {
		return nil, errOtherContent
	}
	content, ok := parsed.Content().(*signing.SignRound3Message)
	if !ok {
		return nil, errors.New("the third message is of another type")
	}
	return scalar(content.GetTheta())
}
