package mpc

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/signer"
)

// edParty is one side of an Ed25519 session under test.
type edParty struct {
	session    Session
	share      EdKeyshare
	message    []byte
	armed      [32]byte
	transport  Transport
	beforeLast func() error
}

type edOutcome struct {
	signature EdSignature
	err       error
}

func edPair(t testing.TB, a, b Role, message []byte) (edParty, edParty) {
	t.Helper()
	shares, id := edShares(t), freshID()
	left, right := signer.Pipe()
	side := func(self, peer Role, end Transport) edParty {
		return edParty{
			session: Session{ID: id, Wallet: "ed", Self: self, Peer: peer}, share: shares[self.Index()],
			message: message, armed: [32]byte{1}, transport: end, beforeLast: nothingToRecord,
		}
	}
	return side(a, b, left), side(b, a, right)
}

func (p edParty) sign(ctx context.Context, engine *Engine) (EdSignature, error) {
	return engine.SignEdDSA(ctx, p.session, p.share, p.message, p.armed, p.transport, p.beforeLast)
}

// edSignBoth runs both sides. A side that fails ends the other one, as a closed connection would.
func edSignBoth(t testing.TB, engine *Engine, a, b edParty) (edOutcome, edOutcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sessionTimeMax)
	defer cancel()
	var outcomes [2]edOutcome
	var done sync.WaitGroup
	for i, p := range []edParty{a, b} {
		done.Go(func() {
			outcomes[i].signature, outcomes[i].err = p.sign(ctx, engine)
			if outcomes[i].err != nil && p.transport != nil {
				_ = p.transport.Close() // a pipe's Close never fails
			}
		})
	}
	done.Wait()
	return outcomes[0], outcomes[1]
}

func TestAnyTwoRolesSignEd25519AndTheStandardLibraryAgrees(t *testing.T) {
	engine := newEngine(t)
	messages := map[string][]byte{
		"a message":              []byte("pay 1 lamport"),
		"leading zeros":          {0, 0, 0, 7},
		"only zeros":             make([]byte, 32),
		"one byte":               {0},
		"as long as one may be":  append([]byte{0}, make([]byte, EdMessageBytesMax-1)...),
		"all ones, also on top":  {0xff, 0xff, 0xff, 0xff},
		"a digest-sized message": append(make([]byte, 31), 1),
	}
	roles := epochPairs[:]
	i := 0
	for name, message := range messages {
		pair := roles[i%len(roles)]
		i++
		t.Run(name, func(t *testing.T) {
			a, b := edPair(t, pair[0], pair[1], message)
			oa, ob := edSignBoth(t, engine, a, b)
			if oa.err != nil || ob.err != nil {
				t.Fatalf("errors: %v; %v", oa.err, ob.err)
			}
			if oa.signature != ob.signature {
				t.Error("the two sides hold different signatures")
			}
			key := a.share.PublicKey()
			if !ed25519.Verify(key[:], message, oa.signature[:]) {
				t.Error("the standard library refuses the signature")
			}
			if ed25519.Verify(key[:], append([]byte{0}, message...), oa.signature[:]) {
				t.Error("the signature holds for a message with one more leading zero")
			}
		})
	}
}

func BenchmarkEdDSAKeygen(b *testing.B) {
	engine := newEngine(b)
	latency.Measure(b, time.Millisecond, func() error {
		_, failures := edKeygen(b, engine, freshID(), newTrio())
		return errors.Join(failures[:]...)
	})
}

func BenchmarkEdDSASignature(b *testing.B) {
	engine := newEngine(b)
	message := make([]byte, 300)
	latency.Measure(b, time.Millisecond, func() error {
		x, y := edPair(b, Runtime, CoSigner, message)
		ox, oy := edSignBoth(b, engine, x, y)
		return errors.Join(ox.err, oy.err)
	})
}
