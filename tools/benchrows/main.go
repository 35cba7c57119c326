// Command benchrows turns the output of `go test -bench` into one JSON object a line, and refuses to guess: a line
// that is no measurement is no row.
//
//	go test -run '^$' -bench . ./... | benchrows
//
// A row is {"bench","subject","metric","unit","value"}: BenchmarkPay/sqlite-2 in package runtime becomes bench
// "runtime.Pay", subject "sqlite"; each pair of number and unit is a row of its own.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
)

const lineBytesMax = 1 << 20

// benchmark matches the name and run count of a result line; the name ends with GOMAXPROCS.
var benchmark = regexp.MustCompile(`^Benchmark([^\s/]*?)(?:/(\S*?))?(?:-\d+)?\s+\d+\s+(.*)$`)

type row struct {
	Bench   string      `json:"bench"`
	Subject string      `json:"subject"`
	Metric  string      `json:"metric"`
	Unit    string      `json:"unit"`
	Value   json.Number `json:"value"`
}

func main() {
	if err := convert(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchrows:", err)
		os.Exit(1)
	}
}

// convert fails when a benchmark failed or none ran.
func convert(r io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineBytesMax)
	encoder := json.NewEncoder(w)
	var pkg string
	rows, failed := 0, false
	for lines.Scan() {
		text := lines.Text()
		if name, ok := strings.CutPrefix(text, "pkg: "); ok {
			pkg = path.Base(name)
		}
		failed = failed || strings.HasPrefix(text, "FAIL") || strings.HasPrefix(text, "--- FAIL")
		for _, measured := range rowsOf(pkg, text) {
			if err := encoder.Encode(measured); err != nil {
				return fmt.Errorf("write row: %w", err)
			}
			rows++
		}
	}
	switch {
	case lines.Err() != nil:
		return fmt.Errorf("read benchmarks: %w", lines.Err())
	case failed:
		return errors.New("a benchmark failed")
	case rows == 0:
		return errors.New("no benchmark ran")
	}
	return nil
}

func rowsOf(pkg, line string) []row {
	match := benchmark.FindStringSubmatch(line)
	if match == nil {
		return nil
	}
	fields := strings.Fields(match[3])
	var rows []row
	for i := 0; i+1 < len(fields); i += 2 {
		// A custom metric is written decisions/s or p99-ns: go names both unit and metric in one word.
		metric, unit := "time", fields[i+1]
		switch unit {
		case "ns/op":
		case "B/op", "allocs/op":
			metric = "memory"
		case "MB/s":
			metric = "throughput"
		default:
			metric = unit
		}
		rows = append(rows, row{pkg + "." + match[1], match[2], metric, unit, json.Number(fields[i])})
	}
	return rows
}
