package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/link/linktest"
)

const (
	// benchSecondsEnv is how long a subject is measured that has one share of the time; the default is for somebody who
	// runs the benchmark by hand. What needs a new session for each sample has more shares.
	benchSecondsEnv, benchSecondsDefault               = "PURSER_BENCH_SECONDS", 8
	sharesLoopback, sharesRTT40, sharesCold, sharesOne = 4, 3, 2, 1
	benchSamplesMax, benchRestarts                     = 400, 3
	// benchAgent pays the warm payments.
	benchAgent = "shopper"
	// benchCallers pay at a time when what matters is how many payments there are in a second. As many payments empty the
	// pool first and are not counted.
	benchCallers = 4
	// readyWaitMax bounds the wait for a session to be ready. A refill that failed is begun again by the next payment,
	// which is then cold and counted as such.
	readyWaitMax, readyPoll = 20 * time.Second, 2 * time.Millisecond
	rtt40OneWay             = 20 * time.Millisecond
	benchPooledMax          = 200
)

// BenchmarkSigner is what make bench-signer prints of the two processes: this one is the runtime, the co-signer is the
// real binary with a sealed keystore, and between them are TLS and nothing else. Run it with -benchtime 1x: it ends by
// the clock.
func BenchmarkSigner(b *testing.B) {
	g := newSignerBench(b)
	b.Run("sign/warm-loopback", func(b *testing.B) { g.warm(b, g.hosts.address, sharesLoopback) })
	b.Run("sign/warm-rtt40", func(b *testing.B) {
		network, err := linktest.Open(g.hosts.address, rtt40OneWay)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { must(b, network.Close()) })
		g.warm(b, network.Address(), sharesRTT40)
	})
	b.Run("sign/cold", g.cold)
	b.Run("sign/sustained", g.sustained)
	b.Run("provision/derived", g.derived)
	b.Run("provision/pooled", g.pooled)
	b.Run("sign/restart", g.restart) // the last, because the co-signer that it ends with is its own
}

func planFor(b *testing.B, shares int, before func() error) latency.Plan {
	b.Helper()
	seconds := benchSecondsDefault
	if text := os.Getenv(benchSecondsEnv); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	return latency.Plan{TimeMax: time.Duration(shares*seconds) * time.Second, SamplesMax: benchSamplesMax, Before: before}
}

// warm measures payments that find a session ready. Between two of them the pool fills up again: arithmetic for the
// next payment would take the core of this one.
func (g *signerBench) warm(b *testing.B, address string, shares int) {
	f := g.open(b, address)
	agent := f.enrol(b, benchAgent)
	must(b, f.authorize(b.Context(), agent)) // is cold, and fills caches and the pool
	f.seen.rest(1)
	f.seen.reset()
	took := planFor(b, shares, func() error { f.seen.rest(1); return nil }).Run(b, func() error { return f.authorize(b.Context(), agent) })
	f.report(b, took)
}

// cold measures the first payments of agents: their session is opened by the payment itself.
func (g *signerBench) cold(b *testing.B) {
	f := g.open(b, g.hosts.address)
	must(b, f.authorize(b.Context(), f.enrol(b, benchAgent)))
	f.seen.rest(1)
	f.seen.reset()
	var agent store.Agent
	agents := 1
	took := planFor(b, sharesCold, func() error {
		f.seen.rest(agents) // of each agent before
		agents++
		agent = f.enrol(b, fmt.Sprintf("once-%d", g.made.Add(1)))
		return nil
	}).Run(b, func() error { return f.authorize(b.Context(), agent) })
	f.report(b, took)
}

func (f *firm) report(b *testing.B, took []time.Duration) {
	b.Helper()
	latency.Report(b, time.Millisecond, "", took)
	f.seen.mu.Lock()
	defer f.seen.mu.Unlock()
	for part, took := range f.seen.parts {
		show := latency.ReportPart
		if part == "signing" {
			show = latency.Report
		}
		show(b, time.Millisecond, part+"-", took)
	}
	f.reportWarm(b)
}

func (f *firm) reportWarm(b *testing.B) {
	b.Helper()
	b.ReportMetric(100*float64(f.seen.warm)/float64(f.seen.warm+f.seen.cold), "warm-percent")
}

// sustained counts signatures while several agents' calls are always under way: the other truth about warm ones, whose
// arithmetic somebody has to do.
func (g *signerBench) sustained(b *testing.B) {
	f := g.open(b, g.hosts.address)
	agent := f.enrol(b, benchAgent)
	plan := planFor(b, sharesCold, nil)
	opened := time.Now()
	var all, counted, first, last atomic.Int64 // first and last are nanoseconds since opened
	var paying sync.WaitGroup
	for range benchCallers {
		paying.Go(func() {
			for time.Since(opened) < plan.TimeMax || counted.Load() == 0 {
				if err := f.authorize(b.Context(), agent); err != nil {
					b.Error(err)
					return
				}
				last.Store(int64(time.Since(opened)))
				switch nth := all.Add(1); {
				case nth == benchCallers:
					first.Store(last.Load())
					f.seen.reset()
				case nth > benchCallers:
					counted.Add(1)
				}
			}
		})
	}
	paying.Wait()
	span := time.Duration(last.Load() - first.Load())
	if b.Failed() || span <= 0 {
		b.Fatalf("%d signatures in %s", counted.Load(), span)
	}
	b.ReportMetric(float64(counted.Load())/span.Seconds(), "signatures/s")
	b.ReportMetric(float64(counted.Load()), "samples-count")
	f.reportWarm(b)
}

// restart measures how long a co-signer that was started takes to its first signature: the passphrase's key, the
// keystore, compiled plugins, the ledger, connections, and a cold session.
func (g *signerBench) restart(b *testing.B) {
	f := g.open(b, g.hosts.address)
	agent := f.enrol(b, benchAgent)
	plan := planFor(b, sharesOne, func() error { g.cosigner.stop(b); return nil })
	plan.SamplesMax = benchRestarts
	took := plan.Run(b, func() error {
		g.cosigner = g.hosts.start(b, roleCosigner)
		return f.authorize(b.Context(), agent)
	})
	latency.Report(b, time.Millisecond, "", took)
}
