package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRowsAreWhatABenchmarkReportsItself(t *testing.T) {
	output := `goos: linux
BenchmarkPay/mpc-cold-2   	      20	  51 ns/op	        12.50 p50-ms	        99.00 p99-ms	  16 B/op
BenchmarkDurableDecisions/callers=16-2  	 100	 5 ns/op	  812.0 decisions/s
PASS
`
	got, err := suite{bench: "pay", prefix: ""}.rows(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{Bench: "pay", Subject: "mpc-cold", Metric: "p50", Unit: "ms", Value: "12.50"},
		{Bench: "pay", Subject: "mpc-cold", Metric: "p99", Unit: "ms", Value: "99.00"},
		{Bench: "pay", Subject: "16", Metric: "throughput", Unit: "1/s", Value: "812.0"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
