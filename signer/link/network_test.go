package link

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/link/linktest"
)

// through puts a network between the client and the server.
func (o *office) through(t testing.TB, oneWay time.Duration, times timing) (*Client, *linktest.Proxy) {
	t.Helper()
	network, err := linktest.Open(o.address, oneWay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { network.Close() })
	return o.clientAt(t, network.Address(), times), network
}

func unreachable(t testing.TB, err error) {
	t.Helper()
	if got := codeIs(t, err, CodeUnreachable); got.Retry != abi.RetryLater || got.Fix == "" {
		t.Errorf("got %+v", got)
	}
}

// everything asks all that can be asked and wants the same error from each.
func everything(t testing.TB, client *Client, check func(testing.TB, error)) {
	t.Helper()
	calls := map[string]func() error{
		"consult": func() error { _, err := client.Consult(t.Context(), consultRequest("p")); return err },
		"arm": func() error {
			_, err := client.Arm(t.Context(), &abi.ArmRequest{Intent: &abi.Intent{}, Quote: &abi.Quote{}})
			return err
		},
		"disclaim": func() error { _, err := client.Disclaim(t.Context(), &abi.Armed{Payment: "p"}); return err },
		"join": func() error {
			here, there := signer.Pipe()
			defer here.Close()
			_, err := client.Join(t.Context(), sessionRequest(), there)
			return err
		},
		"skew": func() error { _, _, err := client.Skew(t.Context()); return err },
	}
	errs := make(map[string]error)
	var mu sync.Mutex
	var asking sync.WaitGroup
	for name, call := range calls {
		asking.Go(func() {
			_, err := within(t, name, func() (struct{}, error) { return struct{}{}, call() })
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	asking.Wait()
	for _, err := range errs {
		check(t, err)
	}
}

func TestACoSignerThatIsAwayIsAClearErrorAndComesBack(t *testing.T) {
	o := open(t, new(desk), hasty)
	client, network := o.through(t, 0, hasty)
	everything(t, client, func(t testing.TB, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("before: %v", err)
		}
	})
	here := joined(t, client)
	network.Partition()
	within(t, "the session's end", func() (struct{}, error) { return <-here.Done(), nil })
	everything(t, client, unreachable)
	network.Heal()
	if _, err := client.Consult(t.Context(), consultRequest("p")); err != nil {
		t.Errorf("after: %v", err)
	}
	if _, err := pingPong(t, joined(t, client), "again"); err != nil {
		t.Errorf("a session after: %v", err)
	}
}

// Nothing arrives and nothing is closed: only pings and deadlines notice.
func TestAHalfOpenPeerIsNoticedByBothSides(t *testing.T) {
	o := open(t, new(desk), pinged)
	client, network := o.through(t, 0, pinged)
	here := joined(t, client)
	if _, err := pingPong(t, here, "well"); err != nil {
		t.Fatal(err)
	}
	network.Freeze()
	everything(t, client, unreachable)
	within(t, "the runtime's session", func() (struct{}, error) { return <-here.Done(), nil })
	eventually(t, "the co-signer's sessions end", func() bool { return o.open() == 0 })
	eventually(t, "the co-signer forgets the connections", func() bool { return o.connections() == 0 })
	network.Thaw()
	if _, err := client.Consult(t.Context(), consultRequest("p")); err != nil {
		t.Errorf("after: %v", err)
	}
}

func (o *office) connections() (all int) {
	o.server.peers.mu.Lock()
	defer o.server.peers.mu.Unlock()
	for _, count := range o.server.peers.known {
		all += count.connections
	}
	return all
}

// The handshake itself meets a wall.
func TestACoSignerThatNeverAnswersCostsABoundedTime(t *testing.T) {
	o := open(t, new(desk), hasty)
	client, network := o.through(t, 0, hasty)
	network.Freeze()
	everything(t, client, unreachable)
}

func TestACallerThatGivesUpIsAnsweredAtOnce(t *testing.T) {
	entered, release := make(chan struct{}, 4), make(chan struct{})
	defer close(release)
	d := &desk{consult: func(ctx context.Context, _ *abi.ConsultRequest) (*abi.Decision, error) {
		entered <- struct{}{}
		select {
		case <-ctx.Done():
		case <-release:
		}
		return nil, ctx.Err()
	}}
	times := hasty
	times.call = time.Minute
	o := open(t, d, times)
	client := o.client(t, times)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := client.Consult(ctx, consultRequest("p")); done <- err }()
	<-entered
	cancel()
	_, err := within(t, "the caller", func() (struct{}, error) { return struct{}{}, <-done })
	unreachable(t, err)
	// Its own deadline counts too, and the co-signer stops working for nobody.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = within(t, "the caller", func() (*abi.Decision, error) { return client.Consult(ctx, consultRequest("p")) })
	unreachable(t, err)
	eventually(t, "the co-signer stops", func() bool { return len(o.server.calls) == 0 })
}

func TestASlowNetworkIsNoBrokenOne(t *testing.T) {
	times := hasty
	times.call, times.opening, times.pingAnswer = 20*time.Second, 20*time.Second, 20*time.Second
	o := open(t, new(desk), times)
	client, _ := o.through(t, 60*time.Millisecond, times)
	if _, err := client.Consult(t.Context(), consultRequest("p")); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if frame, err := pingPong(t, joined(t, client), strings.Repeat("x", 50_000)); err != nil || len(frame.Body) != 50_000 {
		t.Errorf("%v", err)
	}
	if took := time.Since(started); took < 120*time.Millisecond {
		t.Errorf("the network delays nothing: %s", took)
	}
}

func TestARestartOfTheCoSignerIsBridged(t *testing.T) {
	h := newHouse(t)
	first := openIn(t, h, new(desk), hasty)
	times := hasty
	times.bridge, times.call = 15*time.Second, 20*time.Second
	client, network := first.through(t, 0, times)
	if _, err := client.Consult(t.Context(), consultRequest("p")); err != nil {
		t.Fatal(err)
	}
	network.Partition()
	answered := make(chan error, 1)
	go func() { _, err := client.Consult(t.Context(), consultRequest("p")); answered <- err }()
	first.stop()
	second := openIn(t, h, new(desk), hasty)
	network.SetTarget(second.address)
	time.Sleep(100 * time.Millisecond)
	network.Heal()
	if _, err := within(t, "the call", func() (struct{}, error) { return struct{}{}, <-answered }); err != nil {
		t.Error(err)
	}
}

// Sessions and calls all the while, on a network that breaks, stalls and comes back: nothing hangs, and nothing is left.
func TestABadNetworkLeavesNothingBehind(t *testing.T) {
	o := open(t, new(desk), hasty)
	client, network := o.through(t, time.Millisecond, hasty)
	if _, err := client.Consult(t.Context(), consultRequest("warm up")); err != nil {
		t.Fatal(err)
	}
	before := goruntime.NumGoroutine()
	stop := make(chan struct{})
	var working sync.WaitGroup
	for worker := range 4 {
		working.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if worker%2 == 0 {
					_, err := client.Consult(t.Context(), consultRequest(fmt.Sprint(i)))
					if err != nil && abi.CodeOf(err) != CodeUnreachable && abi.CodeOf(err) != CodeUntrusted {
						t.Errorf("consult: %v", err)
					}
					continue
				}
				here, there := signer.Pipe()
				if _, err := client.Join(t.Context(), sessionRequest(), there); err == nil {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					for range 3 {
						if here.Send(ctx, frameOf("x")) != nil {
							break
						}
						if _, err := here.Receive(ctx); err != nil {
							break
						}
					}
					cancel()
				}
				here.Close()
			}
		})
	}
	for range 4 {
		time.Sleep(100 * time.Millisecond)
		network.Cut()
		time.Sleep(100 * time.Millisecond)
		network.Freeze()
		time.Sleep(200 * time.Millisecond)
		network.Thaw()
		network.Partition()
		time.Sleep(50 * time.Millisecond)
		network.Heal()
	}
	close(stop)
	within(t, "the workers", func() (struct{}, error) { working.Wait(); return struct{}{}, nil })
	eventually(t, "both sides forget the sessions", func() bool { return o.open() == 0 && client.open() == 0 })
	network.Cut()
	eventually(t, "connections are forgotten", func() bool { return o.connections() == 0 })
	eventually(t, "goroutines return", func() bool { return goruntime.NumGoroutine() <= before })
	if _, err := client.Consult(t.Context(), consultRequest("after")); err != nil {
		t.Errorf("after: %v", err)
	}
}
