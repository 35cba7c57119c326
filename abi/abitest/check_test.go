package abitest

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

func contextForever() context.Context { return context.Background() }

// example builds a plugin of this repository.
func example(t *testing.T, folder string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "plugin.wasm")
	if _, err := toolchain.Build(t.Context(), filepath.Join("..", "..", "examples", folder), out); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func TestTheExamplesOfTheGoSDKPassEveryCheck(t *testing.T) {
	for folder, options := range map[string]Options{"ceiling/go": {Monotonic: []string{MonotonicAmount}}, "adapter/go": {}} {
		t.Run(folder, func(t *testing.T) {
			module := example(t, folder)
			report := checkModule(t, module, options)
			if report.Failed() || report.Count(Warn) > 0 {
				t.Errorf("\n%s", report.Table())
			}
			checks := map[string]bool{}
			for _, row := range report.Rows {
				checks[row.Check] = true
			}
			want := map[string]bool{"install": true, "vectors": true, "determinism": true, "headroom": true, "config": true, "requests": true}
			if len(options.Monotonic) > 0 {
				want["monotonic"] = true
			}
			if diff := cmp.Diff(want, checks); diff != "" {
				t.Error(diff)
			}
			if again := checkModule(t, module, options); !cmp.Equal(report, again) {
				t.Errorf("the same seed gave another report: %s", cmp.Diff(report, again))
			}
			var progress []string
			options.Progress = func(what string) { progress = append(progress, what) }
			options.Runs, options.Configs, options.Requests = 1, 1, 1
			Test(t, module, options)
			if len(progress) != 7 {
				t.Errorf("%v", progress)
			}
		})
	}
}

func TestAFileThatIsNoModuleIsAFailureAndNothingElse(t *testing.T) {
	for name, module := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "no manifest": []byte("\x00asm\x01\x00\x00\x00"),
		"no policy": embedded(t, []byte("\x00asm\x01\x00\x00\x00")),
	} {
		report, err := Check(t.Context(), module, Options{File: "junk.wasm"})
		if table := report.Table(); !strings.Contains(table, "\njunk.wasm  0 passed, 0 warnings, 1 failed") {
			t.Errorf("%s: the summary names no file: %s", name, table)
		}
		if err != nil || !report.Failed() || len(report.Rows) != 1 || report.Rows[0].Check != "install" {
			t.Errorf("%s: %+v %v", name, report, err)
		}
	}
}

func embedded(t *testing.T, module []byte) []byte {
	t.Helper()
	made, err := toolchain.Embed(module, []byte(`{"name":"x","version":"1.0.0","kind":"policy","abi":{"major":1},"description":"x","license":"MIT"}`))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestBadOptionsAreRefusedBeforeAnythingRuns(t *testing.T) {
	for _, options := range []Options{
		{Runs: -1}, {Runs: runsMax + 1}, {Configs: -1}, {Requests: requestsMax + 1}, {Monotonic: []string{"time"}},
	} {
		if report, err := Check(t.Context(), nil, options); abi.CodeOf(err) != "request_invalid" || report != nil {
			t.Errorf("%+v: %v %v", options, report, err)
		}
	}
}

func TestAnEndedContextGivesNoReport(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if report, err := Check(ctx, []byte("x"), Options{}); err == nil || report != nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v %v", report, err)
	}
}

func TestDamagedRequestsAreReproducibleAndDamaged(t *testing.T) {
	call, _ := abi.KindPolicy.Call("decide")
	request, _, err := encode(call, []byte(`{"intent":{"amount":"50000"},"quote":{"amount":"50000"},"agent":{"id":"bot"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if !readable(call, request) {
		t.Fatal("the undamaged request is unreadable")
	}
	first, again := damages(newDraws(3, "x"), call, request, 200), damages(newDraws(3, "x"), call, request, 200)
	if !cmp.Equal(first, again, cmp.AllowUnexported(damaged{})) {
		t.Error("the same seed damaged differently")
	}
	unread := 0
	for i, d := range first {
		if len(d.bytes) > abi.PolicyInputBytesMax+1 {
			t.Errorf("%s: %d bytes", d.how, len(d.bytes))
		}
		if !readable(call, d.bytes) {
			unread++
		}
		if d.how == "" || (i > 10 && len(d.bytes) > 10*len(request)) {
			t.Errorf("%d: %+v", i, d)
		}
	}
	if unread < 100 {
		t.Errorf("only %d of %d are unreadable", unread, len(first))
	}
	for size, at := range map[int]int{abi.PolicyInputBytesMax: 2, abi.PolicyInputBytesMax + 1: 3} {
		if len(first[at].bytes) != size {
			t.Errorf("%s has %d bytes, want %d", first[at].how, len(first[at].bytes), size)
		}
	}
	// What a newer host might add is no damage: a guest skips it, and may say yes.
	if !readable(call, append(bytes.Clone(request), unknown([]byte("x"))...)) {
		t.Error("an unknown field counts as damage")
	}
	if readable(call, nil) {
		t.Error("a request without an intent counts as readable")
	}
}

func TestTheLadderAscendsAndHoldsTheEdges(t *testing.T) {
	amounts := ladder(abi.NewAmount(50_000))
	want := map[string]bool{"0": true, "49999": true, "50000": true, "50001": true, "100000": true, "1" + strings.Repeat("0", 77): true}
	for i, amount := range amounts {
		delete(want, amount.String())
		if i > 0 && amounts[i-1].Cmp(amount) >= 0 {
			t.Errorf("%s does not ascend", amount)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing %v", want)
	}
}

func TestTheSmallestDifferenceIsSeen(t *testing.T) {
	base := Answer{Bytes: []byte{8, 2}, View: []byte(`{"outcome":"allow"}`), Fuel: 10}
	for name, other := range map[string]Answer{
		"a byte": {Bytes: []byte{8, 1}, Fuel: 10}, "a longer result": {Bytes: []byte{8, 2, 0}, Fuel: 10}, "one unit of fuel": {Bytes: []byte{8, 2}, Fuel: 11},
	} {
		if difference(&base, &other, Interpreter, 3) == "" {
			t.Errorf("%s is not seen", name)
		}
	}
	if said := difference(&base, &base, Compiler, 1); said != "" {
		t.Errorf("equal answers differ: %s", said)
	}
}

func TestReportsAreValidJUnitAndRowsValidJSON(t *testing.T) {
	report := &Report{Plugin: "p", Version: "1.0.0", Seed: 7}
	report.pass("vectors", "a <b> & \"c\"", "fine")
	report.warn("headroom", "fuel", "much")
	report.fail("vectors", "control \x00\x1b\xff", "answers \uFFFE")
	report.add(Row{Check: "vectors", Case: "d", Status: Skip, Detail: "not here"})
	encoded, err := report.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	var back junitSuites
	if err := xml.Unmarshal(encoded, &back); err != nil {
		t.Fatalf("%v\n%s", err, encoded)
	}
	if back.Tests != 4 || back.Failures != 1 || back.Skipped != 1 || len(back.Suites) != 2 || back.Suites[0].Cases[1].Failure == nil {
		t.Errorf("%s", encoded)
	}
	for _, row := range report.Rows {
		line, err := json.Marshal(row)
		if err != nil || !json.Valid(line) {
			t.Errorf("%s %v", line, err)
		}
	}
	table := report.Table()
	if strings.Count(table, "\n") != 5 || !strings.Contains(table, "1 passed, 1 warnings, 1 failed  seed 7") {
		t.Errorf("%s", table)
	}
	if strings.ContainsAny(table, "\x00\x1b") {
		t.Errorf("the table drives the terminal: %q", table)
	}
	if !(&Report{}).Failed() {
		t.Error("a report without a case passed")
	}
}

func TestAGuestRunsAndIsMeasured(t *testing.T) {
	cache, err := compileCache()
	if err != nil {
		t.Fatal(err)
	}
	guest, err := Open(t.Context(), example(t, "ceiling/go"), GuestConfig{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guest.Close(); err != nil {
			t.Error(err)
		}
	})
	for config, code := range map[string]string{`{}`: abi.ReasonConfigureFailed, `{"ceiling":"x"}`: abi.ReasonConfigureFailed, `{`: "json_invalid"} {
		if _, err := guest.Configure(t.Context(), []byte(config)); abi.CodeOf(err) != code {
			t.Errorf("%s: %v", config, err)
		}
	}
	configured, err := guest.Configure(t.Context(), []byte(`{"ceiling":"5"}`))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := configured.Call(t.Context(), "decide", []byte(`{"intent":{"amount":"6"},"quote":{},"agent":{}}`))
	if err != nil || answer.Fuel == 0 || answer.Outcome != "deny" || !strings.Contains(string(answer.View), "ceiling_exceeded") {
		t.Errorf("%+v %v", answer, err)
	}
	for call, request := range map[string]string{"build": "{}", "configure": "{}", "": "{}", "decide": `{"intent":{"amount":6}}`} {
		if _, err := configured.Call(t.Context(), call, []byte(request)); err == nil {
			t.Errorf("%s %s was answered", call, request)
		}
	}
	// A clock that moves one microsecond with each look.
	ticks := time.Unix(0, 0)
	clock := func() time.Time { ticks = ticks.Add(time.Microsecond); return ticks }
	vector := guest.Manifest().Vectors[0]
	m, err := guest.Bench(t.Context(), vector, 100, clock)
	want := Measure{Vector: vector.Name, Calls: 100, P50: time.Microsecond, P99: time.Microsecond, OpsPerS: 1_000_000, Fuel: m.Fuel}
	if err != nil || m.Fuel == 0 || m != want {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := guest.Bench(t.Context(), vector, 0, clock); abi.CodeOf(err) != "request_invalid" {
		t.Error(err)
	}
}
