// Command bench runs the benchmarks that the documentation quotes and prints them beside what they are compared with:
// a peer in the same run, a limit somebody published, or an aim of this project. It refuses to judge: figures from a
// shared machine are read, not asserted, and a missed aim is printed and fails nothing. With -json it prints rows
// {"bench","subject","metric","unit","value"}.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// shareSecondsDefault is one share of the time that the signer's subjects have: with fourteen shares, some of which end
// earlier, and the compiler, the whole takes less than three minutes on two quiet cores.
const shareSecondsDefault = 8

// options are what a run is asked for.
type options struct {
	json, signer bool
	only         string
}

func main() {
	var o options
	flag.BoolVar(&o.json, "json", os.Getenv("JSON") == "1", "print one JSON object a line")
	flag.BoolVar(&o.signer, "signer", false, "run the signer's benchmarks instead: signatures and wallets for agents")
	flag.StringVar(&o.only, "only", "", "run one bench: decision, durable or pay; with -signer: sign or provision")
	seconds := flag.Uint("seconds", shareSecondsDefault, "one of the 14 shares of the time that the signer's two processes are measured: more for more samples")
	flag.Parse()
	err := os.Setenv("PURSER_BENCH_SECONDS", strconv.FormatUint(uint64(*seconds), 10))
	if err == nil {
		err = run(os.Stdout, os.Stderr, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(out, progress io.Writer, o options) error {
	suites := spineSuites
	if o.signer {
		suites = signerSuites
	} else {
		buildRust(progress)
	}
	ran := 0
	for _, s := range suites {
		if o.only != "" && !s.has(o.only) {
			continue
		}
		_, _ = fmt.Fprintf(progress, "running %s\n", s.functions) // progress for a person, nothing depends on it
		rows, err := s.run(o.only)
		if err != nil {
			return err
		}
		ran += len(rows)
		show := s.show
		if o.json {
			show = showJSON
		}
		if err := show(out, rows); err != nil {
			return err
		}
	}
	if ran == 0 {
		return errors.New("no benchmark ran")
	}
	return nil
}

// buildRust compiles the Rust policy for the decision bench, where the machine has the compiler.
func buildRust(progress io.Writer) {
	path := filepath.Join(os.TempDir(), "purser-bench-policy.wasm")
	if output, err := exec.Command("sh", "examples/policy-rust/build.sh", path).CombinedOutput(); err != nil { //nolint:gosec // a script of this repository
		_, _ = fmt.Fprintf(progress, "SKIPPED rust-plugin: its compiler is missing (%v)\n%s", err, output)
		return
	}
	if err := os.Setenv("PURSER_BENCH_RUST", path); err != nil {
		_, _ = fmt.Fprintf(progress, "SKIPPED rust-plugin: %v\n", err)
	}
}
