package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// observer sees what passes between the runtime, its engine and the co-signer: which sessions were prepared ahead of
// their payment, and how long the parts of a payment take.
type observer struct {
	accepted atomic.Int64 // orders that the co-signer took

	mu         sync.Mutex
	preparing  int
	ready      int // prepared ahead and not used yet
	warm, cold int
	// parts of one payment after the other; the present one began at since.
	parts map[string][]time.Duration
	since time.Time
}

func (o *observer) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.warm, o.cold, o.parts = 0, 0, map[string][]time.Duration{}
}

// rest waits until that many sessions are ready and none is on its way.
func (o *observer) rest(ready int) {
	for end := time.Now().Add(readyWaitMax); time.Now().Before(end); time.Sleep(readyPoll) {
		o.mu.Lock()
		resting := o.preparing == 0 && o.ready >= ready
		o.mu.Unlock()
		if resting {
			return
		}
	}
}

// start begins a payment's first part; lap ends a part and begins the next. They say nothing of payments at a time.
func (o *observer) start() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.since = time.Now()
}

func (o *observer) lap(part string) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts[part] = append(o.parts[part], now.Sub(o.since))
	o.since = now
}

// observedEngine is the runtime's party.
type observedEngine struct {
	signer.Engine
	*observer
}

func (e observedEngine) Prepare(ctx context.Context, session signer.Session, transport signer.Transport) (signer.Prepared, error) {
	e.mu.Lock()
	e.preparing++
	e.mu.Unlock()
	prepared, err := e.Engine.Prepare(ctx, session, transport)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.preparing--
	ahead := err == nil && session.Hurry != nil
	if ahead {
		select {
		case <-session.Hurry: // a payment waits for it already
			ahead = false
		default:
			e.ready++
		}
	}
	return observedPrepared{prepared, e.observer, ahead}, err
}

type observedPrepared struct {
	signer.Prepared
	*observer
	ahead bool
}

// Sign runs the rounds that need the digest, until the signature is there and verified.
func (p observedPrepared) Sign(ctx context.Context, digest, armed [32]byte, beforeLast func() error) (signer.Signature, error) {
	p.lap("session")
	signature, err := p.Prepared.Sign(ctx, digest, armed, beforeLast)
	p.lap("signing")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ahead {
		p.ready--
		p.warm++
	} else {
		p.cold++
	}
	return signature, err
}

// observedPeer is the co-signer as the runtime meets it.
type observedPeer struct {
	otherSide
	seen *observer
}

func (p observedPeer) Consult(ctx context.Context, request *abi.ConsultRequest) (*abi.Decision, error) {
	p.seen.lap("decide")
	defer p.seen.lap("consult")
	return p.otherSide.Consult(ctx, request)
}

func (p observedPeer) Arm(ctx context.Context, request *abi.ArmRequest) (*abi.Armed, error) {
	p.seen.lap("build")
	defer p.seen.lap("arm")
	return p.otherSide.Arm(ctx, request)
}

func (p observedPeer) Accept(ctx context.Context, o *abi.Order) error {
	err := p.otherSide.Accept(ctx, o)
	if err == nil {
		p.seen.accepted.Add(1)
	}
	return err
}
