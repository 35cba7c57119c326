package link

import (
	"sync"
	"time"
)

// peers counts what each identity does. Identities are verified ones, so their number is the authority's to decide;
// the bound is for an authority that went wrong.
type peers struct {
	now func() time.Time

	mu    sync.Mutex
	known map[[32]byte]*peerCount
}

type peerCount struct {
	connections  int
	calls, joins bucket
}

func newPeers(now func() time.Time) *peers {
	return &peers{now: now, known: make(map[[32]byte]*peerCount)}
}

func (p *peers) connect(key [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.count(key)
	if count == nil || count.connections >= connectionsPeerMax {
		return false
	}
	count.connections++
	return true
}

func (p *peers) disconnect(key [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if count := p.known[key]; count != nil {
		count.connections--
	}
}

// call and join take one from the identity's rate; false means that it has used it up.
func (p *peers) call(key [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.count(key)
	return count != nil && count.calls.take(p.now(), callsPerSecondMax)
}

func (p *peers) join(key [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	count := p.count(key)
	return count != nil && count.joins.take(p.now(), joinsPerSecondMax)
}

// count returns nil when there is room for no more identities.
func (p *peers) count(key [32]byte) *peerCount {
	if count := p.known[key]; count != nil {
		return count
	}
	if len(p.known) >= identitiesMax {
		for other, count := range p.known { // rates of those who are gone are forgotten
			if count.connections == 0 {
				delete(p.known, other)
			}
		}
		if len(p.known) >= identitiesMax {
			return nil
		}
	}
	count := new(peerCount)
	p.known[key] = count
	return count
}

// bucket is a rate with one second's worth saved up, counted in thousandths of one event.
type bucket struct {
	started bool
	milli   int64
	last    time.Time
}

const milliEvent = 1000

func (b *bucket) take(now time.Time, perSecond int64) bool {
	if !b.started {
		b.started, b.milli, b.last = true, perSecond*milliEvent, now
	}
	// Per second one event is worth 1000, so a millisecond is worth perSecond; a clock that goes back gives nothing.
	if passed := min(now.Sub(b.last).Milliseconds(), 1000); passed > 0 {
		b.milli = min(b.milli+passed*perSecond, perSecond*milliEvent)
		b.last = now
	} else if passed < 0 {
		b.last = now
	}
	if b.milli < milliEvent {
		return false
	}
	b.milli -= milliEvent
	return true
}
