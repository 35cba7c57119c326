// Package latency reports percentiles of a Go benchmark, where the testing package knows only the mean. It refuses to
// decide anything: figures from a shared machine never pass or fail a test.
package latency

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Measure runs op once for each iteration of the benchmark and reports p50, p95 and p99 in the unit given, such as
// time.Microsecond. The first call is made before the clock starts, to fill caches.
func Measure(b *testing.B, unit time.Duration, op func() error) {
	b.Helper()
	if err := op(); err != nil {
		b.Fatal(err)
	}
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		took = append(took, timed(b, op))
	}
	Report(b, unit, "", took)
}

// MeasurePrepared is Measure for an operation that needs something made for each call, whose cost does not count. Starting
// and stopping the benchmark's own clock takes microseconds, so it is for operations of milliseconds.
func MeasurePrepared(b *testing.B, unit time.Duration, prepare func() (func() error, error)) {
	b.Helper()
	took := make([]time.Duration, 0, 1024)
	for b.Loop() {
		b.StopTimer()
		op, err := prepare()
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		took = append(took, timed(b, op))
	}
	Report(b, unit, "", took)
}

func timed(b *testing.B, op func() error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := op(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// Report says what calls took, with part before each metric's name: a benchmark may time more than one part of what it
// does.
func Report(b *testing.B, unit time.Duration, part string, took []time.Duration) {
	b.Helper()
	report(b, unit, part, took, 50, 95, 99)
	b.ReportMetric(float64(len(took)), part+"samples-count")
}

// ReportPart is Report without what the whole says already: for parts that only tell where the time goes.
func ReportPart(b *testing.B, unit time.Duration, part string, took []time.Duration) {
	b.Helper()
	report(b, unit, part, took, 50, 95)
}

func report(b *testing.B, unit time.Duration, part string, took []time.Duration, percentiles ...int) {
	b.Helper()
	sorted := slices.Sorted(slices.Values(took))
	name := map[time.Duration]string{time.Microsecond: "us", time.Millisecond: "ms"}[unit]
	for _, of := range percentiles {
		b.ReportMetric(float64(percentile(sorted, of))/float64(unit), fmt.Sprintf("%sp%d-%s", part, of, name))
	}
}

// percentile is the nearest rank: of few samples the slowest, which a rank rounded down would hide.
func percentile(sorted []time.Duration, of int) time.Duration {
	return sorted[(len(sorted)*of+99)/100-1]
}
