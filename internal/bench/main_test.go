package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rowsOf(t *testing.T, s suite, output string) []row {
	t.Helper()
	rows, err := s.rows(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRowsAreWhatABenchmarkReportsItself(t *testing.T) {
	output := `goos: linux
BenchmarkPay/mpc-cold-2   	      20	  51 ns/op	        12.50 p50-ms	        99.00 p99-ms	  16 B/op
BenchmarkDurableDecisions/callers=16-2  	 100	 5 ns/op	  812.0 decisions/s
BenchmarkGuard-2  	 100	 341566 ns/op	 16 B/op
PASS
`
	got := rowsOf(t, suite{names: map[string]naming{"Pay": {"pay", ""}, "DurableDecisions": {"durable", "sqlite"}, "Guard": {"sign", "guard"}}}, output)
	want := []row{
		{Bench: "pay", Subject: "mpc-cold", Metric: "p50", Unit: "ms", Value: "12.50"},
		{Bench: "pay", Subject: "mpc-cold", Metric: "p99", Unit: "ms", Value: "99.00"},
		{Bench: "durable", Subject: "sqlite-16", Metric: "throughput", Unit: "1/s", Value: "812.0"},
		{Bench: "sign", Subject: "guard", Metric: "mean", Unit: "ms", Value: "0.3416"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSubBenchmarksNameBenchSubjectAndPartAndTheWholeComesFirst(t *testing.T) {
	output := `BenchmarkSigner/sign/warm-rtt40-2  1  51 ns/op  131.0 p95-ms  24.00 samples-count  99.50 signing-p95-ms  100.0 warm-percent
BenchmarkSigner/sign/sustained 1 51 ns/op 2.10 signatures/s
`
	got := rowsOf(t, suite{}, output)
	want := []row{
		{Bench: "sign", Subject: "warm-rtt40", Metric: "p95", Unit: "ms", Value: "131.0"},
		{Bench: "sign", Subject: "warm-rtt40", Metric: "samples", Unit: "count", Value: "24.00"},
		{Bench: "sign", Subject: "warm-rtt40", Metric: "warm", Unit: "percent", Value: "100.0"},
		{Bench: "sign", Subject: "warm-rtt40-signing", Metric: "p95", Unit: "ms", Value: "99.50"},
		{Bench: "sign", Subject: "sustained", Metric: "throughput", Unit: "1/s", Value: "2.10"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAFigureStandsBesideItsAimAndMissesItWithoutFailing(t *testing.T) {
	for _, test := range []struct {
		row  row
		want string
	}{
		{row{"sign", "warm-loopback", "p95", "ms", "40.00"}, "MET: aim at most 40 ms  founding article: 140 ms"},
		{row{"sign", "warm-loopback", "p95", "ms", "40.01"}, "MISSED: aim at most 40 ms"},
		{row{"sign", "sustained", "throughput", "1/s", "2.0"}, "MET: aim at least 2 1/s"},
		{row{"sign", "sustained", "throughput", "1/s", "1.9"}, "MISSED: aim at least 2 1/s"},
	} {
		var out strings.Builder
		if err := (suite{against: "a peer"}).show(&out, []row{test.row}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%+v is shown as %q, want %q", test.row, out.String(), test.want)
		}
	}
	if _, ok := aimOf(row{"sign", "single-key", "p95", "ms", "1"}); ok {
		t.Error("a peer has an aim of ours")
	}
}

func TestOneBenchOfASuiteThatNamesItsOwnCanBeAskedFor(t *testing.T) {
	for _, s := range append(append([]suite(nil), spineSuites...), signerSuites...) {
		if s.names == nil && s.pattern("sign") != "^Benchmark("+s.functions+")$/^sign$" {
			t.Errorf("%s runs %s", s.functions, s.pattern("sign"))
		}
		for _, function := range strings.Split(s.functions, "|") {
			if _, ok := s.names[function]; !ok && s.names != nil {
				t.Errorf("nothing names the rows of %s", function)
			}
		}
	}
}
