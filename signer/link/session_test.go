package link

import (
	"bytes"
	"context"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func pingPong(t testing.TB, transport signer.Transport, body string) (signer.Frame, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := transport.Send(ctx, frameOf(body)); err != nil {
		return signer.Frame{}, err
	}
	return transport.Receive(ctx)
}

func TestFramesOfEverySizeArriveWholeAndInOrder(t *testing.T) {
	client := open(t, new(desk), hasty).client(t, hasty)
	here := joined(t, client)
	total := 0
	for _, size := range []int{1, 2, 4095, 4096, 16 << 10, 16<<10 + 1, 100_000, signer.FrameBodyBytesMax} {
		sent := signer.Frame{
			Session: [32]byte{1, 2, 3}, Armed: [32]byte{4}, From: signer.RoleRuntime, To: signer.RoleCoSigner,
			Type: "size", Seq: uint32(size), Body: bytes.Repeat([]byte{byte(size)}, size),
		}
		if err := here.Send(t.Context(), sent); err != nil {
			t.Fatal(err)
		}
		got, err := within(t, "receive", func() (signer.Frame, error) { return here.Receive(t.Context()) })
		sent.From, sent.To = sent.To, sent.From
		if err != nil || !cmp.Equal(got, sent) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		total += size
	}
	// A party may send this many before it receives one.
	for i := range signer.FramesInFlightMax {
		if err := here.Send(t.Context(), frameOf(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range signer.FramesInFlightMax {
		got, err := within(t, "receive", func() (signer.Frame, error) { return here.Receive(t.Context()) })
		if err != nil || string(got.Body) != fmt.Sprint(i) {
			t.Fatalf("frame %d: %q %v", i, got.Body, err)
		}
	}
}

// The co-signer's last message is the one that gives the runtime its signature.
func TestWhatAPartySaysLastArrivesThoughItCloses(t *testing.T) {
	heard := make(chan int, 1)
	d := &desk{party: func(transport signer.Transport) {
		frames := 0
		for ; frames < 3; frames++ {
			if _, err := transport.Receive(context.Background()); err != nil {
				break
			}
		}
		heard <- frames
		for i := range 3 {
			back := signer.Frame{From: signer.RoleCoSigner, To: signer.RoleRuntime, Type: "last", Seq: uint32(i), Body: make([]byte, 20_000)}
			if err := transport.Send(context.Background(), back); err != nil {
				t.Error(err)
			}
		}
	}}
	client := open(t, d, hasty).client(t, hasty)
	for range 100 {
		here := joined(t, client)
		for i := range 3 {
			if err := here.Send(t.Context(), frameOf(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if n := <-heard; n != 3 {
			t.Fatalf("the co-signer heard %d", n)
		}
		<-here.Done() // everything it said is here by then, and Receive cannot meet the end first
		for i := range 3 {
			frame, err := here.Receive(t.Context())
			if err != nil || frame.Seq != uint32(i) {
				t.Fatalf("frame %d: %v", i, err)
			}
		}
	}
}

func TestWhatTheRuntimeSaysLastArrivesThoughItCloses(t *testing.T) {
	d := new(desk)
	heard := make(chan int, 1)
	d.party = func(transport signer.Transport) {
		frames := 0
		for {
			if _, err := transport.Receive(context.Background()); err != nil {
				heard <- frames
				return
			}
			frames++
		}
	}
	o := open(t, d, hasty)
	client := o.client(t, hasty)
	for range 100 {
		here := joined(t, client)
		for i := range 3 {
			if err := here.Send(t.Context(), frameOf(strings.Repeat("x", 10_000*(i+1)))); err != nil {
				t.Fatal(err)
			}
		}
		here.Close()
		if n := <-heard; n != 3 {
			t.Fatalf("the co-signer heard %d", n)
		}
	}
}

func TestEitherSideEndsASessionForBoth(t *testing.T) {
	ended := make(chan struct{}, 1)
	hold := make(chan struct{})
	d := &desk{}
	d.party = func(transport signer.Transport) {
		select {
		case <-transport.Done():
		case <-hold:
		}
		ended <- struct{}{}
	}
	o := open(t, d, hasty)
	client := o.client(t, hasty)
	here := joined(t, client)
	here.Close()
	if _, err := within(t, "the co-signer's end", func() (struct{}, error) { return <-ended, nil }); err != nil {
		t.Fatal(err)
	}
	here = joined(t, client)
	close(hold)
	<-ended
	within(t, "the runtime's end", func() (struct{}, error) { return <-here.Done(), nil })
}

func TestAThousandSessionsOpenedAndDroppedLeaveNothing(t *testing.T) {
	o := open(t, new(desk), hasty)
	client := o.client(t, hasty)
	if _, err := pingPong(t, joined(t, client), "warm up"); err != nil {
		t.Fatal(err)
	}
	o.server.endSessions(0)
	eventually(t, "the first session ends", func() bool { return o.open() == 0 && client.open() == 0 })
	before := goruntime.NumGoroutine()
	var opening sync.WaitGroup
	for worker := range 10 {
		opening.Go(func() {
			for i := range 100 {
				here, there := signer.Pipe()
				if _, err := client.Join(t.Context(), sessionRequest(), there); err != nil {
					t.Error(err)
					return
				}
				if i%3 == worker%3 {
					if err := here.Send(t.Context(), frameOf("and gone")); err != nil {
						t.Error(err)
					}
				}
				here.Close()
			}
		})
	}
	opening.Wait()
	eventually(t, "both sides forget them", func() bool { return o.open() == 0 && client.open() == 0 })
	eventually(t, "goroutines return", func() bool { return goruntime.NumGoroutine() <= before+2 })
}

func (o *office) open() int {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	return len(o.server.sessions)
}

func (c *Client) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions
}

func TestShutdownLetsASignatureFinishAndDropsWhatWaits(t *testing.T) {
	times := hasty
	times.quiet = time.Second
	o := open(t, new(desk), times)
	client := o.client(t, hasty)
	waiting, busy := joined(t, client), joined(t, client)
	if _, err := pingPong(t, waiting, "prepared"); err != nil {
		t.Fatal(err)
	}
	stop, talked := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			if _, err := pingPong(t, busy, "more"); err != nil {
				talked <- err
				return
			}
			select {
			case <-stop:
				talked <- busy.Close()
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	down := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		down <- o.server.Shutdown(ctx)
	}()
	within(t, "the waiting session's end", func() (struct{}, error) { return <-waiting.Done(), nil })
	_, there := signer.Pipe()
	if _, err := client.Join(t.Context(), sessionRequest(), there); err == nil {
		t.Error("a session was opened during shutdown")
	}
	close(stop)
	if err := <-talked; err != nil {
		t.Errorf("the busy session was cut off: %v", err)
	}
	if _, err := within(t, "shutdown", func() (struct{}, error) { return struct{}{}, <-down }); err != nil {
		t.Error(err)
	}
}

func TestAClosedClientSaysSo(t *testing.T) {
	client := open(t, new(desk), hasty).client(t, hasty)
	here := joined(t, client)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, "the session's end", func() (struct{}, error) { return <-here.Done(), nil })
	_, err := client.Consult(t.Context(), consultRequest("p"))
	codeIs(t, err, CodeClosed)
	_, there := signer.Pipe()
	_, err = client.Join(t.Context(), sessionRequest(), there)
	codeIs(t, err, CodeClosed)
	_, _, err = client.Skew(t.Context())
	codeIs(t, err, CodeClosed)
}

func TestSessionsOfAClientAreBounded(t *testing.T) {
	o := open(t, new(desk), hasty)
	client := o.client(t, hasty)
	for range sessionsMax {
		joined(t, client)
	}
	_, there := signer.Pipe()
	_, err := client.Join(t.Context(), sessionRequest(), there)
	if got := codeIs(t, err, CodeBusy); got.Retry != abi.RetryLater {
		t.Errorf("retry %s", got.Retry)
	}
	// They all share connections with calls.
	if _, err := client.Consult(t.Context(), consultRequest("p")); err != nil {
		t.Error(err)
	}
}
