package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// row is one figure.
type row struct {
	Bench   string      `json:"bench"`
	Subject string      `json:"subject"`
	Metric  string      `json:"metric"`
	Unit    string      `json:"unit"`
	Value   json.Number `json:"value"`
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

// result is a line such as "BenchmarkPay/single-key-2   20   12 ns/op   3.4 p50-ms"; GOMAXPROCS ends the name.
var result = regexp.MustCompile(`^Benchmark([^\s/]*?)(?:/(\S*?))?(?:-\d+)?\s+\d+\s+(.*)$`)

// metrics are those that a benchmark reports itself, with a unit after them.
var metrics = []string{"p50", "p95", "p99", "samples", "warm"}

// rows reads go's output. Only the metrics that a benchmark reports itself count, because ns/op would hide their spread;
// one that reports none has ns/op as its mean.
func (s suite) rows(output io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		match := result.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		bench, subject := s.named(match[1], match[2])
		fields := strings.Fields(match[3])
		named := len(rows)
		for i := 0; i+1 < len(fields); i += 2 {
			if r, ok := reported(fields[i], fields[i+1]); ok {
				r.Bench, r.Subject = bench, strings.Trim(subject+"-"+r.Subject, "-")
				rows = append(rows, r)
			}
		}
		if len(rows) > named { // the whole before its parts
			slices.SortStableFunc(rows[named:], func(a, b row) int { return strings.Compare(a.Subject, b.Subject) })
			continue
		}
		mean, err := milliseconds(fields)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		rows = append(rows, row{bench, subject, "mean", "ms", mean})
	}
	return rows, lines.Err()
}

// named says what the rows of a function's sub-benchmark are called.
func (s suite) named(function, sub string) (bench, subject string) {
	name, ok := s.names[function]
	if !ok {
		bench, subject, _ = strings.Cut(sub, "/")
		return bench, subject
	}
	subject = strings.Trim(name.prefix+"-"+strings.TrimPrefix(sub, "callers="), "-")
	if subject == "" {
		subject = strings.ToLower(function)
	}
	return name.bench, subject
}

// reported reads a metric such as "p50-ms", "signing-p50-ms" or "decisions/s". The row's subject is the part of the
// operation that it is about, empty for the whole.
func reported(value, name string) (row, bool) {
	if thing, perSecond := strings.CutSuffix(name, "/s"); perSecond && thing != "MB" {
		return row{Metric: "throughput", Unit: "1/s", Value: json.Number(value)}, true
	}
	for _, metric := range metrics {
		part, unit, ok := strings.Cut("-"+name, "-"+metric+"-")
		if ok {
			return row{Subject: strings.Trim(part, "-"), Metric: metric, Unit: unit, Value: json.Number(value)}, true
		}
	}
	return row{}, false
}

// nanosPerMilli is what testing's ns/op is divided by.
const nanosPerMilli = 1_000_000

func milliseconds(fields []string) (json.Number, error) {
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i+1] != "ns/op" {
			continue
		}
		nanos, ok := new(big.Rat).SetString(fields[i])
		if !ok {
			return "", fmt.Errorf("%q is no number", fields[i])
		}
		return json.Number(nanos.Quo(nanos, big.NewRat(nanosPerMilli, 1)).FloatString(4)), nil
	}
	return "", fmt.Errorf("it has no metric of its own and no ns/op")
}
