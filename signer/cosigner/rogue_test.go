package cosigner

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// rogueSession is a session as a runtime of the attacker's runs it: nothing is looked at before it is sent.
type rogueSession struct {
	session   signer.Session
	prepared  signer.Prepared
	transport signer.Transport
}

// rogue opens a session and runs it up to its digest.
func (p *party) rogue(t testing.TB) (*rogueSession, error) {
	t.Helper()
	here, there := signer.Pipe()
	t.Cleanup(func() { _ = here.Close() }) // never fails
	return p.rogueOver(t, here, there)
}

func (p *party) rogueOver(t testing.TB, here, there signer.Transport) (*rogueSession, error) {
	t.Helper()
	var ours signer.Opening
	if _, err := io.ReadFull(rand.Reader, ours[:]); err != nil {
		t.Fatal(err)
	}
	answer, err := p.Join(t.Context(), &abi.SessionRequest{Wallet: p.wallet.ID, Agent: "shopper", Opening: ours[:]}, there)
	if err != nil {
		return nil, err
	}
	wallet, err := p.wallet.At(answer.Path)
	if err != nil {
		t.Fatal(err)
	}
	session, err := signer.NewSession(wallet, signer.RoleRuntime, signer.Parties{
		Runtime: ours, CoSigner: signer.Opening(answer.Opening), RuntimeKey: p.ours.Public(), CoSignerKey: p.theirs.Public(),
	})
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := p.engine.Beside().Prepare(t.Context(), session, here)
	return &rogueSession{session, prepared, here}, err
}

// sign sends a record, whatever it says, and goes on as if the co-signer had to accept it.
func (r *rogueSession) sign(ctx context.Context, promise *abi.Armed) (signer.Signature, error) {
	bind, err := signer.BindFrame(r.session, promise)
	if err != nil {
		return signer.Signature{}, err
	}
	if err := r.transport.Send(ctx, bind); err != nil {
		return signer.Signature{}, err
	}
	var digest [32]byte
	copy(digest[:], promise.Digest)
	if digest == ([32]byte{}) {
		digest[0] = 1 // the engine of the tests signs no zero
	}
	return r.prepared.Sign(ctx, digest, bind.Armed, func() error { return nil })
}

// bind asks for a signature of a record and tells with which code the co-signer ended the session, "" for a signature.
func (p *party) bind(t testing.TB, promise *abi.Armed) string {
	t.Helper()
	p.log.take()
	p.sessions.strikes[p.wallet.ID] = new(signer.Strikes) // how often is another test's
	session, err := p.rogue(t)
	if err != nil {
		t.Fatal(err)
	}
	_, err = session.sign(t.Context(), promise)
	select { // the co-signer writes its log before it closes
	case <-session.transport.Done():
	case <-t.Context().Done():
		t.Fatal("the co-signer did not end the session")
	}
	ended := p.log.take()
	switch {
	case err == nil && len(ended) == 0:
		return ""
	case err == nil || len(ended) != 1:
		t.Fatalf("the session ended with %v here and %q in the co-signer's log", err, ended)
	}
	return ended[0]
}

// codes keeps the code of every warning of a co-signer.
type codes struct {
	mu     sync.Mutex
	seen   []string
	alarms []string
}

var _ slog.Handler = (*codes)(nil)

func (c *codes) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (c *codes) WithAttrs([]slog.Attr) slog.Handler               { return c }
func (c *codes) WithGroup(string) slog.Handler                    { return c }

func (c *codes) Handle(_ context.Context, record slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "alarm" {
			c.alarms = append(c.alarms, a.Value.String())
		}
		if a.Key != "code" {
			return true
		}
		c.seen = append(c.seen, a.Value.String())
		return false
	})
	return nil
}

// take returns what was seen since the last call.
func (c *codes) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = nil
	return seen
}

// fresh is 256 random bytes.
func fresh(t testing.TB) []byte {
	t.Helper()
	random := make([]byte, 256)
	if _, err := io.ReadFull(rand.Reader, random); err != nil {
		t.Fatal(err)
	}
	return random
}

func (c *codes) alarmed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alarms
}
