package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	goruntime "runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/purserhq/purser/tools/bench/cases"
	"github.com/purserhq/purser/tools/bench/engine"
	"github.com/purserhq/purser/tools/bench/guests"
)

const (
	// opens is how often a cached plugin is opened for the median.
	opens = 15
	// guestsCounted is how many configured guests stand beside each other when their memory is counted.
	guestsCounted = 64
)

// coldOpen is the median time from nothing to a guest ready to decide: host, module from the compilation cache,
// instance, configuration. The cache must be warm.
func coldOpen(ctx context.Context, module []byte, cache string) (time.Duration, error) {
	var took []time.Duration
	for range opens {
		goruntime.GC()
		start := time.Now()
		e, err := engine.OpenPurser(ctx, module, cases.Config(), cache)
		if err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
		if err := e.Close(ctx); err != nil {
			return 0, err
		}
	}
	return percentile(took, 50), nil
}

// costs are what a guest takes before and beside its decisions.
type costs struct {
	coldOpen time.Duration
	bytes    guestBytes
}

// countCosts counts purser's guests by subject. Those that were not built have none. It needs Linux.
func countCosts(ctx context.Context, m guests.Modules, cache string) (map[string]costs, error) {
	all := map[string]costs{}
	for subject, module := range map[string][]byte{purserRust: m.PurserRust, purserGo: m.PurserGo} {
		if module == nil {
			continue
		}
		open, err := coldOpen(ctx, module, cache)
		if err != nil {
			return nil, err
		}
		bytes, err := countGuestBytes(ctx, module, cache)
		if err != nil {
			return nil, err
		}
		all[subject] = costs{open, bytes}
	}
	return all, nil
}

// guestBytes is what a guest keeps of the machine's memory between its decisions: pages that were written, on Go's heap
// or off it. The compiled code is not in it: all share that.
type guestBytes struct {
	// linear is the size of the guest's own memory.
	linear uint64
	// configured is one configured guest: its first instance, and the image that instances are put back to.
	configured uint64
}

// instance is what one more instance of a configured guest takes: everything but the image, which is a copy of the
// linear memory.
func (g guestBytes) instance() uint64 { return g.configured - min(g.configured, g.linear) }

func countGuestBytes(ctx context.Context, module []byte, cache string) (g guestBytes, err error) {
	e, err := engine.OpenPurser(ctx, module, cases.Config(), cache)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, e.Close(ctx)) }()
	request := cases.All()[0].Request
	before, err := privateBytes()
	if err != nil {
		return g, err
	}
	for range guestsCounted {
		if g.linear, err = e.Another(ctx, cases.Config(), request); err != nil {
			return g, err
		}
	}
	after, err := privateBytes()
	g.configured = (after - min(after, before)) / guestsCounted
	return g, err
}

var privateDirty = regexp.MustCompile(`(?m)^Private_Dirty:\s+(\d+) kB$`)

// privateBytes asks Linux how much memory this process has written and shares with nobody, garbage aside.
func privateBytes() (uint64, error) {
	debug.FreeOSMemory() // collects first
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, fmt.Errorf("count memory: %w", err)
	}
	match := privateDirty.FindSubmatch(text)
	if match == nil {
		return 0, errors.New("count memory: /proc/self/smaps_rollup has no Private_Dirty")
	}
	kibi, err := strconv.ParseUint(string(match[1]), 10, 44)
	return kibi * 1024, err
}
