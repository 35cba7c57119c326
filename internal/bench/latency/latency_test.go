package latency

import (
	"testing"
	"time"
)

func TestAPercentileOfFewSamplesIsNotBetterThanTheyAre(t *testing.T) {
	for _, test := range []struct{ samples, of, rank int }{
		{1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {3, 95, 3}, {20, 95, 19}, {21, 95, 20}, {100, 50, 50}, {100, 99, 99}, {1000, 99, 990},
	} {
		var sorted []time.Duration
		for i := range test.samples {
			sorted = append(sorted, time.Duration(i+1))
		}
		if got := percentile(sorted, test.of); got != time.Duration(test.rank) {
			t.Errorf("p%d of %d is the %dth, want the %dth", test.of, test.samples, got, test.rank)
		}
	}
}

func TestAPlanEndsAtItsTimeAndItsSamples(t *testing.T) {
	prepared := 0
	measure := func(plan Plan) (took []time.Duration) {
		testing.Benchmark(func(b *testing.B) {
			if b.N == 1 {
				prepared = 0
				plan.Before = func() error { prepared++; return nil }
				took = plan.Run(b, func() error { return nil })
			}
		})
		return took
	}
	for _, test := range []struct {
		plan Plan
		want int
	}{{Plan{TimeMax: time.Minute, SamplesMax: 3}, 3}, {Plan{}, 1}, {Plan{TimeMax: time.Minute}, 1}, {Plan{SamplesMax: 5}, 1}} {
		if got := len(measure(test.plan)); got != test.want || prepared != test.want {
			t.Errorf("%+v: %d samples of %d prepared, want %d", test.plan, got, prepared, test.want)
		}
	}
}
