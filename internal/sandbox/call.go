package sandbox

import (
	"context"
	"crypto/sha256"
	"math"
	"time"

	"github.com/purserhq/purser/abi"
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

// Result is what a call produced. After an error only Log, LogTruncated and Elapsed are set.
type Result struct {
	// Bytes is the guest's message, copied out of its memory and otherwise unread.
	Bytes []byte
	// Log is what the guest said, start-up included. It is no part of the result.
	Log          []LogLine
	LogTruncated bool
	// Elapsed is the wall clock of the call, start-up included and queue excluded.
	Elapsed time.Duration
	// Fuel is the metered work. It is 0 until guests are metered.
	Fuel uint64
	// MemoryPages is the size of the guest's memory after the call, in pages of 64 KiB.
	MemoryPages uint32
}

// callNowMax keeps the guest's clock, which counts nanoseconds in 64 bits, from overflowing (the year 2262).
const callNowMax = math.MaxInt64 / nanosecondsPerSecond

const wasmPageBytes = 64 << 10

// Call runs one function of the guest in a fresh instance, initialised and configured again, and returns a copy of
// its result. Whatever happens, the instance is discarded.
//
// Every error means "no result", and has one of the codes trap, time_limit, bad_result, output_too_large,
// input_too_large, input_invalid, configure_failed, host_call_limit, deadline or closed. No setting turns one into a
// result.
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
	state := p.newState(c.config)
	// Deferred before the slot is taken, so that a slow log sink holds no slot.
	defer p.tell(&state.log)
	leave, err := p.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	begin := p.host.config.Now()
	result, err := c.run(ctx, state, call)
	result.Log, result.LogTruncated = state.log.lines, state.log.truncated
	result.Elapsed = p.host.config.Now().Sub(begin)
	return result, err
}

func (c *Configured) run(ctx context.Context, state *callState, call Call) (result Result, err error) {
	p := c.plugin
	i, answer, err := p.configured(ctx, state, c.config)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if closeErr := i.close(); closeErr != nil {
			result, err = Result{}, alsoFailed(err, closeErr)
		}
	}()
	if Digest(sha256.Sum256(answer)) != c.answer {
		// Same module, same configuration, same random stream: only a broken host can make this differ, and then
		// no result of the guest means anything.
		return Result{}, fault(CodeConfigureFailed, abi.ExportConfigure, "the guest answered the same configuration differently")
	}
	state.now = call.Now
	allowed, cancel := p.allowed(ctx, state, p.limits.CallTime)
	defer cancel()
	message, err := i.send(ctx, allowed, call.Export, call.Request)
	if err != nil {
		return Result{}, err
	}
	return Result{Bytes: message, MemoryPages: i.module.ExportedMemory(abi.ExportMemory).Size() / wasmPageBytes}, nil
}
