package mpc

import (
	"crypto/sha256"
	"errors"
)

// With three parties a broadcast is two frames, and a dishonest sender can put different things into them. After
// every round the parties therefore compare a hash of all broadcasts of that round, their own included, and nobody
// gives a message to the library before all three agree.

const echoBytes = sha256.Size

var errSplitView = errors.New("the sender saw other broadcasts than we did")

// echoRules are the frames of that comparison. They are no messages of the library.
var echoRules = []rule{
	{name: "keygen1-echo", round: 1, broadcast: true, bodyBytesMax: echoBytes},
	{name: "keygen2-echo", round: 2, broadcast: true, bodyBytesMax: echoBytes},
	{name: "keygen3-echo", round: 3, broadcast: true, bodyBytesMax: echoBytes},
}

// broadcasts collects the broadcast of each party in one round.
type broadcasts struct {
	round  int
	bodies [partyCount][32]byte // hashes, by Role.index
}

func (b *broadcasts) add(from Role, body []byte) { b.bodies[from.Index()] = sha256.Sum256(body) }

func (b *broadcasts) digest(binding [32]byte) [32]byte {
	data := []byte("purser/mpc/v1/" + echoRules[b.round-1].name)
	data = append(data, binding[:]...)
	for _, body := range b.bodies {
		data = append(data, body[:]...)
	}
	return sha256.Sum256(data)
}

// admitEcho checks one frame of the comparison.
func (g *guard) admitEcho(peer Role, frame Frame, round int, want [32]byte) error {
	r, err := g.envelope(peer, frame)
	switch {
	case err != nil:
	case r.wire != "" || r.round != round:
		err = errWrongRound
	case len(frame.Body) != echoBytes:
		err = errWrongSize
	case [32]byte(frame.Body) != want:
		err = errSplitView
	}
	if err != nil {
		return g.refuse(peer, frame, err)
	}
	return nil
}
