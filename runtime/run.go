package runtime

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// run is one payment being worked on in this process. Several callers may wait for it; one goroutine works.
type run struct {
	id string
	// agent is who asked, when somebody did: its calls are bounded apart from everybody's.
	agent string
	done  chan struct{}
	// result and err are set before done is closed.
	result Payment
	err    error
}

// begin reserves the one place in which this process works on the payment, so that the in-flight bound is enforced
// before anything is written. When somebody here works on the payment already, that run is returned in its place.
// The agent is empty for work that nobody asked for just now.
func (r *Runtime) begin(id, agent string) (place, busy *run, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, errClosed()
	}
	if running := r.inFlight[id]; running != nil {
		return nil, running, nil
	}
	// One agent with slow merchants must not keep the others, or reconciliation, from their places.
	if len(r.inFlight) >= r.config.InFlightMax || agent != "" && r.perAgent[agent] >= r.config.InFlightMax/inFlightAgentShare {
		return nil, nil, &abi.Error{
			Code: "busy", Message: fmt.Sprintf("%d payments are in flight already, %d of this agent", len(r.inFlight), r.perAgent[agent]),
			Retry: abi.RetrySameKey, Fix: "repeat with the same idempotency key after a pause",
		}
	}
	place = &run{id: id, agent: agent, done: make(chan struct{})}
	r.inFlight[id] = place
	if agent != "" {
		r.perAgent[agent]++
	}
	r.working.Add(1)
	return place, nil, nil
}

// turn waits for the place: whoever works on the payment in this process finishes first, so that two calls under one
// key never race to make it.
func (r *Runtime) turn(ctx context.Context, id, agent string) (*run, error) {
	for {
		place, busy, err := r.begin(id, agent)
		if err != nil || place != nil {
			return place, err
		}
		select {
		case <-busy.done:
		case <-ctx.Done():
			return nil, errPending(id, ctx.Err())
		}
	}
}

// abandon gives a place back unused.
func (r *Runtime) abandon(place *run) { r.finish(place, Payment{}, nil) }

func (r *Runtime) finish(place *run, result Payment, err error) {
	r.mu.Lock()
	delete(r.inFlight, place.id)
	if place.agent != "" {
		if r.perAgent[place.agent]--; r.perAgent[place.agent] == 0 {
			delete(r.perAgent, place.agent)
		}
	}
	r.mu.Unlock()
	place.result, place.err = result, err
	close(place.done)
	r.working.Done()
}

// start works on the payment until it rests. The work belongs to the runtime's life, not to the caller's.
func (r *Runtime) start(place *run, p Payment) {
	go func() {
		result, err := r.advance(r.life, p)
		if err != nil && r.life.Err() == nil {
			r.config.Log.ErrorContext(r.life, "payment stopped", "payment", p.ID, "state", string(result.State), "error", err.Error())
		}
		r.finish(place, result, err)
	}()
}

// resume joins the run of a payment that exists, or starts one where that is this process's to do: the payment
// rests undelivered and its agent asks again, or the time of whoever worked on it is over. It returns nil when there
// is nothing to wait for.
func (r *Runtime) resume(p Payment) *run {
	undelivered := p.State == Settled && p.Delivery == deliveryFailed
	place, busy, err := r.begin(p.ID, p.Agent)
	if err != nil || busy != nil {
		return busy
	}
	if p.State.Final() || !undelivered && !r.mayTakeOver(p) {
		r.abandon(place)
		return nil
	}
	if !undelivered {
		if p, err = r.take(r.life, p); err != nil { // another process was faster
			r.abandon(place)
			return nil
		}
	}
	r.start(place, p)
	return place
}

// mayTakeOver says whether nobody else can be working on the payment: its time is over, or a process that is gone left
// it in a ledger of our own.
func (r *Runtime) mayTakeOver(p Payment) bool {
	if p.Due.IsZero() {
		return false
	}
	return r.inherited(p) || !r.config.Now().Before(p.Due)
}

// wait returns the payment at rest, or as it was found when there is nothing to wait for. When ctx ends first the
// error says that the outcome may exist.
func (p *run) wait(ctx context.Context, found Payment) (Payment, error) {
	if p == nil {
		return found, nil
	}
	select {
	case <-p.done:
		if p.result.ID == "" {
			return found, p.err
		}
		return p.result, p.err
	case <-ctx.Done():
		return found, errPending(found.ID, ctx.Err())
	}
}

func errPending(id string, cause error) error {
	return &abi.Error{
		Code: "pending", Where: id, Message: "the payment goes on without this call", Retry: abi.RetrySameKey,
		Fix: "repeat with the same idempotency key, or ask for the payment by its id", Cause: cause,
	}
}
