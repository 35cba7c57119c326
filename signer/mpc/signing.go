package mpc

import (
	"context"
	"errors"
	"io"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/common"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/signing"
	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/abi"
)

// signingRun is one party's side of one signing session. It is used from one goroutine: the library party is fed by
// it, and puts its messages into channels that are large enough never to block the call that produces them.
type signingRun struct {
	session    Session
	binding    [32]byte
	key        PublicKey
	digest     [32]byte
	transport  Transport
	beforeLast func() error

	party    tss.Party
	produced chan tss.Message
	finished chan *common.SignatureData
	guard    *guard
	nextSeq  uint32
	// lastLeft is set before the last message is handed to the transport: from then on the peer may have it.
	lastLeft bool
}

func newSigningRun(session Session, share Keyshare, digest [32]byte, random io.Reader) (*signingRun, error) {
	secret := share.secret
	run := &signingRun{
		session: session, binding: session.Binding(), key: share.PublicKey(), digest: digest,
		produced: make(chan tss.Message, signingMessages), finished: make(chan *common.SignatureData, 1),
	}
	err := caught(func() error {
		self := partyID(session.Self, secret.parties[session.Self.Index()].id)
		peer := partyID(session.Peer, secret.parties[session.Peer.Index()].id)
		parties := tss.SortPartyIDs(tss.UnSortedPartyIDs{self, peer}) // sets the indexes in place
		params := tss.NewParameters(curve, tss.NewPeerContext(parties), self, len(parties), partyThreshold)
		params.SetRand(random)
		params.SetPartialKeyRand(random)
		run.party = signing.NewLocalParty(
			digestNumber(digest), params, secret.forLibrary(), run.produced, run.finished, len(digest))
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

// complete runs the session: send what the library produced, take one message, check it, feed it, and again.
func (run *signingRun) complete(ctx context.Context) (Signature, error) {
	if err := libraryCall(run.party.Start); err != nil {
		return Signature{}, protocolError("the session could not be started", err)
	}
	for range signingMessages {
		if err := run.sendProduced(ctx); err != nil {
			return Signature{}, err
		}
		if err := run.takeOne(ctx); err != nil {
			return Signature{}, err
		}
	}
	// A peer may send its last message before the one that makes us send ours: the result then exists already, and
	// still waits for beforeLast.
	if err := run.sendProduced(ctx); err != nil {
		return Signature{}, err
	}
	if !run.lastLeft {
		return Signature{}, protocolError("the session ended without our last message", nil)
	}
	select {
	case result := <-run.finished:
		return signatureFrom(result, run.key, run.digest)
	default:
		return Signature{}, protocolError("the session ended without a signature", nil)
	}
}

func (run *signingRun) takeOne(ctx context.Context) error {
	frame, err := run.transport.Receive(ctx)
	if err != nil {
		return missing(run.session.Peer, err)
	}
	message, _, err := run.guard.admit(run.session.Peer, frame)
	if err != nil {
		return err
	}
	if err := interruption(ctx, "the context ended during the session"); err != nil {
		return err
	}
	err = libraryCall(func() *tss.Error {
		_, failure := run.party.Update(message)
		return failure
	})
	if err != nil {
		return protocolError("a check of the protocol failed", err)
	}
	return nil
}

func (run *signingRun) sendProduced(ctx context.Context) error {
	for {
		select {
		case message := <-run.produced:
			if err := run.send(ctx, message); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (run *signingRun) send(ctx context.Context, message tss.Message) error {
	body, r, err := run.encode(message)
	if err != nil {
		return protocolError("a message could not be encoded", err)
	}
	if r.name == signLastType {
		if err := run.passPointOfNoReturn(ctx); err != nil {
			return err
		}
	}
	frame := Frame{
		Session: run.binding, From: run.session.Self, To: run.session.Peer, Type: r.name, Seq: run.nextSeq, Body: body,
	}
	run.nextSeq++
	if err := run.transport.Send(ctx, frame); err != nil {
		return interrupted("a message could not be sent", err)
	}
	return nil
}

// passPointOfNoReturn lets the caller record the spend. Everything that can fail for a known reason is looked at
// before, so that a committed spend is rarely an unsent one.
func (run *signingRun) passPointOfNoReturn(ctx context.Context) error {
	if err := interruption(ctx, "the context ended before the last message"); err != nil {
		return err
	}
	if run.lastLeft {
		return protocolError("the library made a second last message", nil)
	}
	if err := run.beforeLast(); err != nil {
		return &abi.Error{
			Code: CodeSpendNotRecorded, Message: "the spend could not be recorded, so the last message was withheld",
			Fix: "repair the store and sign again in a new session", Retry: abi.RetryLater, Cause: err,
		}
	}
	run.lastLeft = true
	return nil
}

// encode also notes our theta, with which the guard checks the peer's.
func (run *signingRun) encode(message tss.Message) (body []byte, r rule, err error) {
	err = caught(func() error {
		if r, err = run.guard.outgoing(message); err != nil {
			return err
		}
		if r.name == signThetaType {
			if run.guard.facts.ownTheta, err = thetaOf(message); err != nil {
				return err
			}
		}
		body, _, err = message.WireBytes()
		return err
	})
	return body, r, err
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
