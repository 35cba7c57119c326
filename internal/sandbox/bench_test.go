package sandbox

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

func benchmarkInstall(b *testing.B, wasm []byte, grants Grants, cached bool) {
	config := Config{}
	if cached {
		config.CacheDir = filepath.Join(b.TempDir(), "cache")
	}
	h := openHost(b, config)
	run := func() {
		p, err := h.Install(context.Background(), wasm, abi.KindPolicy, grants)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
	}
	run()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		run()
		took = append(took, time.Since(start))
	}
	// The mean says how busy the machine is, these what an open takes.
	slices.Sort(took)
	b.ReportMetric(float64(took[0].Microseconds())/1000, "ms-min")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
}

func BenchmarkInstallWATCold(b *testing.B) {
	benchmarkInstall(b, guest(b, "echo_policy"), everything, false)
}

func BenchmarkInstallWATCached(b *testing.B) {
	benchmarkInstall(b, guest(b, "echo_policy"), everything, true)
}

func BenchmarkInstallGoCold(b *testing.B) { benchmarkInstall(b, buildGoGuest(b), Grants{}, false) }

func BenchmarkInstallGoCached(b *testing.B) { benchmarkInstall(b, buildGoGuest(b), Grants{}, true) }

func benchmarkCall(b *testing.B, p *Plugin) {
	c := configure(b, p, "{}")
	for b.Loop() {
		if _, err := decide(c, "request"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallWAT(b *testing.B) {
	benchmarkCall(b, install(b, openHost(b, Config{}), "echo_policy"))
}

func BenchmarkCallGo(b *testing.B) {
	p, err := openHost(b, Config{}).Install(context.Background(), buildGoGuest(b), abi.KindPolicy, Grants{})
	if err != nil {
		b.Fatal(err)
	}
	benchmarkCall(b, p)
}

// BenchmarkPutBack measures what a reset of a Go guest's memory takes: by copying all of it, by comparing all of it, and
// by comparing what eight marks stand for.
func BenchmarkPutBack(b *testing.B) {
	memory, clean := make([]byte, 38*wasmPageBytes), make([]byte, 38*wasmPageBytes)
	for at := range memory {
		memory[at], clean[at] = byte(at), byte(at) // #nosec G115 -- any content but zeros
	}
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			copy(memory, clean)
		}
	})
	for name, dirty := range map[string]uint64{"compare": math.MaxUint64, "marked": 0x0101010101010101} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				putBack(memory, clean, dirty)
			}
		})
	}
}
