package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// benchName is the bench of every row.
const benchName = "policy"

// report is everything that was measured, by subject.
type report struct {
	subjects []subject // in the order to print them
	figures  map[string]figures
	costs    map[string]costs
}

// row is one figure. Value is a decimal number.
type row struct {
	Bench   string      `json:"bench"`
	Subject string      `json:"subject"`
	Metric  string      `json:"metric"`
	Unit    string      `json:"unit"`
	Value   json.Number `json:"value"`
}

// thousandths writes n/1000 as a decimal number.
func thousandths(n int64) json.Number { return json.Number(fmt.Sprintf("%d.%03d", n/1000, n%1000)) }

func micros(d time.Duration) json.Number { return thousandths(d.Nanoseconds()) }

func millis(d time.Duration) json.Number { return thousandths(d.Microseconds()) }

func kibi(bytes uint64) json.Number { return thousandths(kibiThousandths(bytes)) }

func kibiThousandths(bytes uint64) int64 { return int64(bytes) * 1000 / 1024 } //nolint:gosec // far below 2^53

func (r report) rows() (rows []row) {
	for _, s := range r.subjects {
		add := func(metric, unit string, value json.Number) {
			rows = append(rows, row{benchName, s.name, metric, unit, value})
		}
		f := r.figures[s.name]
		add("p50", "us", micros(f.p50))
		add("p99", "us", micros(f.p99))
		add("ops", "1/s", json.Number(fmt.Sprint(f.perSecond)))
		add("iterations", "1", json.Number(fmt.Sprint(f.iterations)))
		if c, ok := r.costs[s.name]; ok {
			add("cold_open", "ms", millis(c.coldOpen))
			add("linear_memory", "KiB", kibi(c.bytes.linear))
			add("instance", "KiB", kibi(c.bytes.instance()))
			add("configured", "KiB", kibi(c.bytes.configured))
		}
	}
	for _, a := range r.aims() {
		if a.ratio {
			rows = append(rows, row{benchName, a.subject, a.metric, a.unit, thousandths(a.measured)})
		}
	}
	return rows
}

// aim is a figure that the project promised. Figures are in thousandths of the unit.
type aim struct {
	subject, metric, unit string
	measured, limit       int64
	// ratio is at least the limit; any other figure is at most the limit, and has a row of its own.
	ratio bool
}

func (a aim) met() bool {
	if a.ratio {
		return a.measured >= a.limit
	}
	return a.measured <= a.limit
}

// aims holds those whose subjects ran.
func (r report) aims() (aims []aim) {
	for _, a := range []struct {
		subject, peer string
		p50Max        time.Duration
		timesMin      int64
	}{
		{purserRust, extismRust, 15 * time.Microsecond, 10},
		{purserGo, extismGo, 120 * time.Microsecond, 3},
	} {
		ours, ran := r.figures[a.subject]
		theirs, peerRan := r.figures[a.peer]
		if ran && peerRan {
			aims = append(aims,
				aim{a.subject, "p50", "us", ours.p50.Nanoseconds(), a.p50Max.Nanoseconds(), false},
				aim{a.subject, "times_faster_than_" + a.peer, "ratio", theirs.p50.Nanoseconds() * 1000 / max(ours.p50.Nanoseconds(), 1), a.timesMin * 1000, true},
			)
		}
	}
	if c, ok := r.costs[purserGo]; ok {
		aims = append(aims, aim{purserGo, "cold_open", "ms", c.coldOpen.Microseconds(), 50_000, false})
	}
	if c, ok := r.costs[purserRust]; ok {
		aims = append(aims, aim{purserRust, "instance", "KiB", kibiThousandths(c.bytes.instance()), 200_000, false})
	}
	return aims
}

func (r report) printJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	for _, row := range r.rows() {
		if err := encoder.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func (r report) printTable(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(table, format+"\t\n", args...) } // Flush reports
	line("one decision\tp50 us\tp99 us\tops/s\titerations\tx native")
	native := max(r.figures["native"].p50.Nanoseconds(), 1)
	for _, s := range r.subjects {
		f := r.figures[s.name]
		line("%s\t%s\t%s\t%d\t%d\t%d", s.name, micros(f.p50), micros(f.p99), f.perSecond, f.iterations, (f.p50.Nanoseconds()+native/2)/native)
	}
	_, _ = fmt.Fprintln(table)
	line("one guest\tcold open ms\tlinear KiB\tinstance KiB\tconfigured KiB\t")
	for _, s := range r.subjects {
		if c, ok := r.costs[s.name]; ok {
			line("%s\t%s\t%s\t%s\t%s\t", s.name, millis(c.coldOpen), kibi(c.bytes.linear), kibi(c.bytes.instance()), kibi(c.bytes.configured))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	table = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line("\naim\tmeasured\twanted\t")
	for _, a := range r.aims() {
		bound, verdict := "at most", "met"
		if a.ratio {
			bound = "at least"
		}
		if !a.met() {
			verdict = "MISSED"
		}
		line("%s %s\t%s %s\t%s %d\t%s", a.subject, a.metric, thousandths(a.measured), a.unit, bound, a.limit/1000, verdict)
	}
	return table.Flush()
}
