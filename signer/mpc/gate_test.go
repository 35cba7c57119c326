package mpc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/purserhq/purser/abi"
)

// In a bubble of synctest the clock moves only when every goroutine waits, so nothing here depends on how fast it runs.

func hurriedNow() <-chan struct{} {
	now := make(chan struct{})
	close(now)
	return now
}

func TestOfflineArithmeticIsBoundedAndWhoeverWaitsForASessionGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{coresMax: 3, aheadMax: 2}
		ahead := make(chan struct{}) // nobody hurries
		var running, most atomic.Int64
		var mu sync.Mutex
		var order []string
		var done sync.WaitGroup
		step := func(name string, hurry <-chan struct{}) {
			done.Go(func() {
				err := g.run(t.Context(), hurry, func() error {
					mu.Lock()
					order = append(order, name)
					mu.Unlock()
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Second)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range 5 {
			step("ahead", ahead)
		}
		if running.Load() != 2 {
			t.Errorf("%d at once ahead of their payments", running.Load())
		}
		step("cold", nil)
		step("hurried", hurriedNow())
		if running.Load() != 3 {
			t.Errorf("%d at once, with one that somebody waits for", running.Load())
		}
		done.Wait()
		if want := []string{"ahead", "ahead", "cold", "hurried", "ahead", "ahead", "ahead"}; !slices.Equal(order, want) {
			t.Errorf("order %q", order)
		}
		if most.Load() != 3 || g.running != 0 || len(g.waiting) != 0 {
			t.Errorf("%d at once at most, %d left running, %d waiting", most.Load(), g.running, len(g.waiting))
		}
	})
}

func TestNoArithmeticAheadBeginsWhileASignatureIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		first, second := g.pause(), g.pause()
		var began atomic.Bool
		var done sync.WaitGroup
		done.Go(func() {
			if err := g.run(t.Context(), make(chan struct{}), func() error { began.Store(true); return nil }); err != nil {
				t.Error(err)
			}
		})
		if err := g.run(t.Context(), nil, func() error { return nil }); err != nil { // a cold session is not held back
			t.Error(err)
		}
		first()
		synctest.Wait()
		if began.Load() {
			t.Error("it began while another signature was on its way")
		}
		second()
		done.Wait()
		if !began.Load() {
			t.Error("it never began")
		}
	})
}

func TestASessionThatBeginsToHurryLeavesTheQueueOfThoseThatDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{coresMax: 2, aheadMax: 1}
		resume := g.pause()
		defer resume()
		hurry := make(chan struct{})
		entered := make(chan error, 1)
		go func() { entered <- g.enter(t.Context(), hurry) }()
		synctest.Wait()
		close(hurry)
		if err := <-entered; err != nil {
			t.Fatal(err)
		}
		g.leave()
	})
}

func TestAWaiterThatGivesUpTakesNoCore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{coresMax: 1, aheadMax: 1}
		if err := g.enter(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- g.enter(ctx, nil) }()
		synctest.Wait()
		cancel()
		if err := <-gaveUp; abi.CodeOf(err) != CodeInterrupted || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		// One that is let in at the moment it gives up hands its core on.
		w := &gateWaiter{open: make(chan struct{})}
		g.running++
		if err := g.forsake(ctx, w); err == nil {
			t.Error("it did not give up")
		}
		g.leave()
		if g.running != 0 || len(g.waiting) != 0 {
			t.Errorf("%d running, %d waiting", g.running, len(g.waiting))
		}
	})
}

func TestTheQueueForACoreIsBounded(t *testing.T) {
	g := &gate{coresMax: 1, aheadMax: 1, waiting: make([]*gateWaiter, offlineWaitersMax)}
	if err := g.enter(t.Context(), nil); abi.CodeOf(err) != CodeInterrupted {
		t.Errorf("got %v", err)
	}
}

func TestFramesOfASessionThatNobodyWaitsForLeaveOnTheGrid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		g := grid{start: start, hurry: make(chan struct{})}
		for _, took := range []time.Duration{0, time.Millisecond, replyGrid - 1, replyGrid, 3*replyGrid + 7} {
			time.Sleep(took) // the arithmetic
			if err := g.wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if off := time.Since(start) % replyGrid; off != 0 {
				t.Errorf("after %v of work a frame left %v beside the grid", took, off)
			}
		}
	})
}

func TestTheGridLetsGoWhenSomebodyWaitsOrTheSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		ended := make(chan struct{})
		close(ended)
		start := time.Now()
		never := make(chan struct{})
		for name, wait := range map[string]func() error{
			"cold":             func() error { return grid{start, nil}.wait(t.Context(), nil) },
			"hurried":          func() error { return grid{start, hurriedNow()}.wait(t.Context(), nil) },
			"a dead transport": func() error { return grid{start, never}.wait(t.Context(), ended) },
			"an ended context": func() error { return grid{start, never}.wait(gone, nil) },
			"hurried meanwhile": func() error {
				hurry := make(chan struct{})
				time.AfterFunc(0, func() { close(hurry) })
				return grid{start, hurry}.wait(t.Context(), nil)
			},
		} {
			err := wait()
			if (err != nil) != (name == "an ended context") {
				t.Errorf("%s: %v", name, err)
			}
			if time.Since(start) != 0 {
				t.Errorf("%s: waited %v", name, time.Since(start))
			}
		}
	})
}

// The whole engine in a bubble: what leaves before the digest is on the grid and nothing after it is.
func TestAPreparedSessionKeepsToTheGridAndItsSignatureDoesNot(t *testing.T) {
	honestSession(t) // loads what is shared outside the bubble
	synctest.Test(t, func(t *testing.T) {
		engine := newEngine(t)
		a, b := pair(t, Runtime, CoSigner, [32]byte{1})
		a.session.Hurry, b.session.Hurry = make(chan struct{}), make(chan struct{})
		start := time.Now()
		var mu sync.Mutex
		times := map[bool][]time.Duration{}
		note := func(f Frame) error {
			mu.Lock()
			defer mu.Unlock()
			online := f.Armed != [32]byte{}
			times[online] = append(times[online], time.Since(start))
			return nil
		}
		a.transport, b.transport = meddler{Transport: a.transport, sent: note}, meddler{Transport: b.transport, sent: note}
		x, y := prepareBoth(t, engine, a, b)
		waiting := time.Since(start)
		time.Sleep(time.Millisecond) // off the grid
		oa, ob := finishBoth(t, a, b, x, y)
		if oa.err != nil || ob.err != nil {
			t.Fatalf("errors: %v; %v", oa.err, ob.err)
		}
		for _, at := range times[false] {
			if at == 0 || at%replyGrid != 0 {
				t.Errorf("a frame left at %v", at)
			}
		}
		if len(times[false]) != 2*preparedMessages || waiting != 3*replyGrid {
			t.Errorf("%d frames on the grid, ready after %v", len(times[false]), waiting)
		}
		for _, at := range times[true] {
			if at != waiting+time.Millisecond {
				t.Errorf("a frame of the signature was held until %v", at)
			}
		}
	})
}
