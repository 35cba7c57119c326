package latency

import (
	"testing"
	"time"
)

// Plan bounds a measurement by the clock on the wall. An operation that is prepared for longer than it takes would keep
// [MeasurePrepared], which counts what is measured only, busy for an hour.
type Plan struct {
	// TimeMax bounds the whole, preparation included; SamplesMax the operations. At least one is measured.
	TimeMax    time.Duration
	SamplesMax int
	// Before, when not nil, prepares the next operation and is not measured.
	Before func() error
}

// Run measures op as often as the plan allows. The benchmark must run with -benchtime 1x, or go repeats it.
func (p Plan) Run(b *testing.B, op func() error) []time.Duration {
	b.Helper()
	var took []time.Duration
	for end := time.Now().Add(p.TimeMax); len(took) == 0 || len(took) < p.SamplesMax && time.Now().Before(end); {
		if p.Before != nil {
			if err := p.Before(); err != nil {
				b.Fatal(err)
			}
		}
		took = append(took, timed(b, op))
	}
	return took
}
