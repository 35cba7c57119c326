package signer

import (
	"slices"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// refillPause is how long after a signature the next session's arithmetic begins.
	refillPause = 200 * time.Millisecond
	// readyAgeMax is how long a prepared session may wait for its digest.
	readyAgeMax = 10 * time.Minute
	// readyKeyMax bounds prepared sessions of one key, whatever the co-signer offers: 0.4 MB each.
	readyKeyMax = 16
	// readyAllMax bounds them over all keys of a wallet, those that are being prepared included.
	readyAllMax = 256
	// preparingMax bounds sessions that are being prepared ahead at once. They wait for the reply grid most of the time;
	// what they compute is bounded by the engine.
	preparingMax = 4
	// agentsMax bounds the agents of whom anything is remembered.
	agentsMax = 1024
	// expectedMax bounds the agents that wait for their turn; whoever comes after that pays cold.
	expectedMax = 64
	// pauseMin is how long nothing is prepared ahead after a failure, for that agent, or for all when the co-signer was busy;
	// each further one doubles it, up to pauseMax.
	pauseMin, pauseMax = time.Second, time.Minute
	// codeBusy is what a co-signer says that has too many sessions under way.
	codeBusy = "busy"
)

// PoolStatus is what a pool of prepared sessions looks like. Counters run from the start of the process.
type PoolStatus struct {
	// Ready sessions wait for a digest, Preparing are on their way; Expected agents wait for their turn.
	Ready     int `json:"ready"`
	Preparing int `json:"preparing"`
	Expected  int `json:"expected"`
	// Warm and Cold count signatures, each once, by whether a session was ready when it was asked for; Refilled counts
	// sessions prepared ahead, Failed those that could not be, Dropped those that grew too old, broke or were dropped
	// before they were needed.
	Warm     uint64 `json:"warm"`
	Cold     uint64 `json:"cold"`
	Refilled uint64 `json:"refilled"`
	Failed   uint64 `json:"failed"`
	Dropped  uint64 `json:"dropped"`
	// LastDrop is the reason of the last [Pair.DropAll].
	LastDrop string `json:"last_drop,omitempty"`
}

// pool keeps prepared sessions by agent.
type pool struct {
	now func() time.Time

	mu     sync.Mutex
	closed bool
	agents map[string]*agentPool
	// expected is the queue of agents that have room for another session, each at most once.
	expected []string
	// generation counts drops: what was begun before one is not kept after it.
	generation uint64
	// busy holds all refills back after the co-signer said that it has too much to do.
	busy backoff
	// sweeper drops what grew too old while nobody asks.
	sweeper *time.Timer
	status  PoolStatus
	// working are the goroutines that refill.
	working sync.WaitGroup
}

// backoff is a pause that doubles with every failure.
type backoff struct {
	pause time.Duration
	until time.Time
}

func (b *backoff) fail(now time.Time) {
	b.pause = min(max(2*b.pause, pauseMin), pauseMax)
	b.until = now.Add(b.pause)
}

// agentPool is one agent's part. It exists while something is in it.
type agentPool struct {
	ready     []*readySession
	preparing []*preparing
	// wanted is how many ready sessions the agent may have, as the co-signer last said.
	wanted int
	// failed holds back this agent's refills only: one whose sessions are refused must not make others wait.
	failed backoff
}

// preparing is a session that is being prepared ahead.
type preparing struct {
	agent      string
	generation uint64
	hurry      chan struct{}
	// adopted says that a payment waits for it, hurried that one did; done is closed when ready or err is there.
	adopted bool
	hurried bool
	done    chan struct{}
	ready   *readySession
	err     error
}

func (p *pool) open(now func() time.Time) {
	p.now, p.agents = now, make(map[string]*agentPool)
}

// Expect queues an agent for sessions prepared ahead, up to the number that the co-signer allows.
func (p *Pair) Expect(agent string) {
	if next := p.pool.expect(agent); next != nil {
		go p.refill(next)
	}
}

// Status tells what the pool holds and did.
func (p *Pair) Status() PoolStatus { return p.pool.read() }

// DropAll drops every prepared session, and those that are being prepared when they are done, because what they are
// bound to ended: a freeze, a refresh, a rotation. reason is a word for [PoolStatus]. Signatures under way go on.
func (p *Pair) DropAll(reason string) { p.pool.dropAll(reason) }

// refill prepares sessions for the agents in the queue, one after another, until it is empty.
func (p *Pair) refill(next *preparing) {
	defer p.pool.working.Done()
	for ; next != nil; next = p.pool.next() {
		ready, err := p.prepare(p.life, next.agent, next.hurry)
		p.pool.done(next, ready, err)
	}
}

// expect queues the agent and returns a session to prepare, if one more may be under way.
func (p *pool) expect(agent string) *preparing {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	p.enqueue(agent)
	next := p.begin()
	if next != nil {
		p.working.Add(1) // under the lock: Close waits for it or there is none
	}
	return next
}

func (p *pool) enqueue(agent string) {
	if !p.closed && !p.now().Before(p.busy.until) && p.room(agent) && !slices.Contains(p.expected, agent) && len(p.expected) < expectedMax {
		p.expected = append(p.expected, agent)
	}
}

func (p *pool) next() *preparing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begin()
}

// begin takes the first agent that has room off the queue.
func (p *pool) begin() *preparing {
	if p.closed || p.status.Preparing >= preparingMax {
		return nil
	}
	for len(p.expected) > 0 {
		agent := p.expected[0]
		p.expected = slices.Delete(p.expected, 0, 1)
		if !p.room(agent) {
			continue
		}
		next := &preparing{agent: agent, generation: p.generation, hurry: make(chan struct{}), done: make(chan struct{})}
		of := p.agents[agent]
		if of == nil { // how many it may have is known with the first answer
			of = &agentPool{wanted: 1}
			p.agents[agent] = of
		}
		of.preparing = append(of.preparing, next)
		p.status.Preparing++
		return next
	}
	return nil
}

// room reports whether one more session of the agent would be of use.
func (p *pool) room(agent string) bool {
	all := 0
	for _, of := range p.agents {
		all += len(of.ready) + len(of.preparing)
	}
	if of := p.agents[agent]; of != nil {
		return all < readyAllMax && len(of.ready)+len(of.preparing) < of.wanted && !p.now().Before(of.failed.until)
	}
	return all < readyAllMax && len(p.agents) < agentsMax
}

// done takes over what became of a session.
func (p *pool) done(next *preparing, ready *readySession, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.agents[next.agent]
	of.preparing = slices.DeleteFunc(of.preparing, func(other *preparing) bool { return other == next })
	p.status.Preparing--
	defer p.forget(next.agent)
	defer close(next.done)
	if err == nil && next.generation != p.generation {
		ready.drop()
		p.status.Dropped++
		err = &abi.Error{Code: "session_dropped", Message: "the session was dropped while it was prepared", Retry: abi.RetryLater}
	} else if err != nil {
		// The payment itself will say what is wrong: a session of its own fails the same way.
		p.status.Failed++
		of.failed.fail(p.now())
		if abi.CodeOf(err) == codeBusy {
			p.busy.fail(p.now())
			p.expected = nil // the next payment asks again
		}
	}
	if err != nil {
		next.err = err
		return
	}
	of.failed, p.busy = backoff{}, backoff{}
	p.status.Refilled++
	of.wanted = ready.readyMax
	if next.adopted {
		next.ready = ready
		return
	}
	p.put(next.agent, of, ready)
}

func (p *pool) put(agent string, of *agentPool, ready *readySession) {
	if p.closed || len(of.ready) >= max(of.wanted, 1) {
		ready.drop()
		p.status.Dropped++
		return
	}
	of.ready = append(of.ready, ready)
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(readyAgeMax, p.sweepLater)
	}
	p.enqueue(agent) // behind the others
}
