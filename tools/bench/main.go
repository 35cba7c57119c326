// Command bench decides the same payment requests by the same policy in purser's sandbox, in other plugin hosts, in
// policy languages and in plain Go, all in one process and in turn, and prints what a decision takes in each. It
// refuses to print anything for engines that do not agree on every decision, and to judge: figures from a shared
// machine are read, not asserted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"time"

	"github.com/purserhq/purser/tools/bench/cases"
	"github.com/purserhq/purser/tools/bench/guests"
)

type options struct {
	rounds int
	slice  time.Duration
	json   bool
	// ci makes a missing compiler an error.
	ci bool
}

func main() {
	o := options{ci: os.Getenv("CI") == "true"}
	flag.IntVar(&o.rounds, "rounds", 5, "how often each engine has its turn")
	flag.DurationVar(&o.slice, "slice", time.Second, "how long a turn takes")
	flag.BoolVar(&o.json, "json", os.Getenv("JSON") == "1", "print one JSON object a line")
	flag.Parse()
	if o.rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(context.Background(), os.Stdout, os.Stderr, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, progress io.Writer, o options) (err error) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format+"\n", args...) } // progress for a person, nothing depends on it
	say("building the guests")
	modules, err := guests.Build(ctx, ".")
	if errors.Is(err, guests.ErrNoRust) && !o.ci && modules.PurserGo != nil {
		say("SKIPPED every subject in Rust: %v", err)
	} else if err != nil {
		return err
	}
	cache, err := os.MkdirTemp("", "purser-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(cache)) }()
	say("compiling the guests and opening the engines")
	subjects, err := openSubjects(ctx, modules, cache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSubjects(ctx, subjects)) }()
	all := cases.All()
	if err := agree(ctx, subjects, all); err != nil {
		return fmt.Errorf("the engines do not agree: %w", err)
	}
	say("%d engines agree on %d requests; %d rounds of %s each", len(subjects), len(all), o.rounds, o.slice)
	measured, err := measure(ctx, subjects, all, o.rounds, o.slice)
	if err != nil {
		return err
	}
	var spent map[string]costs
	if goruntime.GOOS != "linux" {
		say("SKIPPED what a guest costs: only Linux says what a process keeps")
	} else if spent, err = countCosts(ctx, modules, cache); err != nil {
		return err
	}
	r := report{subjects: subjects, figures: measured, costs: spent}
	if o.json {
		return r.printJSON(out)
	}
	return r.printTable(out)
}
