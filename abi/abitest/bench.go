package abitest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
)

// Measure is how long one vector took, over many calls.
type Measure struct {
	Vector string        `json:"vector"`
	Calls  int           `json:"calls"`
	P50    time.Duration `json:"p50_ns"`
	P99    time.Duration `json:"p99_ns"`
	// OpsPerS is calls a second, one after the other.
	OpsPerS uint64 `json:"ops_per_s"`
	Fuel    uint64 `json:"fuel"`
}

// benchCallsMax bounds one measurement.
const benchCallsMax = 10_000_000

// Bench calls a vector that many times, one call after the other, after one call that is not counted. Times include
// what surrounds the guest in production: the call, the reset, the strict reading of the result. now is the clock.
func (g *Guest) Bench(ctx context.Context, vector abi.ManifestVector, calls int, now func() time.Time) (m Measure, err error) {
	if calls < 1 || calls > benchCallsMax {
		return m, optionFault("calls", fmt.Sprintf("want a number from 1 to %d", benchCallsMax))
	}
	call, ok := g.manifest.Kind.Call(vector.Call)
	if !ok || call.Export == abi.ExportConfigure {
		return m, unknownCall(g.manifest.Kind, vector.Call)
	}
	request, at, err := encode(call, orEmpty(vector.Request))
	if err != nil {
		return m, err
	}
	configured, err := g.Configure(ctx, vector.Config)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, configured.Close()) }()
	warm, err := configured.send(ctx, call, request, at)
	if err != nil {
		return m, err
	}
	took := make([]time.Duration, calls)
	begin := now()
	before := begin
	for i := range took {
		if _, err := configured.send(ctx, call, request, at); err != nil {
			return m, err
		}
		after := now()
		took[i], before = after.Sub(before), after
	}
	total := max(before.Sub(begin), 1)
	slices.Sort(took)
	return Measure{
		Vector: vector.Name, Calls: calls, Fuel: warm.Fuel,
		P50: took[(calls-1)*50/100], P99: took[(calls-1)*99/100],
		OpsPerS: uint64(calls) * uint64(time.Second) / uint64(total), //nolint:gosec // both above zero
	}, nil
}
