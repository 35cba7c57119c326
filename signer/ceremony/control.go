package ceremony

import (
	"context"
	"crypto/sha256"

	"github.com/purserhq/purser/signer"
)

// The messages of a ceremony beside those of the engine. They travel on the same links, between its runs.
const (
	messageHello       = "ceremony-hello"
	messageAgreed      = "ceremony-agreed"
	messageSettled     = "ceremony-settled"
	messageChainCommit = "ceremony-chain-commit"
	messageChainReveal = "ceremony-chain-reveal"
	messageChainCode   = "ceremony-chain-code"
	messageStored      = "ceremony-stored"
	messageProven      = "ceremony-proven"
	messageCommitted   = "ceremony-committed"
	messageInForce     = "ceremony-in-force"
)

// helloSession is what hellos carry as their session, before there is one.
var helloSession = sha256.Sum256([]byte("purser.ceremony.hello.v1"))

// begin starts counting frames for a session.
func (s *Seat) begin() {
	s.seq = map[signer.Role]*sequence{s.others[0]: {}, s.others[1]: {}}
}

// tell sends one message to one seat.
func (r *run) tell(ctx context.Context, to signer.Role, message string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.Limits.Answer)
	defer cancel()
	count := r.seq[to]
	frame := signer.Frame{Session: r.session, From: r.config.Self, To: to, Type: message, Seq: count.sent, Body: body}
	if err := r.links[to].Send(ctx, frame); err != nil {
		return interrupted("a message to the "+to.String()+" could not be sent", err)
	}
	count.sent++
	return nil
}

// hear waits for one message of one seat. What else comes is refused: the seats go in step.
func (r *run) hear(ctx context.Context, from signer.Role, message string, bytesMax int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.Limits.Answer)
	defer cancel()
	frame, err := r.links[from].Receive(ctx)
	if err != nil {
		return nil, interrupted("the "+from.String()+" does not answer", err)
	}
	count := r.seq[from]
	switch {
	case frame.From != from || frame.To != r.config.Self || frame.Armed != [32]byte{} || frame.Seq != count.received:
		return nil, refused(from, "a message has the wrong sender, receiver or number")
	case frame.Type != message:
		return nil, refused(from, "it sent %.32q instead of %q", frame.Type, message)
	case frame.Session != r.session:
		return nil, refused(from, "a message belongs to another ceremony")
	case len(frame.Body) > bytesMax:
		return nil, refused(from, "the message %q is too long", message)
	}
	count.received++
	return frame.Body, nil
}

// exchange sends the same to both others and waits for theirs.
func (r *run) exchange(ctx context.Context, message string, body []byte, bytesMax int) (map[signer.Role][]byte, error) {
	for _, other := range r.others {
		if err := r.tell(ctx, other, message, body); err != nil {
			return nil, err
		}
	}
	heard := map[signer.Role][]byte{}
	for _, other := range r.others {
		body, err := r.hear(ctx, other, message, bytesMax)
		if err != nil {
			return nil, err
		}
		heard[other] = body
	}
	return heard, nil
}

// confirm exchanges a short statement that must be the same everywhere.
func (r *run) confirm(ctx context.Context, message string, statement [32]byte) error {
	heard, err := r.exchange(ctx, message, statement[:], len(statement))
	if err != nil {
		return err
	}
	for _, other := range r.others {
		if string(heard[other]) != string(statement[:]) {
			return refused(other, "its result differs from ours in %q", message)
		}
	}
	return nil
}
