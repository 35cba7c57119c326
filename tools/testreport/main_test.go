package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const (
		ran     = `{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}` + "\n"
		passed  = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}` + "\n"
		packed  = `{"Action":"pass","Package":"p","Elapsed":1.5}` + "\n"
		said    = `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: no postgres\n"}` + "\n"
		skipped = `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n"
		failed  = `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n"
		ended   = `{"Action":"fail","Package":"p"}` + "\n"
		broken  = `{"Action":"build-output","ImportPath":"p","Output":"p.go:1: syntax error\n"}` + "\n" +
			`{"Action":"fail","Package":"p","FailedBuild":"p"}` + "\n"
	)
	for _, c := range []struct {
		name, in  string
		passed    bool
		wantInOut []string
	}{
		{"a passing package is one line", ran + passed + packed, true, []string{"ok      p", "tests: 1 passed, 0 failed, 0 skipped\n"}},
		{"a skip is told with its reason", passed + said + skipped + packed, true, []string{"SKIPPED p TestB", "no postgres", "1 skipped"}},
		{"a failure shows what the test printed and counts once", said + failed + ended, false, []string{"FAILED p TestB", "no postgres", "1 failed"}},
		{"a package that does not build fails", passed + broken, false, []string{"p.go:1: syntax error", "1 failed"}},
		{"no test at all is a failure", packed, false, []string{"tests: 0 passed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(c.in), &out)
			if err != nil || ok != c.passed {
				t.Errorf("report says %v, %v; want %v", ok, err, c.passed)
			}
			for _, want := range c.wantInOut {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the report lacks %q:\n%s", want, out.String())
				}
			}
		})
	}
	if _, err := report(strings.NewReader("panic: boom\n"), &strings.Builder{}); err == nil {
		t.Error("text that is no event was accepted")
	}
}
