package sandbox

import (
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
)

// Limits bound one guest. The zero value of a field means "the default of the kind"; a value above that default is
// refused, because limits may be narrowed by an operator, a grant or a manifest and widened by nobody.
type Limits struct {
	// MemoryPages caps linear memory, in pages of 64 KiB. A guest that asks for more sees memory.grow return -1.
	MemoryPages uint32
	// InputBytes caps one request or configuration.
	InputBytes uint32
	// OutputBytes caps one result.
	OutputBytes uint32
	// LogBytes caps the log text kept of one call, start-up included. More is cut, with a mark.
	LogBytes uint32
	// LogCalls caps calls of the log import in one call. One more ends the call as host_call_limit.
	LogCalls uint32
	// CallDepth caps nested guest function calls; one more is a trap. It keeps the native stack of a recursion small.
	CallDepth uint32
	// CallTime is the wall clock one call may take, start-up excluded. It stands in for fuel until metering.
	CallTime time.Duration
	// StartTime is the wall clock that instantiation, _initialize and configuration may take together.
	StartTime time.Duration
}

// Defaults, which are also ceilings.
const (
	policyMemoryPagesMax = 256
	policyInputBytesMax  = 64 << 10
	policyOutputBytesMax = 64 << 10
	policyLogCallsMax    = 64
	policyCallTimeMax    = 1 * time.Second

	chainMemoryPagesMax = 512
	chainInputBytesMax  = 1 << 20
	chainOutputBytesMax = 256 << 10
	chainLogCallsMax    = 256
	chainCallTimeMax    = 4 * time.Second

	guestLogBytesMax  = 16 << 10
	guestCallDepthMax = 8192
	guestStartTimeMax = 5 * time.Second
)

// DefaultLimits returns the ceilings of a kind. An unknown kind gets the zero Limits, under which nothing loads.
func DefaultLimits(kind Kind) Limits {
	shared := Limits{LogBytes: guestLogBytesMax, CallDepth: guestCallDepthMax, StartTime: guestStartTimeMax}
	switch kind {
	case Policy:
		shared.MemoryPages, shared.LogCalls = policyMemoryPagesMax, policyLogCallsMax
		shared.InputBytes, shared.OutputBytes = policyInputBytesMax, policyOutputBytesMax
		shared.CallTime = policyCallTimeMax
	case Chain:
		shared.MemoryPages, shared.LogCalls = chainMemoryPagesMax, chainLogCallsMax
		shared.InputBytes, shared.OutputBytes = chainInputBytesMax, chainOutputBytesMax
		shared.CallTime = chainCallTimeMax
	default:
		return Limits{}
	}
	return shared
}

// narrow returns the stricter of l and by, field by field. A zero field in by keeps l's. A field of by that is wider
// than l is an error naming it, so that nobody believes in a limit that is not in force.
func (l Limits) narrow(by Limits, where string) (Limits, error) {
	fields := []struct {
		name string
		into *uint32
		from uint32
	}{
		{"memory_pages", &l.MemoryPages, by.MemoryPages},
		{"input_bytes", &l.InputBytes, by.InputBytes},
		{"output_bytes", &l.OutputBytes, by.OutputBytes},
		{"log_bytes", &l.LogBytes, by.LogBytes},
		{"log_calls", &l.LogCalls, by.LogCalls},
		{"call_depth", &l.CallDepth, by.CallDepth},
	}
	for _, f := range fields {
		if f.from > *f.into {
			return l, widened(where, f.name, fmt.Sprint(f.from), fmt.Sprint(*f.into))
		}
		if f.from != 0 {
			*f.into = f.from
		}
	}
	times := []struct {
		name string
		into *time.Duration
		from time.Duration
	}{
		{"call_time", &l.CallTime, by.CallTime},
		{"start_time", &l.StartTime, by.StartTime},
	}
	for _, t := range times {
		if t.from < 0 || t.from > *t.into {
			return l, widened(where, t.name, t.from.String(), t.into.String())
		}
		if t.from != 0 {
			*t.into = t.from
		}
	}
	return l, nil
}

// stricter takes the smaller of two limits in the fields a manifest can name.
func (l Limits) stricter(wanted Limits) Limits {
	if wanted.MemoryPages != 0 {
		l.MemoryPages = min(l.MemoryPages, wanted.MemoryPages)
	}
	if wanted.OutputBytes != 0 {
		l.OutputBytes = min(l.OutputBytes, wanted.OutputBytes)
	}
	return l
}

func widened(where, field, wanted, ceiling string) error {
	return &abi.Error{
		Code:    CodeLimitWidened,
		Message: fmt.Sprintf("limit %s is %s, and may only be narrowed below %s", field, wanted, ceiling),
		Where:   where + "." + field,
		Fix:     "lower it or leave it out",
	}
}
