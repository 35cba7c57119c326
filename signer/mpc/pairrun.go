package mpc

import (
	"context"

	"github.com/bnb-chain/tss-lib/v2/tss"

	"github.com/purserhq/purser/abi"
)

// pairRun is one party's side of a protocol of two, used from one goroutine: the library party is fed by it, and puts
// its messages into a channel that is large enough never to block the call that produces them.
type pairRun struct {
	self, peer Role
	binding    [32]byte
	armed      [32]byte
	transport  Transport
	// lastType is our message after which the peer may have a signature; beforeLast is called before it leaves.
	lastType   string
	beforeLast func() error
	// note, when set, looks at each message of ours before it leaves.
	note func(rule, tss.Message) error

	party    tss.Party
	produced chan tss.Message
	guard    *guard
	nextSeq  uint32
	taken    int
	// lastLeft is set before the last message is handed to the transport: from then on the peer may have it.
	lastLeft bool
}

// start has the library make its first messages.
func (run *pairRun) start() error {
	if err := libraryCall(run.party.Start); err != nil {
		return protocolError("the session could not be started", err)
	}
	return nil
}

// complete exchanges messages until the peer's number of them is taken: send what the library produced, take one message,
// check it, feed it, and again.
func (run *pairRun) complete(ctx context.Context, messages int) error {
	for run.taken < messages {
		if err := run.sendProduced(ctx); err != nil {
			return err
		}
		message, _, err := run.take(ctx)
		if err != nil {
			return err
		}
		if err := feedParty(run.party, message); err != nil {
			return err
		}
	}
	// A peer may send its last message before the one that makes us send ours: the result then exists already, and
	// still waits for beforeLast.
	if err := run.sendProduced(ctx); err != nil {
		return err
	}
	if !run.lastLeft {
		return protocolError("the session ended without our last message", nil)
	}
	return nil
}

// feedParty gives the library a checked message.
func feedParty(party tss.Party, message tss.ParsedMessage) error {
	err := libraryCall(func() *tss.Error {
		_, failure := party.Update(message)
		return failure
	})
	if err != nil {
		return protocolError("a check of the protocol failed", err)
	}
	return nil
}

// take waits for the peer's next message and checks it.
func (run *pairRun) take(ctx context.Context) (tss.ParsedMessage, rule, error) {
	frame, err := run.transport.Receive(ctx)
	if err != nil {
		return nil, rule{}, missing(run.peer, err)
	}
	if frame.Armed != run.armed {
		return nil, rule{}, refusal(run.peer, "", errWrongArmed)
	}
	message, r, err := run.guard.admit(run.peer, frame)
	if err != nil {
		return nil, rule{}, err
	}
	run.taken++
	return message, r, interruption(ctx, "the context ended during the session")
}

func (run *pairRun) sendProduced(ctx context.Context) error {
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

func (run *pairRun) send(ctx context.Context, message tss.Message) error {
	var body []byte
	var r rule
	err := caught(func() (err error) {
		if r, err = run.guard.outgoing(message); err != nil {
			return err
		}
		if run.note != nil {
			if err = run.note(r, message); err != nil {
				return err
			}
		}
		body, _, err = message.WireBytes()
		return err
	})
	if err != nil {
		return protocolError("a message could not be encoded", err)
	}
	if r.name == run.lastType {
		if err := run.passPointOfNoReturn(ctx); err != nil {
			return err
		}
	}
	frame := Frame{
		Session: run.binding, Armed: run.armed, From: run.self, To: run.peer, Type: r.name, Seq: run.nextSeq, Body: body,
	}
	run.nextSeq++
	if err := run.transport.Send(ctx, frame); err != nil {
		return interrupted("a message could not be sent", err)
	}
	return nil
}

// passPointOfNoReturn lets the caller record the spend. Everything that can fail for a known reason is looked at
// before, so that a committed spend is rarely an unsent one.
func (run *pairRun) passPointOfNoReturn(ctx context.Context) error {
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
