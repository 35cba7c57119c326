package mpc

import (
	"errors"
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/tss"
)

// The reasons a message is refused before its content is looked at.
var (
	errWrongSession  = errors.New("the frame belongs to another session")
	errWrongArmed    = errors.New("the frame speaks of another armed record than the session's")
	errWrongParty    = errors.New("the frame names another sender or receiver")
	errOutOfSequence = errors.New("the frame is a repetition, or one before it is missing")
	errUnknownType   = errors.New("the protocol has no message of this type")
	errSecondMessage = errors.New("a message of this type was received before")
	errWrongRound    = errors.New("the message belongs to another round")
	errWrongSize     = errors.New("the message is empty or too long for its type")
	errUnparsable    = errors.New("the message cannot be parsed")
	errOtherContent  = errors.New("the message holds another type than the frame says")
	errMissingFields = errors.New("the message lacks fields, or has unknown ones")
	errTooEarly      = errors.New("the message needs one that was not received or sent yet")
)

const typeURLPrefix = "type.googleapis.com/"

// rule is what the guard knows of one message type.
type rule struct {
	// name is our name of the type, on the wire.
	name string
	// wire is the library's name of the type.
	wire string
	// round is the protocol round that sends it, from 1.
	round int
	// broadcast is whether it goes to every other party; the library is told so by us and never by the wire.
	broadcast bool
	// bodyBytesMax is the longest an honest message can be, a little rounded up.
	bodyBytesMax int
	// check looks at the content.
	check func(facts *facts, from Role, content tss.MessageContent) error
}

// checking adapts a check of one message type.
func checking[M tss.MessageContent](check func(*facts, Role, M) error) func(*facts, Role, tss.MessageContent) error {
	return func(facts *facts, from Role, content tss.MessageContent) error {
		message, ok := content.(M)
		if !ok {
			return errOtherContent
		}
		return check(facts, from, message)
	}
}

// facts is what messages are checked against: numbers from our own keyshare or from messages admitted earlier.
type facts struct {
	self     Role
	paillier map[Role]*big.Int // Paillier moduli
	ring     map[Role]*big.Int // ring-Pedersen moduli
	bases    []*big.Int        // ring-Pedersen bases seen in a key generation
	ownTheta *big.Int          // our share of theta, once we have sent it
}

// inbox is the state of one authenticated peer.
type inbox struct {
	id      *tss.PartyID
	nextSeq uint32
	seen    map[string]bool
}

// guard stands between the transport and the library. It is used from one goroutine.
type guard struct {
	binding [32]byte
	rules   map[string]rule
	facts   *facts
	peers   map[Role]*inbox
	// sent is the latest round of which we have sent a message. A peer that follows the protocol is in this round
	// or the next: it cannot be further without our message, and never goes back.
	sent int
}

func newGuard(binding [32]byte, rules []rule, facts *facts, peers map[Role]*tss.PartyID) *guard {
	g := &guard{binding: binding, rules: make(map[string]rule), facts: facts, peers: make(map[Role]*inbox)}
	for _, r := range rules {
		g.rules[r.name] = r
	}
	for role, id := range peers {
		g.peers[role] = &inbox{id: id, seen: make(map[string]bool)}
	}
	return g
}

// outgoing finds the rule of a message of ours and notes the round it opens.
func (g *guard) outgoing(message tss.Message) (rule, error) {
	for _, r := range g.rules {
		if r.wire == message.Type() && r.wire != "" {
			g.sent = max(g.sent, r.round)
			return r, nil
		}
	}
	return rule{}, errUnknownType
}

// envelope checks everything about a frame but its body, and takes its place in the sequence. The order matters:
// a frame that is not from the session's peer must not use up the peer's one message of a type.
func (g *guard) envelope(peer Role, frame Frame) (rule, error) {
	if frame.Session != g.binding {
		return rule{}, errWrongSession
	}
	from, ok := g.peers[peer]
	if !ok || frame.From != peer || frame.To != g.facts.self {
		return rule{}, errWrongParty
	}
	if frame.Seq != from.nextSeq {
		return rule{}, errOutOfSequence
	}
	from.nextSeq++
	r, ok := g.rules[frame.Type]
	if !ok {
		return rule{}, errUnknownType
	}
	// Write-once, even if the second message is identical and even if the first was refused. The library keeps
	// the latest message of a type: without this rule a commitment can be replaced after the others have opened
	// theirs, and every commit-then-open step of the protocol is void.
	if from.seen[r.name] {
		return rule{}, errSecondMessage
	}
	from.seen[r.name] = true
	if r.round < g.sent || r.round > g.sent+1 {
		return rule{}, errWrongRound
	}
	if len(frame.Body) == 0 || len(frame.Body) > r.bodyBytesMax {
		return rule{}, errWrongSize
	}
	return r, nil
}

// admit checks one frame that came over the transport of an authenticated peer, and returns the message to give to
// the library, or an error that blames this peer, whatever sender the frame names.
func (g *guard) admit(peer Role, frame Frame) (tss.ParsedMessage, rule, error) {
	r, err := g.envelope(peer, frame)
	if err != nil {
		return nil, rule{}, g.refuse(peer, frame, err)
	}
	message, err := g.parse(r, peer, frame.Body)
	if err != nil {
		return nil, rule{}, g.refuse(peer, frame, err)
	}
	check := func() error { return r.check(g.facts, peer, message.Content()) }
	if err := caught(check); err != nil {
		return nil, rule{}, g.refuse(peer, frame, err)
	}
	return message, r, nil
}

// refuse names the type only if it is one of ours: the rest of a frame is the peer's text.
func (g *guard) refuse(peer Role, frame Frame, reason error) error {
	r, ok := g.rules[frame.Type]
	if !ok {
		return refusal(peer, "", reason)
	}
	return refusal(peer, r.name, reason)
}

// parse reads the body with our own id of the authenticated peer and our own knowledge of what is a broadcast.
func (g *guard) parse(r rule, peer Role, body []byte) (message tss.ParsedMessage, err error) {
	err = caught(func() error {
		message, err = tss.ParseWireMessage(body, g.peers[peer].id, r.broadcast)
		if err != nil {
			// The decoder's text may quote the message.
			return errUnparsable
		}
		if message.Type() != r.wire {
			return errOtherContent
		}
		// The registry of the decoder takes any prefix before the type's name, so one message would have many forms.
		envelope := message.WireMsg().GetMessage()
		if envelope.GetTypeUrl() != typeURLPrefix+r.wire || len(envelope.ProtoReflect().GetUnknown()) > 0 {
			return errOtherContent
		}
		if len(message.Content().ProtoReflect().GetUnknown()) > 0 || !message.ValidateBasic() {
			return errMissingFields
		}
		return nil
	})
	return message, err
}
