package main

import (
	"fmt"
	"io"
	"math/big"
	"text/tabwriter"
)

// aim is what a figure should be at most, or at least, on a quiet machine with two cores. beside is a figure that
// somebody published for the same thing.
type aim struct {
	bench, subject, metric string
	atMost, atLeast        int64
	beside                 string
}

// aims of this project. The founding article's 140 ms and 300 ms are for signing and for provisioning in an enclave.
var aims = []aim{
	{"sign", "warm-loopback", "p50", 15, 0, ""},
	{"sign", "warm-loopback", "p95", 40, 0, "founding article: 140 ms"},
	{"sign", "warm-loopback", "p99", 100, 0, ""},
	{"sign", "warm-rtt40", "p95", 160, 0, "80 ms are the round trips of consult and arm; founding article: 140 ms"},
	{"sign", "cold", "p50", 500, 0, ""},
	{"sign", "cold", "p95", 900, 0, "founding article: 140 ms"},
	{"sign", "eddsa", "p95", 120, 0, "founding article: 140 ms"},
	{"sign", "guard", "mean", 1, 0, ""},
	{"sign", "sustained", "throughput", 0, 2, ""},
	{"sign", "restart", "p50", 2000, 0, "with 1,000 wallets; here one"},
	{"provision", "derived", "p95", 20, 0, "founding article: 300 ms"},
	{"provision", "pooled", "p95", 50, 0, "founding article: 300 ms"},
}

func aimOf(r row) (aim, bool) {
	for _, a := range aims {
		if a.bench == r.Bench && a.subject == r.Subject && a.metric == r.Metric {
			return a, true
		}
	}
	return aim{}, false
}

// compare says how the figure stands to the aim. It is for reading: nothing fails.
func (a aim) compare(r row) string {
	value, ok := new(big.Rat).SetString(r.Value.String())
	if !ok {
		return fmt.Sprintf("%q is no number", r.Value)
	}
	said, limit, met := "at most", a.atMost, value.Cmp(big.NewRat(a.atMost, 1)) <= 0
	if a.atLeast > 0 {
		said, limit, met = "at least", a.atLeast, value.Cmp(big.NewRat(a.atLeast, 1)) >= 0
	}
	word := "MISSED"
	if met {
		word = "MET"
	}
	return fmt.Sprintf("%s: aim %s %d %s", word, said, limit, r.Unit)
}

// show prints a suite for a person: what it is compared with, then the figures beside their aims.
func (s suite) show(out io.Writer, rows []row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "# %s\n", s.against) // Flush reports
	for _, r := range rows {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s %s", r.Bench, r.Subject, r.Metric, r.Value, r.Unit)
		if a, ok := aimOf(r); ok {
			_, _ = fmt.Fprintf(table, "\t%s", a.compare(r))
			if a.beside != "" {
				_, _ = fmt.Fprintf(table, "\t%s", a.beside)
			}
		}
		_, _ = fmt.Fprintln(table)
	}
	return table.Flush()
}
