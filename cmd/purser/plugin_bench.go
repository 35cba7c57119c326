package main

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
)

// benchRow is one figure, in the shape that every benchmark of this project prints.
type benchRow struct {
	Bench   string `json:"bench"`
	Subject string `json:"subject"`
	Metric  string `json:"metric"`
	Unit    string `json:"unit"`
	Value   int64  `json:"value"`
}

func pluginBenchCommand(out *console) *cobra.Command {
	var calls int
	command := &cobra.Command{
		Use: "bench FILE", Short: "Measure each vector: p50, p99, calls a second, fuel", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) (err error) {
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			out.step("compiling %s", args[0])
			guest, err := abitest.Open(command.Context(), module, abitest.GuestConfig{CacheDir: pluginCache()})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, guest.Close()) }()
			out.done()
			vectors := guest.Manifest().Vectors
			width := len("vector")
			for _, vector := range vectors {
				width = max(width, utf8.RuneCountInString(vector.Name))
			}
			measured := 0
			for _, vector := range vectors {
				if vector.Call == "configure" {
					continue
				}
				m, err := guest.Bench(command.Context(), vector, calls, time.Now)
				if err != nil {
					return fmt.Errorf("vector %q: %w", vector.Name, err)
				}
				if measured == 0 {
					out.say("%-*s  %10s  %10s  %10s  %10s", width, "vector", "p50", "p99", "calls/s", "fuel")
				}
				if err := out.measured(guest.Manifest().Name, width, m); err != nil {
					return err
				}
				measured++
			}
			if measured == 0 {
				return &abi.Error{Code: "vectors_missing", Where: args[0], Message: "the manifest has no vectors, so there is nothing to call", Fix: "add a vector to manifest.json and build again"}
			}
			return nil
		},
	}
	command.Flags().IntVar(&calls, "calls", 1000, "how many calls of each vector are measured")
	return command
}

func (c *console) measured(plugin string, width int, m abitest.Measure) error {
	if !c.json {
		c.say("%-*s  %10v  %10v  %10d  %10d", width, m.Vector, m.P50, m.P99, m.OpsPerS, m.Fuel)
		return nil
	}
	for _, figure := range []struct {
		metric, unit string
		value        int64
	}{
		{"p50", "ns", int64(m.P50)},
		{"p99", "ns", int64(m.P99)},
		{"ops", "1/s", int64(m.OpsPerS)}, //nolint:gosec // far below 2^63
		{"fuel", "1", int64(m.Fuel)},     //nolint:gosec // far below 2^63
	} {
		if err := c.line(benchRow{"plugin", plugin + "/" + m.Vector, figure.metric, figure.unit, figure.value}); err != nil {
			return err
		}
	}
	return nil
}
