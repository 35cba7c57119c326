package sandbox

import (
	"context"
	"math"
	"time"
)

// Call is one call of a guest.
type Call struct {
	// Export names the function, such as purser_policy_decide.
	Export string
	// Request is the encoded message. It is only read.
	Request []byte
	// Now is the request time in unix seconds, the only time the guest can see.
	Now uint64
}

// Result is what a call produced. After an error Bytes is nil.
type Result struct {
	// Bytes is the guest's message, copied out of its memory and otherwise unread.
	Bytes []byte
	// Log is what the guest said. It is no part of the result.
	Log          []LogLine
	LogTruncated bool
	// Elapsed is the wall clock of the call, queue excluded.
	Elapsed time.Duration
	// Fuel is the metered work of the call, in the units of package meter; also after an error, if the guest ran.
	Fuel uint64
	// MemoryPages is the size of the guest's memory after the call, in pages of 64 KiB.
	MemoryPages uint32
}

// callNowMax keeps the guest's clock, which counts nanoseconds in 64 bits, from overflowing (the year 2262).
const callNowMax = math.MaxInt64 / nanosecondsPerSecond

const wasmPageBytes = 64 << 10

// Call runs one function of the guest in an instance that is in the state it was configured in, and returns a copy of
// its result. Afterwards the instance is restored, or discarded if it failed.
//
// ctx bounds the wait for a turn and is looked at between the steps of a call; nothing but its fuel stops a running
// guest. Every error means "no result", and has one of the codes trap, fuel_exhausted, bad_result, output_too_large,
// input_too_large, input_invalid, host_call_limit, deadline or closed. No setting turns one into a result.
func (c *Configured) Call(ctx context.Context, call Call) (Result, error) {
	p := c.plugin
	if !callable(p.identity.Kind, call.Export) {
		return Result{}, fault(CodeInputInvalid, call.Export, "%q is no call of a %s", call.Export, p.identity.Kind)
	}
	if call.Now > callNowMax {
		return Result{}, fault(CodeInputInvalid, call.Export, "the request time %d is out of range", call.Now)
	}
	if err := p.checkInput(call.Export, call.Request); err != nil {
		return Result{}, err
	}
	result, err := c.inTurn(ctx, call)
	// After the turn is over, so that a slow log sink holds nobody up.
	p.tell(result.Log)
	return result, err
}

func (c *Configured) inTurn(ctx context.Context, call Call) (Result, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	now := c.plugin.host.config.Now
	begin := now()
	i, err := c.pool.take()
	if err != nil {
		return Result{}, err
	}
	result, err := i.serve(call)
	if poolErr := c.pool.give(i, err != nil); poolErr != nil {
		err = alsoFailed(poolErr, err)
		result.Bytes = nil
	}
	result.Elapsed = now().Sub(begin)
	return result, err
}

// serve runs one call. The caller restores or closes the instance.
func (i *instance) serve(call Call) (Result, error) {
	i.state.begin(call.Now, i.plugin.limits)
	i.allow(i.plugin.limits.Fuel)
	message, err := i.send(call.Export, call.Request)
	return Result{
		Bytes: message, Log: i.state.log.lines, LogTruncated: i.state.log.truncated,
		Fuel: i.used(), MemoryPages: i.memory.Size() / wasmPageBytes,
	}, err
}
