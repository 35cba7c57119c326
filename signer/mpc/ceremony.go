package mpc

import (
	"context"
	"fmt"

	"github.com/bnb-chain/tss-lib/v2/tss"
)

// producedMessagesMax is more than a party of the library produces in one call.
const producedMessagesMax = 8

// committee is a set of parties of the library. In a key generation there is one. In a resharing a role can be in two:
// it hands its old share on as a member of the old committee and gets a new one as a member of the new. On the wire
// there are only roles; which committee speaks to which is a fact of the message type.
type committee int

const (
	newCommittee committee = iota
	oldCommittee
	committees
)

// route says which committee sends a type of message, and which take it.
type route struct {
	from committee
	to   []committee
}

// station is one party of the library inside a ceremony.
type station struct {
	party    tss.Party
	produced chan tss.Message
}

func newStation() *station { return &station{produced: make(chan tss.Message, producedMessagesMax)} }

// ceremony is one role's side of a protocol among the three roles, used from one goroutine.
type ceremony struct {
	name    string // what the errors call it
	self    Role
	binding [32]byte
	links   map[Role]Transport
	peers   []Role // in ascending order
	rules   []rule
	echoes  []rule // one for each round
	// routes are of the rules by name; what is not listed goes within the new committee.
	routes map[string]route
	// old are the roles in the old committee.
	old [partyCount]bool
	// ids name the parties of the library, by committee and Role.index.
	ids      [committees][partyCount]*tss.PartyID
	stations [committees]*station
	guard    *guard
	// noteOwn, when set, is shown what we send.
	noteOwn func(r rule, content tss.MessageContent) error
	nextSeq map[Role]uint32
}

// delivery is a checked message on its way to a station.
type delivery struct {
	to      *station
	message tss.ParsedMessage
}

// newCeremony fills in everything but the stations and the facts of the guard.
func newCeremony(name string, self Role, binding [32]byte, links map[Role]Transport, rules, echoes []rule) *ceremony {
	c := &ceremony{
		name: name, self: self, binding: binding, links: links, rules: rules, echoes: echoes, nextSeq: make(map[Role]uint32),
	}
	for _, role := range everyRole {
		if role != self {
			c.peers = append(c.peers, role)
		}
	}
	return c
}

// admitBy puts the guard in place, once the ids of the new committee are known.
func (c *ceremony) admitBy(known *facts) {
	others := make(map[Role]*tss.PartyID)
	for _, peer := range c.peers {
		others[peer] = c.ids[newCommittee][peer.Index()]
	}
	c.guard = newGuard(c.binding, append(append([]rule(nil), c.rules...), c.echoes...), known, others)
}

// checkLinks wants a transport to each of the two other roles and no more.
func checkLinks(self Role, links map[Role]Transport) error {
	if !self.Valid() {
		return inputError("session", "this needs a role out of runtime, co-signer and recovery")
	}
	if len(links) != partyCount-1 || links[self] != nil {
		return inputError("session", "this needs a transport to each of the two other roles")
	}
	for role, link := range links {
		if !role.Valid() || link == nil {
			return inputError("session", "this needs a transport to each of the two other roles")
		}
	}
	return nil
}

func (c *ceremony) route(r rule) route {
	if listed, ok := c.routes[r.name]; ok {
		return listed
	}
	return route{from: newCommittee, to: []committee{newCommittee}}
}

// sends is whether a role sends messages of a type.
func (c *ceremony) sends(role Role, r rule) bool {
	return c.route(r).from == newCommittee || c.old[role.Index()]
}

// complete runs the rounds: send ours, collect and check everybody's, compare the broadcasts, and only then feed the
// library.
func (c *ceremony) complete(ctx context.Context) error {
	if err := interruption(ctx, "the context ended before the "+c.name+" began"); err != nil {
		return err
	}
	for _, s := range c.stations {
		if s == nil {
			continue
		}
		if err := libraryCall(s.party.Start); err != nil {
			return protocolError("the "+c.name+" could not be started", err)
		}
	}
	for _, echo := range c.echoes {
		seen := &broadcasts{echo: echo}
		ours, err := c.sendProduced(ctx, seen)
		if err != nil {
			return err
		}
		theirs, err := c.collect(ctx, seen)
		if err != nil {
			return err
		}
		if err := c.compare(ctx, seen); err != nil {
			return err
		}
		if err := c.feed(ctx, append(ours, theirs...)); err != nil {
			return err
		}
	}
	return nil
}

// sendProduced sends what the library has made, and returns what our own other station has to get.
func (c *ceremony) sendProduced(ctx context.Context, seen *broadcasts) ([]delivery, error) {
	var ours []delivery
	for at, s := range c.stations {
		for s != nil {
			var message tss.Message
			select {
			case message = <-s.produced:
			default:
			}
			if message == nil {
				break
			}
			more, err := c.send(ctx, message, committee(at), seen)
			if err != nil {
				return nil, err
			}
			ours = append(ours, more...)
		}
	}
	return ours, nil
}

func (c *ceremony) send(ctx context.Context, message tss.Message, from committee, seen *broadcasts) ([]delivery, error) {
	body, r, err := c.encode(message)
	if err == nil && (r.round != seen.echo.round || c.route(r).from != from) {
		err = errWrongRound
	}
	if err != nil {
		return nil, protocolError("a message could not be encoded", err)
	}
	receivers := everyRole[:]
	if r.broadcast {
		seen.add(c.self, r.name, body)
	} else if receivers, err = c.addressee(message); err != nil {
		return nil, err
	}
	var ours []delivery
	for _, receiver := range receivers {
		if receiver == c.self {
			if ours, err = c.toOurselves(r, body); err != nil {
				return nil, err
			}
			continue
		}
		if err := c.sendTo(ctx, receiver, r.name, body); err != nil {
			return nil, err
		}
	}
	return ours, nil
}

func (c *ceremony) encode(message tss.Message) (body []byte, r rule, err error) {
	err = caught(func() error {
		if r, err = c.guard.outgoing(message); err != nil {
			return err
		}
		if parsed, ok := message.(tss.ParsedMessage); ok && c.noteOwn != nil {
			if err := c.noteOwn(r, parsed.Content()); err != nil {
				return err
			}
		}
		body, _, err = message.WireBytes()
		return err
	})
	return body, r, err
}

// addressee finds the role a message for one party is for. Only members of the new committee get such messages.
func (c *ceremony) addressee(message tss.Message) ([]Role, error) {
	if len(message.GetTo()) != 1 {
		return nil, protocolError("a message for one party names several", nil)
	}
	for _, role := range everyRole {
		if message.GetTo()[0] == c.ids[newCommittee][role.Index()] {
			return []Role{role}, nil
		}
	}
	return nil, protocolError("a message names no party of this "+c.name, nil)
}

func (c *ceremony) sendTo(ctx context.Context, peer Role, frameType string, body []byte) error {
	frame := Frame{
		Session: c.binding, From: c.self, To: peer, Type: frameType, Seq: c.nextSeq[peer], Body: body,
	}
	c.nextSeq[peer]++
	if err := c.links[peer].Send(ctx, frame); err != nil {
		return interrupted(fmt.Sprintf("a message to the %s could not be sent", peer), err)
	}
	return nil
}

// toOurselves hands a message of one of our stations to the other, as a copy. A station keeps its own messages itself.
func (c *ceremony) toOurselves(r rule, body []byte) ([]delivery, error) {
	var message tss.ParsedMessage
	err := caught(func() (err error) {
		message, err = tss.ParseWireMessage(body, c.ids[c.route(r).from][c.self.Index()], r.broadcast)
		return err
	})
	if err != nil {
		return nil, protocolError("a message of ours could not be read", err)
	}
	return c.deliveries(r, c.self, message), nil
}

func (c *ceremony) deliveries(r rule, from Role, message tss.ParsedMessage) []delivery {
	var out []delivery
	way := c.route(r)
	sender := c.ids[way.from][from.Index()]
	for _, to := range way.to {
		if c.stations[to] == nil || (from == c.self && to == way.from) {
			continue
		}
		routing := tss.MessageRouting{From: sender, IsBroadcast: r.broadcast}
		out = append(out, delivery{c.stations[to], tss.NewMessage(routing, message.Content(), message.WireMsg())})
	}
	return out
}

// collect takes each peer's messages of one round, which every peer sends before it waits for anything.
func (c *ceremony) collect(ctx context.Context, seen *broadcasts) ([]delivery, error) {
	var theirs []delivery
	for _, peer := range c.peers {
		for range c.expected(peer, seen.echo.round) {
			frame, err := c.receive(ctx, peer)
			if err != nil {
				return nil, err
			}
			message, r, err := c.guard.admit(peer, frame)
			if err != nil {
				return nil, err
			}
			// Not even one round ahead: a later broadcast counted into this round would take the place of the
			// one the others are asked about.
			if r.round != seen.echo.round {
				return nil, refusal(peer, r.name, errWrongRound)
			}
			if !c.sends(peer, r) {
				return nil, refusal(peer, r.name, errWrongParty)
			}
			if r.broadcast {
				seen.add(peer, r.name, frame.Body)
			}
			theirs = append(theirs, c.deliveries(r, peer, message)...)
		}
	}
	return theirs, nil
}

// receive takes the next frame of a peer. Nothing is armed in a ceremony, so no frame may say so.
func (c *ceremony) receive(ctx context.Context, peer Role) (Frame, error) {
	frame, err := c.links[peer].Receive(ctx)
	if err != nil {
		return Frame{}, missing(peer, err)
	}
	if frame.Armed != ([32]byte{}) {
		return Frame{}, refusal(peer, "", errWrongArmed)
	}
	return frame, nil
}

func (c *ceremony) expected(peer Role, round int) int {
	count := 0
	for _, r := range c.rules {
		if r.round == round && c.sends(peer, r) {
			count++
		}
	}
	return count
}

func (c *ceremony) compare(ctx context.Context, seen *broadcasts) error {
	want := seen.digest(c.binding)
	for _, peer := range c.peers {
		if err := c.sendTo(ctx, peer, seen.echo.name, want[:]); err != nil {
			return err
		}
	}
	for _, peer := range c.peers {
		frame, err := c.receive(ctx, peer)
		if err != nil {
			return err
		}
		if err := c.guard.admitEcho(peer, frame, seen.echo, want); err != nil {
			return err
		}
	}
	return nil
}

func (c *ceremony) feed(ctx context.Context, all []delivery) error {
	for _, d := range all {
		if err := interruption(ctx, "the context ended during the "+c.name); err != nil {
			return err
		}
		if err := feedParty(d.to.party, d.message); err != nil {
			return err
		}
	}
	return nil
}
