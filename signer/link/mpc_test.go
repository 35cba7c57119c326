package link

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/linktest"
	"github.com/purserhq/purser/signer/mpc"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

// counterpart is a co-signer with a real share: it runs its party of each session and signs what both sides signed.
type counterpart struct {
	desk
	wallet       signer.Wallet
	engine       signer.Engine
	identity     signer.Identity
	runtime      signer.Identity
	mu           sync.Mutex
	sent, heard  int
	lastProblems []error
}

func (c *counterpart) Join(_ context.Context, request *abi.SessionRequest, transport signer.Transport) (*abi.SessionAnswer, error) {
	var ours signer.Opening
	if _, err := io.ReadFull(rand.Reader, ours[:]); err != nil {
		return nil, err
	}
	session, err := signer.NewSession(c.wallet, signer.RoleCoSigner, signer.Parties{
		Runtime: signer.Opening(request.Opening), CoSigner: ours, RuntimeKey: c.runtime.Public(), CoSignerKey: c.identity.Public(),
	})
	if err != nil {
		return nil, err
	}
	c.working.Go(func() {
		defer transport.Close()
		if err := c.run(session, transport); err != nil && !errors.Is(err, signer.ErrTransportClosed) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.lastProblems = append(c.lastProblems, err)
		}
	})
	return &abi.SessionAnswer{Opening: ours[:], Epoch: uint64(c.wallet.Epoch), ReadyMax: 2}, nil
}

func (c *counterpart) run(session signer.Session, transport signer.Transport) error {
	counted := &counting{Transport: transport}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.sent, c.heard = max(c.sent, counted.sent), max(c.heard, counted.heard)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	prepared, err := c.engine.Prepare(ctx, session, counted)
	if err != nil {
		return err
	}
	frame, err := counted.Receive(ctx)
	if err != nil {
		return err
	}
	armed, hash, err := signer.ReadBind(session, frame)
	if err != nil {
		return err
	}
	if err := errors.Join(signer.VerifyArmed(armed, signer.RoleCoSigner, c.identity.Public()), signer.VerifyArmed(armed, signer.RoleRuntime, c.runtime.Public())); err != nil {
		return err
	}
	_, err = prepared.Sign(ctx, [32]byte(armed.Digest), hash, func() error { return nil })
	return err
}

// counting measures what a real session needs, which sessionBytesMax must allow.
type counting struct {
	signer.Transport
	sent, heard int
}

func (c *counting) Send(ctx context.Context, frame signer.Frame) error {
	c.sent += len(frame.Body)
	return c.Transport.Send(ctx, frame)
}

func (c *counting) Receive(ctx context.Context) (signer.Frame, error) {
	frame, err := c.Transport.Receive(ctx)
	c.heard += len(frame.Body)
	return frame, err
}

// firm is a runtime's signer, through the link, and the co-signer that it needs.
type firm struct {
	pair        *signer.Pair
	counterpart *counterpart
	client      *Client
	network     *linktest.Proxy
}

func newFirm(t testing.TB, oneWay time.Duration) *firm {
	t.Helper()
	var runtime, cosigner signer.Engine
	for role, party := range map[mpc.Role]*signer.Engine{mpc.Runtime: &runtime, mpc.CoSigner: &cosigner} {
		engine, err := mpc.New(mpc.Config{})
		if err != nil {
			t.Fatal(err)
		}
		share, err := demowallet.Share(role)
		if err != nil {
			t.Fatal(err)
		}
		*party = mpc.NewParty(engine, share)
	}
	wallet := signer.Wallet{ID: demowallet.WalletID, PublicKey: runtime.PublicKey()}
	c := &counterpart{wallet: wallet, engine: cosigner}
	for _, identity := range []*signer.Identity{&c.identity, &c.runtime} {
		var err error
		if *identity, err = signer.NewIdentity(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	o := open(t, &c.desk, productTiming, func(config *ServerConfig) { config.CoSigner = c })
	f := &firm{counterpart: c}
	f.client, f.network = o.through(t, oneWay, productTiming)
	var err error
	f.pair, err = signer.NewPair(signer.PairConfig{
		Wallet: wallet, Engine: runtime, CoSigner: f.client, Identity: c.runtime, CoSignerKey: c.identity.Public(), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.pair.Close() })
	return f
}

func (f *firm) armed(t testing.TB, payment string) *abi.Armed {
	t.Helper()
	c := f.counterpart
	digest := sha256.Sum256([]byte(payment))
	armed, err := signer.Promise(&abi.ArmRequest{Intent: &abi.Intent{Payment: payment}, Quote: &abi.Quote{}, Wallet: c.wallet.ID}, digest, 1)
	if err != nil {
		t.Fatal(err)
	}
	armed.Epoch = uint64(c.wallet.Epoch)
	if err := errors.Join(signer.SignArmed(armed, signer.RoleCoSigner, c.identity), signer.SignArmed(armed, signer.RoleRuntime, c.runtime)); err != nil {
		t.Fatal(err)
	}
	return armed
}

func TestRealPartiesSignAcrossTheLink(t *testing.T) {
	f := newFirm(t, 5*time.Millisecond)
	for _, payment := range []string{"pay_1", "pay_2"} {
		armed := f.armed(t, payment)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		signature, err := f.pair.Sign(ctx, "shopper", armed)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if err := signature.Verify(f.counterpart.wallet.PublicKey, [32]byte(armed.Digest)); err != nil {
			t.Error(err)
		}
		eventually(t, "a session is ready for the next", func() bool { return f.pair.Status().Ready > 0 })
	}
	status := f.pair.Status()
	if status.Warm != 1 || status.Cold != 1 {
		t.Errorf("one signature is cold and one warm, not %+v", status)
	}
	// A session that waits is not forgotten when the network breaks, but dropped: the next payment must not meet it.
	f.network.Cut()
	eventually(t, "a broken session is dropped", func() bool { return f.pair.Status().Dropped > 0 })
	if err := f.pair.Close(); err != nil {
		t.Error(err)
	}
	f.counterpart.working.Wait()
	f.counterpart.mu.Lock()
	defer f.counterpart.mu.Unlock()
	t.Logf("a session sends %d bytes and receives %d", f.counterpart.sent, f.counterpart.heard)
	if most := max(f.counterpart.sent, f.counterpart.heard); 8*most > sessionBytesMax {
		t.Errorf("an honest session has %d bytes in one direction: the bound of %d is close", most, sessionBytesMax)
	}
}

// percentiles reports a benchmark's p50, p95 and p99 in microseconds.
func percentiles(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	for _, p := range []struct {
		name string
		per  int
	}{{"p50-µs", 50}, {"p95-µs", 95}, {"p99-µs", 99}} {
		b.ReportMetric(float64(took[(len(took)-1)*p.per/100].Microseconds()), p.name) //nolint:forbidigo // the testing package wants a float
	}
}

func benchmarkLink(b *testing.B, oneWay time.Duration, each func(*testing.B, *Client) func()) {
	o := open(b, new(desk), productTiming)
	client := o.client(b, productTiming)
	if oneWay > 0 {
		client, _ = o.through(b, oneWay, productTiming)
	}
	once := each(b, client)
	once()
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		started := time.Now()
		once()
		took = append(took, time.Since(started))
	}
	percentiles(b, took)
}

// consulting is a call of a real one's size.
func consulting(b *testing.B, client *Client) func() {
	request := consultRequest("pay_1")
	request.Intent.Agent = "shopper"
	request.Quote.Requirement = make([]byte, 1500)
	return func() {
		if _, err := client.Consult(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}

func pingPonging(bytes int) func(*testing.B, *Client) func() {
	return func(b *testing.B, client *Client) func() {
		here := joined(b, client)
		body := string(make([]byte, bytes))
		sent := 0
		return func() {
			if sent += bytes; sent > sessionBytesMax/2 { // a session has a bounded number of bytes
				here, sent = joined(b, client), bytes
			}
			if _, err := pingPong(b, here, body); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkConsult(b *testing.B)        { benchmarkLink(b, 0, consulting) }
func BenchmarkConsultRTT40(b *testing.B)   { benchmarkLink(b, 20*time.Millisecond, consulting) }
func BenchmarkFrame300B(b *testing.B)      { benchmarkLink(b, 0, pingPonging(300)) }
func BenchmarkFrame8kB(b *testing.B)       { benchmarkLink(b, 0, pingPonging(8<<10)) }
func BenchmarkFrame300BRTT40(b *testing.B) { benchmarkLink(b, 20*time.Millisecond, pingPonging(300)) }

func BenchmarkWarmSignature(b *testing.B)      { benchmarkWarm(b, 0) }
func BenchmarkWarmSignatureRTT40(b *testing.B) { benchmarkWarm(b, 20*time.Millisecond) }

func benchmarkWarm(b *testing.B, oneWay time.Duration) {
	f := newFirm(b, oneWay)
	armed := f.armed(b, "pay_1")
	f.pair.Expect("shopper")
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		b.StopTimer()
		eventually(b, "the pool is full again", func() bool { status := f.pair.Status(); return status.Ready > 0 && status.Preparing == 0 })
		b.StartTimer()
		started := time.Now()
		if _, err := f.pair.Sign(b.Context(), "shopper", armed); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(started))
	}
	percentiles(b, took)
	if status := f.pair.Status(); status.Cold > 0 {
		b.Errorf("%d of them were cold", status.Cold)
	}
}
