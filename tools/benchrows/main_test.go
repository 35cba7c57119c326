package main

import (
	"strings"
	"testing"
)

func TestConvert(t *testing.T) {
	in := `goos: linux
pkg: github.com/purserhq/purser/runtime/store/sqlite
BenchmarkDecide/agents=16-2   	     100	  123456 ns/op	        81.50 decisions/s	     120 B/op	       3 allocs/op
BenchmarkOpen 	       1	 2000000 ns/op
PASS
ok  	github.com/purserhq/purser/runtime/store/sqlite	1.5s
`
	want := `{"bench":"sqlite.Decide","subject":"agents=16","metric":"time","unit":"ns/op","value":123456}
{"bench":"sqlite.Decide","subject":"agents=16","metric":"decisions/s","unit":"decisions/s","value":81.50}
{"bench":"sqlite.Decide","subject":"agents=16","metric":"memory","unit":"B/op","value":120}
{"bench":"sqlite.Decide","subject":"agents=16","metric":"memory","unit":"allocs/op","value":3}
{"bench":"sqlite.Open","subject":"","metric":"time","unit":"ns/op","value":2000000}
`
	var out strings.Builder
	if err := convert(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestConvertRefusesARunWithoutResults(t *testing.T) {
	for _, in := range []string{"", "PASS\n", "BenchmarkA-2 1 5 ns/op\n--- FAIL: BenchmarkB\nFAIL\n", "BenchmarkA-2 what\n"} {
		if err := convert(strings.NewReader(in), &strings.Builder{}); err == nil {
			t.Errorf("%q was accepted", in)
		}
	}
}
