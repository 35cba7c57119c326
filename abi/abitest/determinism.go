package abitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// generations is over how many configurations of its own the runs of a vector are spread: a result that depends on
// which instance answered, or on what that instance did before, differs between them.
const generations = 2

// determinism runs each vector many times on both engines: the same bytes and the same fuel every time.
func (c *checker) determinism(ctx context.Context) {
	for i, vector := range c.manifest.Vectors {
		if c.ran[i] == nil || vector.Call == "configure" {
			continue
		}
		if what, err := c.repeat(ctx, vector); err != nil {
			c.report.failed("determinism", vector.Name, err)
		} else if what != "" {
			c.report.fail("determinism", vector.Name, what)
		} else {
			c.report.pass("determinism", vector.Name, fmt.Sprintf("%d runs on each engine: equal bytes and fuel", c.options.Runs))
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// repeat says what differed first, or nothing.
func (c *checker) repeat(ctx context.Context, vector abi.ManifestVector) (what string, err error) {
	var first *Answer
	for _, engine := range []Engine{Compiler, Interpreter} {
		for generation := range generations {
			runs := c.options.Runs / generations
			if generation == 0 {
				runs += c.options.Runs % generations
			}
			answers, err := c.guests[engine].repeat(ctx, vector, runs)
			if err != nil {
				return "", fmt.Errorf("%s: %w", engine, err)
			}
			for run := range answers {
				answer := &answers[run]
				if first == nil {
					first = answer
				}
				if what := difference(first, answer, engine, run+1); what != "" {
					return what, nil
				}
			}
		}
	}
	return "", nil
}

// difference says how an answer differs from the first one, or nothing.
func difference(first, answer *Answer, engine Engine, run int) string {
	if !bytes.Equal(first.Bytes, answer.Bytes) {
		return fmt.Sprintf("%s, run %d: answers %s, the first run %s", engine, run, clip(answer.View), clip(first.View))
	}
	if first.Fuel != answer.Fuel {
		return fmt.Sprintf("%s, run %d: uses %d fuel, the first run %d", engine, run, answer.Fuel, first.Fuel)
	}
	return ""
}

func (g *Guest) repeat(ctx context.Context, vector abi.ManifestVector, runs int) (answers []Answer, err error) {
	configured, err := g.Configure(ctx, vector.Config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, configured.Close()) }()
	for range runs {
		answer, err := configured.Call(ctx, vector.Call, vector.Request)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// headroomWarnPercent is the share of a limit above which a plugin is one busy merchant away from being denied.
const headroomWarnPercent = 50

// headroom compares the dearest vector with the limits in force.
func (c *checker) headroom(context.Context) {
	var fuel uint64
	var pages uint32
	seen := false
	for i, vector := range c.manifest.Vectors {
		if answer := c.ran[i]; answer != nil && vector.Call != "configure" {
			fuel, pages, seen = max(fuel, answer.Fuel), max(pages, answer.MemoryPages), true
		}
	}
	if !seen {
		return
	}
	fuelMax, pagesMax := c.guests[Compiler].Limits()
	for _, use := range []struct {
		name       string
		used, most uint64
		row        Row
	}{
		{"fuel", fuel, fuelMax, Row{Fuel: fuel}},
		{"memory pages", uint64(pages), pagesMax, Row{MemoryPages: pages}},
	} {
		row := use.row
		row.Check, row.Case, row.Status = "headroom", use.name, Pass
		percent := share(use.used, use.most)
		row.Detail = fmt.Sprintf("at most %d of %d (%d %%)", use.used, use.most, percent)
		if percent > headroomWarnPercent {
			row.Status = Warn
			row.Detail += fmt.Sprintf(": above %d %%, a larger request may be denied", headroomWarnPercent)
		}
		c.report.add(row)
	}
}

// share is used in percent of most, rounded up.
func share(used, most uint64) uint64 {
	if most == 0 {
		return 100
	}
	return (used*100 + most - 1) / most
}
