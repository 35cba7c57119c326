package sandbox

import (
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
)

// Limits bound one guest. The zero value of a field means "the default of the kind"; a value above that default is
// refused, because limits may be narrowed by an operator, a grant or a manifest and widened by nobody.
//
// The JSON names are those of Limits.fields; a test compares them.
type Limits struct {
	// Fuel caps the metered work of one call, in the units of package meter.
	Fuel uint64 `json:"fuel,omitempty"`
	// StartFuel caps the metered work of instantiation, _initialize and configuration together.
	StartFuel uint64 `json:"start_fuel,omitempty"`
	// MemoryPages caps linear memory, in pages of 64 KiB. A guest that asks for more sees memory.grow return -1.
	MemoryPages uint64 `json:"memory_pages,omitempty"`
	// InputBytes caps one request or configuration.
	InputBytes uint64 `json:"input_bytes,omitempty"`
	// OutputBytes caps one result.
	OutputBytes uint64 `json:"output_bytes,omitempty"`
	// LogBytes caps the log text kept of one call. More is cut, with a mark.
	LogBytes uint64 `json:"log_bytes,omitempty"`
	// LogCalls caps calls of the log import in one call. One more ends the call as host_call_limit.
	LogCalls uint64 `json:"log_calls,omitempty"`
	// StackSlots caps the stack of nested guest calls, in the slots of package meter. One more is a trap.
	StackSlots uint64 `json:"stack_slots,omitempty"`
}

// DefaultLimits returns the ceilings of a kind. An unknown kind gets the zero Limits, under which nothing loads.
func DefaultLimits(kind abi.Kind) Limits {
	shared := Limits{StartFuel: abi.StartFuelMax, LogBytes: abi.LogBytesMax, StackSlots: meter.StackSlotsMax}
	switch kind {
	case abi.KindPolicy:
		shared.Fuel, shared.MemoryPages, shared.LogCalls = abi.PolicyFuelMax, abi.PolicyMemoryPagesMax, abi.PolicyLogCallsMax
		shared.InputBytes, shared.OutputBytes = abi.PolicyInputBytesMax, abi.PolicyOutputBytesMax
	case abi.KindChain:
		shared.Fuel, shared.MemoryPages, shared.LogCalls = abi.ChainFuelMax, abi.ChainMemoryPagesMax, abi.ChainLogCallsMax
		shared.InputBytes, shared.OutputBytes = abi.ChainInputBytesMax, abi.ChainOutputBytesMax
	default:
		return Limits{}
	}
	return shared
}

// limit is one field of Limits, by the name that errors and grants give it.
type limit struct {
	name  string
	value *uint64
}

func (l *Limits) fields() []limit {
	return []limit{
		{"fuel", &l.Fuel},
		{"start_fuel", &l.StartFuel},
		{"memory_pages", &l.MemoryPages},
		{"input_bytes", &l.InputBytes},
		{"output_bytes", &l.OutputBytes},
		{"log_bytes", &l.LogBytes},
		{"log_calls", &l.LogCalls},
		{"stack_slots", &l.StackSlots},
	}
}

// narrow returns the stricter of l and by, field by field. A zero field in by keeps l's. A field of by that is wider
// than l is an error naming it, so that nobody believes in a limit that is not in force.
func (l Limits) narrow(by Limits, where string) (Limits, error) {
	to := by.fields()
	for i, field := range l.fields() {
		wanted := *to[i].value
		if wanted > *field.value {
			return l, &abi.Error{
				Code:    CodeLimitWidened,
				Message: fmt.Sprintf("limit %s is %d, and may only be narrowed below %d", field.name, wanted, *field.value),
				Where:   where + "." + field.name,
				Fix:     "lower it or leave it out",
			}
		}
		if wanted != 0 {
			*field.value = wanted
		}
	}
	return l, nil
}

// stricter takes the smaller of two limits in the fields a manifest can name; zero fields want nothing.
func (l Limits) stricter(wanted abi.ManifestLimits) Limits {
	for _, field := range []struct {
		mine   *uint64
		wanted uint64
	}{{&l.Fuel, wanted.Fuel}, {&l.MemoryPages, wanted.MemoryPages}, {&l.OutputBytes, wanted.OutputBytes}} {
		if field.wanted != 0 {
			*field.mine = min(*field.mine, field.wanted)
		}
	}
	return l
}
