package sandbox

import (
	"context"
	"math"

	"github.com/tetratelabs/wazero/api"
)

// callState is what the host functions know about the instance that calls them. One instance, one state, one
// goroutine at a time.
type callState struct {
	// now is the request time in unix seconds, 0 during start-up.
	now    uint64
	random randomStream
	log    guestLog
	// fuel is the guest's; host functions work on its account.
	fuel api.MutableGlobal
	// written are the parts of memory the host wrote to, in the bits of meter.DirtyGlobal.
	written uint64
}

// begin readies the state for one call: its time, and a whole log.
func (s *callState) begin(now uint64, limits Limits) {
	s.now = now
	s.log = guestLog{bytesLeft: limits.LogBytes, callsLeft: limits.LogCalls}
}

// charge takes fuel for what a host function is about to do. Without it a guest could have the host fill 64 KiB with
// random bytes for the price of a call. It panics, which ends the guest, when there is not enough left.
func (s *callState) charge(units uint64) {
	left := s.fuel.Get()
	s.fuel.Set(left - units)
	if left > math.MaxInt64 || left < units { // a run is charged before it begins: the guest may be in debt already
		panic(&hostFault{code: CodeFuelExhausted, message: "the guest used up its fuel in a host function"})
	}
}

type stateKey struct{}

// withState is the context a guest runs under. It never ends: nothing but its fuel stops a guest, because what stops
// it by the clock could not be replayed.
func withState(state *callState) context.Context {
	return context.WithValue(context.Background(), stateKey{}, state)
}

// stateOf finds the state of the running instance. The context is the only thing wazero hands from a call to the
// host functions below it, which is why it is used this way here and nowhere else. Nothing calls a guest without it.
func stateOf(ctx context.Context) *callState {
	return ctx.Value(stateKey{}).(*callState)
}
