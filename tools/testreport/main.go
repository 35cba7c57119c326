// Command testreport turns `go test -json` into what a person needs: packages, the output of what failed, and every
// skip with its reason. It refuses to let a skipped test look like a passed one, which plain `go test` does.
//
//	go test -json ./... | testreport
//
// The last line is `tests: N passed, N failed, N skipped`. The exit code is 1 when anything failed or nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	lineBytesMax   = 16 << 20
	outputBytesMax = 64 << 10
)

func main() {
	passed, err := report(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}

// event is a line of test2json, or a build event of go build -json.
type event struct {
	Action, Package, ImportPath, Test, Output, FailedBuild string
	Elapsed                                                float64
}

type summary struct {
	w                       io.Writer
	passed, failed, skipped int
	// output is what each running test or package printed; a package has the test name "".
	output map[[2]string]*strings.Builder
	builds map[string]*strings.Builder
	skips  []string
	// failedIn counts the failed tests of a package.
	failedIn map[string]int
}

// report reads events until the end of the input and says whether every test passed and at least one ran.
func report(r io.Reader, w io.Writer) (bool, error) {
	s := summary{w: w, output: map[[2]string]*strings.Builder{}, builds: map[string]*strings.Builder{}, failedIn: map[string]int{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return false, fmt.Errorf("not go test -json: %.200q", lines.Text())
		}
		s.add(e)
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read events: %w", err)
	}
	for _, skip := range s.skips {
		s.print("%s", skip)
	}
	s.print("tests: %d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	return s.failed == 0 && s.passed > 0, nil
}

func (s *summary) add(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		keep(s.builds, e.ImportPath, e.Output)
	case "output":
		keep(s.output, key, e.Output)
	case "pass", "fail", "skip":
		text := take(s.output, key)
		if e.Test == "" {
			s.endPackage(e, text)
		} else {
			s.endTest(e, text)
		}
	}
}

func (s *summary) endTest(e event, text string) {
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
		s.skips = append(s.skips, fmt.Sprintf("SKIPPED %s %s\n%s", e.Package, e.Test, indent(text)))
	case "fail":
		s.failed++
		s.failedIn[e.Package]++
		s.print("FAILED %s %s\n%s", e.Package, e.Test, indent(text))
	}
}

func (s *summary) endPackage(e event, text string) {
	switch e.Action {
	case "pass":
		s.print("ok      %-70s %7.1fs\n", e.Package, e.Elapsed)
	case "fail":
		// A package also fails without a failing test: it does not build, it panics, it exits early.
		if s.failedIn[e.Package] == 0 {
			s.failed++
		}
		s.print("FAILED %s\n%s%s", e.Package, take(s.builds, e.FailedBuild), indent(text))
	}
}

// print ignores errors: a closed pipe ends the process by itself.
func (s *summary) print(format string, args ...any) { _, _ = fmt.Fprintf(s.w, format, args...) }

// keep appends to a text and drops what is beyond the limit, so that a test that prints forever costs no memory.
func keep[K comparable](texts map[K]*strings.Builder, key K, text string) {
	b, ok := texts[key]
	if !ok {
		b = &strings.Builder{}
		texts[key] = b
	}
	if b.Len() < outputBytesMax {
		b.WriteString(text)
	}
}

func take[K comparable](texts map[K]*strings.Builder, key K) string {
	b, ok := texts[key]
	if !ok {
		return ""
	}
	delete(texts, key)
	return b.String()
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "=== ") {
			b.WriteString("    " + line)
		}
	}
	return b.String()
}
