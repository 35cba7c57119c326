// Package latency reports percentiles of a Go benchmark, where the testing package knows only the mean. It refuses to
// decide anything: figures from a shared machine never pass or fail a test.
package latency

import (
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
		start := time.Now()
		if err := op(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	name := map[time.Duration]string{time.Microsecond: "us", time.Millisecond: "ms"}[unit]
	for _, p := range []struct {
		name string
		of   int
	}{{"p50", 50}, {"p95", 95}, {"p99", 99}} {
		b.ReportMetric(float64(took[(len(took)-1)*p.of/100])/float64(unit), p.name+"-"+name)
	}
}
