// Command bench runs the benchmarks that the documentation quotes and prints them beside what they are compared with:
// a peer in the same run, or a limit somebody published. It refuses to judge: figures from a shared machine are read,
// not asserted. With -json it prints rows {"bench","subject","metric","unit","value"}.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
)

// suite is one benchmark function of one package.
type suite struct {
	bench, pkg, function, time string
	// prefix goes in front of each subject, to tell two packages with one function apart.
	prefix string
	// against says what the figures are compared with.
	against string
}

var suites = []suite{
	{"decision", "./runtime/judge", "Decision", "300x", "", "policy check of the founding article: 8 ms p95; native-rules is the peer of the plugins"},
	{"durable", "./internal/sqldb", "Fsync", "1s", "", "the limit of one caller: one flushed append on the same disk"},
	{"durable", "./runtime/store/sqlite", "DurableDecisions", "2s", "sqlite", "fsync above, a decision being two commits; 1, 16 and 64 agents at once, group commit lifts it"},
	{"durable", "./runtime/store/postgres", "DurableDecisions", "2s", "postgres", "sqlite above"},
	{"sign", "./signer/mpc", "ColdSignature", "10x", "cold", "the founding article: 140 ms p95, with warm sessions; this version signs cold only"},
	{"sign", "./signer/mpc", "SingleKeySignature", "1000x", "single-key", "the peer of cold: a machine that holds the whole key"},
	{"pay", "./cmd/purser", "Pay", "20x", "", "unpaid-402 is the merchant alone; the founding article: 2.2 s p95 on a chain with 2 s blocks"},
}

type row struct {
	Bench   string      `json:"bench"`
	Subject string      `json:"subject"`
	Metric  string      `json:"metric"`
	Unit    string      `json:"unit"`
	Value   json.Number `json:"value"`
}

func main() {
	asJSON := flag.Bool("json", os.Getenv("JSON") == "1", "print one JSON object a line")
	only := flag.String("only", "", "run one bench: decision, durable, sign or pay")
	flag.Parse()
	if err := run(os.Stdout, os.Stderr, *asJSON, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(out, progress io.Writer, asJSON bool, only string) error {
	buildRust(progress)
	ran := 0
	for _, s := range suites {
		if only != "" && s.bench != only {
			continue
		}
		_, _ = fmt.Fprintf(progress, "running %s %s\n", s.bench, s.function) // progress for a person, nothing depends on it
		rows, err := s.run()
		if err != nil {
			return err
		}
		ran += len(rows)
		show := s.show
		if asJSON {
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

// show prints a suite for a person: what it is compared with, then the figures.
func (s suite) show(out io.Writer, rows []row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "# %s\n", s.against) // Flush reports
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s %s\n", r.Bench, r.Subject, r.Metric, r.Value, r.Unit)
	}
	return table.Flush()
}

func showJSON(out io.Writer, rows []row) error {
	encoder := json.NewEncoder(out)
	for _, r := range rows {
		if err := encoder.Encode(r); err != nil {
			return err
		}
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

func (s suite) run() ([]row, error) {
	command := exec.Command("go", "test", "-run", "^$", "-bench", "^Benchmark"+s.function+"$", "-benchtime", s.time, "-timeout", "20m", s.pkg) //nolint:gosec // the table above
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w\n%s%s", s.function, s.pkg, err, output, stderr.String())
	}
	return s.rows(bytes.NewReader(output))
}

// result is a line such as "BenchmarkPay/single-key-2   20   12 ns/op   3.4 p50-ms"; GOMAXPROCS ends the name.
var result = regexp.MustCompile(`^Benchmark[^\s/]*?(?:/(\S*?))?(?:-\d+)?\s+\d+\s+(.*)$`)

// rows reads go's output. Only the metrics that a benchmark reports itself count: ns/op would hide their spread.
func (s suite) rows(output io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		match := result.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		subject := strings.Trim(s.prefix+"-"+strings.TrimPrefix(match[1], "callers="), "-")
		if subject == "" {
			subject = strings.ToLower(s.function)
		}
		fields := strings.Fields(match[2])
		for i := 0; i+1 < len(fields); i += 2 {
			metric, unit, named := strings.Cut(fields[i+1], "-")
			switch {
			case fields[i+1] == "decisions/s":
				metric, unit = "throughput", "1/s"
			case !named || !strings.HasPrefix(metric, "p"):
				continue
			}
			rows = append(rows, row{s.bench, subject, metric, unit, json.Number(fields[i])})
		}
	}
	return rows, lines.Err()
}
