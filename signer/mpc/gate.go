package mpc

import (
	"context"
	goruntime "runtime"
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// offlineWaitersMax bounds the sessions that wait for a core at once; their number is the caller's to keep smaller.
	offlineWaitersMax = 1024
	// replyGrid is the raster on which frames of a session that nobody waits for leave: how long an answer took, which
	// depends on secrets because the library's arithmetic is not constant in time (CVE-2023-26557), shows only where it
	// crosses a line of the raster.
	replyGrid = 250 * time.Millisecond
)

// gate bounds the arithmetic of rounds one to three, which is nearly all there is. Sessions that somebody waits for come
// first, and while a session with a digest is on its way to its signature no other arithmetic begins.
type gate struct {
	// coresMax is how many calls may run at once, aheadMax how many of them for sessions that nobody waits for.
	coresMax, aheadMax int

	mu      sync.Mutex
	running int
	online  int
	waiting []*gateWaiter // first come, first served, within each kind
}

type gateWaiter struct {
	hurry <-chan struct{}
	open  chan struct{}
}

func newGate() *gate {
	cores := goruntime.GOMAXPROCS(0)
	return &gate{coresMax: cores, aheadMax: max(cores-1, 1)}
}

// run makes one call as soon as there is a core for it.
func (g *gate) run(ctx context.Context, hurry <-chan struct{}, call func() error) error {
	if err := g.enter(ctx, hurry); err != nil {
		return err
	}
	defer g.leave()
	return call()
}

func (g *gate) enter(ctx context.Context, hurry <-chan struct{}) error {
	w := &gateWaiter{hurry: hurry, open: make(chan struct{})}
	g.mu.Lock()
	if len(g.waiting) >= offlineWaitersMax {
		g.mu.Unlock()
		return &abi.Error{
			Code: CodeInterrupted, Message: "too many sessions wait for a core", Fix: "prepare fewer sessions at once", Retry: abi.RetryLater,
		}
	}
	g.waiting = append(g.waiting, w)
	g.admit()
	g.mu.Unlock()
	if hurried(hurry) {
		hurry = nil // it is first in line already
	}
	for {
		select {
		case <-w.open:
			return nil
		case <-hurry: // its place changes
			hurry = nil
			g.mu.Lock()
			g.admit()
			g.mu.Unlock()
		case <-ctx.Done():
			return g.forsake(ctx, w)
		}
	}
}

// forsake takes a waiter off the queue. One that was let in at the same moment leaves again.
func (g *gate) forsake(ctx context.Context, w *gateWaiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	} else {
		g.running--
		g.admit()
	}
	return interruption(ctx, "the context ended before there was a core for the session")
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
	g.admit()
}

// pause keeps new arithmetic of sessions that nobody waits for from beginning until the function it returns is called.
func (g *gate) pause() (resume func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.online++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.online--
		g.admit()
	}
}

// admit opens the gate for whoever may go in, those in a hurry first. The lock is held.
func (g *gate) admit() {
	for _, urgent := range []bool{true, false} {
		limit := g.coresMax
		if !urgent {
			limit = g.aheadMax
		}
		g.waiting = slices.DeleteFunc(g.waiting, func(w *gateWaiter) bool {
			if g.running >= limit || !urgent && g.online > 0 || urgent != hurried(w.hurry) {
				return false
			}
			g.running++
			close(w.open)
			return true
		})
	}
}

// hurried reports whether somebody waits for a session; nil is a session that somebody always waited for.
func hurried(hurry <-chan struct{}) bool {
	if hurry == nil {
		return true
	}
	select {
	case <-hurry:
		return true
	default:
		return false
	}
}

// grid is the raster of one session, from its start.
type grid struct {
	start time.Time
	hurry <-chan struct{}
}

// wait returns at the raster's next line, or at once when somebody waits for the session.
func (g grid) wait(ctx context.Context, ended <-chan struct{}) error {
	if hurried(g.hurry) {
		return nil
	}
	line := time.NewTimer(replyGrid - time.Since(g.start)%replyGrid)
	defer line.Stop()
	select {
	case <-line.C:
	case <-g.hurry:
	case <-ended: // what is sent next says so
	case <-ctx.Done():
		return interruption(ctx, "the context ended before the session was prepared")
	}
	return nil
}
