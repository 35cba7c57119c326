package mpc

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// With three parties a broadcast is two frames, and a dishonest sender can put different things into them. After
// every round the parties therefore compare a hash of all broadcasts of that round, their own included, and nobody
// gives a message to the library before all three agree.

const echoBytes = sha256.Size

var errSplitView = errors.New("the sender saw other broadcasts than we did")

// echoRulesOf are the frames of that comparison, one for each round of a protocol: "keygen1-echo" and so on. They are
// no messages of the library.
func echoRulesOf(protocol string, rounds int) []rule {
	rules := make([]rule, rounds)
	for i := range rules {
		rules[i] = rule{name: fmt.Sprintf("%s%d-echo", protocol, i+1), round: i + 1, broadcast: true, bodyBytesMax: echoBytes}
	}
	return rules
}

// broadcasts collects the broadcasts of each party in one round, in the order in which the party made them.
type broadcasts struct {
	echo rule
	seen [partyCount][32]byte // chains of hashes, by Role.index
}

func (b *broadcasts) add(from Role, name string, body []byte) {
	chain := &b.seen[from.Index()]
	data := append(chain[:], byte(len(name))) // #nosec G115 -- one of our own names
	data = append(data, name...)
	content := sha256.Sum256(body)
	*chain = sha256.Sum256(append(data, content[:]...))
}

func (b *broadcasts) digest(binding [32]byte) [32]byte {
	data := []byte("purser/mpc/v2/" + b.echo.name)
	data = append(data, binding[:]...)
	data = binary.BigEndian.AppendUint32(data, partyCount)
	for _, chain := range b.seen {
		data = append(data, chain[:]...)
	}
	return sha256.Sum256(data)
}

// admitEcho checks one frame of the comparison.
func (g *guard) admitEcho(peer Role, frame Frame, echo rule, want [32]byte) error {
	r, err := g.envelope(peer, frame)
	switch {
	case err != nil:
	case r.name != echo.name:
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
