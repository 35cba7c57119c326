package main

import (
	"context"
	"fmt"
	goruntime "runtime"
	"slices"
	"time"

	"github.com/purserhq/purser/tools/bench/cases"
)

// iterationsMax bounds the samples of one subject in one round, which a nanosecond engine would fill memory with.
const iterationsMax = 200_000

// figures are what one subject took.
type figures struct {
	p50, p99   time.Duration
	perSecond  int64
	iterations int
}

// measure lets the subjects take turns, round after round, so that whatever else the machine does hits all of them. The
// median of the rounds' p50 counts, and the p99 of all rounds together.
func measure(ctx context.Context, subjects []subject, all []cases.Case, rounds int, slice time.Duration) (map[string]figures, error) {
	samples := make([][][]time.Duration, len(subjects))
	for round := range rounds {
		for turn := range subjects {
			i := (turn + round) % len(subjects) // nobody always comes after the same neighbour
			took, err := sample(ctx, subjects[i], all, slice)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], took)
		}
	}
	result := make(map[string]figures, len(subjects))
	for i, s := range subjects {
		result[s.name] = summarise(samples[i])
	}
	return result, nil
}

// sample times one decision after the other, the cases in turn. Errors and wrong outcomes end the run: an engine that
// fails fast must not look fast.
func sample(ctx context.Context, s subject, all []cases.Case, slice time.Duration) ([]time.Duration, error) {
	// Caches fill, and the neighbour's garbage goes, on nobody's time.
	if err := agree(ctx, []subject{s}, all); err != nil {
		return nil, err
	}
	goruntime.GC()
	took := make([]time.Duration, 0, iterationsMax)
	for end := time.Now().Add(slice); len(took) < iterationsMax; {
		c := &all[len(took)%len(all)]
		start := time.Now()
		got, err := s.engine.Decide(ctx, c.Request)
		finish := time.Now()
		if err == nil && got.Outcome != c.Want.Outcome {
			err = fmt.Errorf("outcome %d, want %d", got.Outcome, c.Want.Outcome)
		}
		if err != nil {
			return nil, fmt.Errorf("%s on %s: %w", s.name, c.Name, err)
		}
		took = append(took, finish.Sub(start))
		if finish.After(end) {
			break
		}
	}
	return took, nil
}

func summarise(rounds [][]time.Duration) (f figures) {
	var pooled, p50s []time.Duration
	var rates []int64
	for _, took := range rounds {
		var total time.Duration
		for _, d := range took {
			total += d
		}
		rates = append(rates, int64(len(took))*int64(time.Second)/int64(max(total, 1)))
		p50s = append(p50s, percentile(took, 50))
		pooled = append(pooled, took...)
	}
	slices.Sort(rates)
	return figures{p50: percentile(p50s, 50), p99: percentile(pooled, 99), perSecond: rates[len(rates)/2], iterations: len(pooled)}
}

// percentile sorts d.
func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[(len(d)-1)*p/100]
}
