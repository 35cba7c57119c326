package sandbox

import (
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
)

// Limits bound one guest. The zero value of a field means "the default of the kind"; a value above that default is
// refused, because limits may be narrowed by an operator, a grant or a manifest and widened by nobody.
//
// The JSON names are those of Limits.counts and Limits.times; a test compares them.
type Limits struct {
	// MemoryPages caps linear memory, in pages of 64 KiB. A guest that asks for more sees memory.grow return -1.
	MemoryPages uint32 `json:"memory_pages,omitempty"`
	// InputBytes caps one request or configuration.
	InputBytes uint32 `json:"input_bytes,omitempty"`
	// OutputBytes caps one result.
	OutputBytes uint32 `json:"output_bytes,omitempty"`
	// LogBytes caps the log text kept of one call, start-up included. More is cut, with a mark.
	LogBytes uint32 `json:"log_bytes,omitempty"`
	// LogCalls caps calls of the log import in one call. One more ends the call as host_call_limit.
	LogCalls uint32 `json:"log_calls,omitempty"`
	// CallDepth caps nested guest function calls; one more is a trap. It keeps the native stack of a recursion small.
	CallDepth uint32 `json:"call_depth,omitempty"`
	// CallTime is the wall clock one call may take, start-up excluded. It stands in for fuel until metering.
	CallTime time.Duration `json:"call_time_ns,omitempty"`
	// StartTime is the wall clock that instantiation, _initialize and configuration may take together.
	StartTime time.Duration `json:"start_time_ns,omitempty"`
}

// Ceilings of what package abi leaves to the host; its own limits are the others. All of them are defaults too.
const (
	policyCallTimeMax = 1 * time.Second
	chainCallTimeMax  = 4 * time.Second

	guestCallDepthMax = 8192
	guestStartTimeMax = 5 * time.Second
)

// DefaultLimits returns the ceilings of a kind. An unknown kind gets the zero Limits, under which nothing loads.
func DefaultLimits(kind abi.Kind) Limits {
	shared := Limits{LogBytes: abi.LogBytesMax, CallDepth: guestCallDepthMax, StartTime: guestStartTimeMax}
	switch kind {
	case abi.KindPolicy:
		shared.MemoryPages, shared.LogCalls = abi.PolicyMemoryPagesMax, abi.PolicyLogCallsMax
		shared.InputBytes, shared.OutputBytes = abi.PolicyInputBytesMax, abi.PolicyOutputBytesMax
		shared.CallTime = policyCallTimeMax
	case abi.KindChain:
		shared.MemoryPages, shared.LogCalls = abi.ChainMemoryPagesMax, abi.ChainLogCallsMax
		shared.InputBytes, shared.OutputBytes = abi.ChainInputBytesMax, abi.ChainOutputBytesMax
		shared.CallTime = chainCallTimeMax
	default:
		return Limits{}
	}
	return shared
}

// limit is one field of Limits, by the name that errors and grants give it.
type limit[T uint32 | time.Duration] struct {
	name  string
	value *T
}

func (l *Limits) counts() []limit[uint32] {
	return []limit[uint32]{
		{"memory_pages", &l.MemoryPages},
		{"input_bytes", &l.InputBytes},
		{"output_bytes", &l.OutputBytes},
		{"log_bytes", &l.LogBytes},
		{"log_calls", &l.LogCalls},
		{"call_depth", &l.CallDepth},
	}
}

func (l *Limits) times() []limit[time.Duration] {
	return []limit[time.Duration]{{"call_time_ns", &l.CallTime}, {"start_time_ns", &l.StartTime}}
}

// narrow returns the stricter of l and by, field by field. A zero field in by keeps l's. A field of by that is wider
// than l is an error naming it, so that nobody believes in a limit that is not in force.
func (l Limits) narrow(by Limits, where string) (Limits, error) {
	counts, times := by.counts(), by.times()
	for i, into := range l.counts() {
		if err := into.narrow(*counts[i].value, where); err != nil {
			return l, err
		}
	}
	for i, into := range l.times() {
		if err := into.narrow(*times[i].value, where); err != nil {
			return l, err
		}
	}
	return l, nil
}

func (l limit[T]) narrow(to T, where string) error {
	if to < 0 || to > *l.value {
		return &abi.Error{
			Code:    CodeLimitWidened,
			Message: fmt.Sprintf("limit %s is %v, and may only be narrowed below %v", l.name, to, *l.value),
			Where:   where + "." + l.name,
			Fix:     "lower it or leave it out",
		}
	}
	if to != 0 {
		*l.value = to
	}
	return nil
}

// stricter takes the smaller of two limits in the fields a manifest can name; zero fields want nothing.
func (l Limits) stricter(wanted abi.ManifestLimits) Limits {
	if wanted.MemoryPages != 0 {
		l.MemoryPages = uint32(min(uint64(l.MemoryPages), wanted.MemoryPages)) // #nosec G115 -- at most l's
	}
	if wanted.OutputBytes != 0 {
		l.OutputBytes = uint32(min(uint64(l.OutputBytes), wanted.OutputBytes)) // #nosec G115 -- at most l's
	}
	return l
}
