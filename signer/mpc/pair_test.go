package mpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/signer"
)

// sessionTimeMax only keeps a broken test from hanging; no test depends on how long anything takes.
const sessionTimeMax = 2 * time.Minute

var demoShares sync.Map // Role -> Keyshare, immutable

func demoShare(t testing.TB, role Role) Keyshare {
	t.Helper()
	if share, ok := demoShares.Load(role); ok {
		return share.(Keyshare)
	}
	data, err := os.ReadFile(fmt.Sprintf("demowallet/share%d.bin", role))
	if err != nil {
		t.Fatal(err)
	}
	var share Keyshare
	if err := share.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	demoShares.Store(role, share)
	return share
}

func newEngine(t testing.TB) *Engine {
	t.Helper()
	engine, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

func freshID() (id [32]byte) {
	_, _ = rand.Read(id[:]) // never fails, see crypto/rand
	return id
}

// party is one side of a session under test.
type party struct {
	session Session
	share   Keyshare
	digest  [32]byte
	// armed is the hash of the record that both sides signed.
	armed      [32]byte
	transport  Transport
	beforeLast func() error
}

type outcome struct {
	signature Signature
	err       error
}

// pair returns two honest sides of one session, a being the lower role.
func pair(t testing.TB, a, b Role, digest [32]byte) (party, party) {
	t.Helper()
	id := freshID()
	left, right := signer.Pipe()
	side := func(self, peer Role, end Transport) party {
		return party{
			session: Session{ID: id, Wallet: "demo", Self: self, Peer: peer},
			share:   demoShare(t, self), digest: digest, armed: [32]byte{31: 7}, transport: end,
			beforeLast: func() error { return nil },
		}
	}
	return side(a, b, left), side(b, a, right)
}

// sign runs one side of a session from its start to its end.
func (p party) sign(ctx context.Context, engine *Engine) (Signature, error) {
	prepared, err := engine.Prepare(ctx, p.session, p.share, p.transport)
	if err != nil {
		return Signature{}, err
	}
	return prepared.Sign(ctx, p.digest, p.armed, p.beforeLast)
}

// signBoth runs both sides. A side that fails ends the other one, as a closed connection would.
func signBoth(t testing.TB, engine *Engine, a, b party) (outcome, outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sessionTimeMax)
	defer cancel()
	var outcomes [2]outcome
	var done sync.WaitGroup
	for i, p := range []party{a, b} {
		done.Go(func() {
			o := &outcomes[i]
			o.signature, o.err = p.sign(ctx, engine)
			if o.err != nil {
				_ = p.transport.Close() // a pipe's Close never fails
			}
		})
	}
	done.Wait()
	return outcomes[0], outcomes[1]
}

// meddler changes what a transport receives or sends.
type meddler struct {
	Transport
	received func(Frame) Frame
	sent     func(Frame) error
}

func (m meddler) Receive(ctx context.Context) (Frame, error) {
	frame, err := m.Transport.Receive(ctx)
	if err == nil && m.received != nil {
		frame = m.received(frame)
	}
	return frame, err
}

func (m meddler) Send(ctx context.Context, frame Frame) error {
	if m.sent != nil {
		if err := m.sent(frame); err != nil {
			return err
		}
	}
	return m.Transport.Send(ctx, frame)
}
