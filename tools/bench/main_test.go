package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/cases"
	"github.com/purserhq/purser/tools/bench/guests"
	"github.com/purserhq/purser/tools/bench/policy"
)

func buildGuests(t *testing.T) guests.Modules {
	t.Helper()
	modules, err := guests.Build(t.Context(), ".")
	if errors.Is(err, guests.ErrNoRust) && modules.PurserGo != nil && os.Getenv("CI") != "true" {
		t.Log("SKIPPED the guests in Rust:", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return modules
}

func TestEveryEngineDecidesEveryRequestAlike(t *testing.T) {
	modules := buildGuests(t)
	subjects, err := openSubjects(t.Context(), modules, filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeSubjects(context.Background(), subjects); err != nil {
			t.Error(err)
		}
	})
	if want := 13; len(subjects) != want && modules.PurserRust != nil {
		t.Errorf("%d subjects, want %d", len(subjects), want)
	}
	if err := agree(t.Context(), subjects, cases.All()); err != nil {
		t.Error(err)
	}
}

func TestTheCasesTouchEveryRule(t *testing.T) {
	outcomes, codes := map[uint8]bool{}, map[string]bool{}
	for _, c := range cases.All() {
		outcomes[c.Want.Outcome] = true
		for _, code := range c.Want.Codes {
			codes[code] = true
		}
	}
	for _, rule := range policy.Codes {
		if !codes[rule.Code] {
			t.Errorf("no case has %s", rule.Code)
		}
	}
	if len(outcomes) != 3 {
		t.Errorf("outcomes %v", outcomes)
	}
	if n := len(cases.Config().Payees); n != 100 {
		t.Errorf("%d payees", n)
	}
}

// liar is an engine that allows everything.
type liar struct{ err error }

func (l liar) Decide(context.Context, *abi.DecideRequest) (policy.Verdict, error) {
	return policy.Verdict{Outcome: policy.Allow}, l.err
}

func (l liar) Close(context.Context) error { return nil }

func TestAnEngineThatDecidesOtherwiseEndsTheRun(t *testing.T) {
	all := cases.All()
	for name, wrong := range map[string]liar{"it allows": {}, "it fails": {errors.New("no")}} {
		subjects := []subject{{"liar", wrong}}
		if err := agree(t.Context(), subjects, all); err == nil {
			t.Errorf("%s: it agrees", name)
		}
		if _, err := measure(t.Context(), subjects, all, 1, time.Millisecond); err == nil {
			t.Errorf("%s: it was measured", name)
		}
	}
}

func TestFiguresAreMediansOfRoundsAndAPooledP99(t *testing.T) {
	ms := func(n ...int) (d []time.Duration) {
		for _, n := range n {
			d = append(d, time.Duration(n)*time.Millisecond)
		}
		return d
	}
	got := summarise([][]time.Duration{ms(3, 1, 2), ms(10, 10, 100), ms(5, 4, 6)})
	want := figures{p50: 5 * time.Millisecond, p99: 10 * time.Millisecond, perSecond: 200, iterations: 9}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRowsAreOneJSONObjectALine(t *testing.T) {
	r := report{
		subjects: []subject{{purserRust, nil}, {extismRust, nil}},
		figures: map[string]figures{
			purserRust: {p50: 12_345, p99: 20_001, perSecond: 81_004, iterations: 7},
			extismRust: {p50: 123_450, p99: 200_010, perSecond: 8_100, iterations: 7},
			"native":   {p50: 250},
		},
		costs: map[string]costs{purserRust: {coldOpen: 1_234_567, bytes: guestBytes{linear: 128 << 10, configured: 328 << 10}}},
	}
	var out bytes.Buffer
	if err := r.printJSON(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, want := range []string{
		`{"bench":"policy","subject":"purser-rust-hardened","metric":"p50","unit":"us","value":12.345}`,
		`{"bench":"policy","subject":"purser-rust-hardened","metric":"cold_open","unit":"ms","value":1.234}`,
		`{"bench":"policy","subject":"purser-rust-hardened","metric":"instance","unit":"KiB","value":200.000}`,
		`{"bench":"policy","subject":"purser-rust-hardened","metric":"times_faster_than_extism-rust-timeout","unit":"ratio","value":10.000}`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
	for i, line := range lines {
		if !json.Valid([]byte(line)) || slices.Contains(lines[:i], line) {
			t.Errorf("not JSON, or there twice: %s", line)
		}
	}
	out.Reset()
	if err := r.printTable(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "MISSED") || !strings.Contains(text, "met") {
		t.Errorf("aims that are met to the last digit:\n%s", text)
	}
	r.figures[purserRust] = figures{p50: 15_001}
	r.costs[purserRust] = costs{bytes: guestBytes{configured: 201 << 10}}
	for _, a := range r.aims() {
		if a.met() {
			t.Errorf("%s is met by %s", a.metric, thousandths(a.measured))
		}
	}
}
