package abitest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/purserhq/purser/internal/toolchain"
)

// liarModule is testdata/liar, compiled once a run, without a manifest.
var liarModule = sync.OnceValues(func() ([]byte, error) {
	scratch, err := os.MkdirTemp("", "purser-abitest-") //nolint:usetesting // shared by all tests, removed here
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // a temporary folder
	source := filepath.Join(scratch, "liar")
	if err := os.CopyFS(source, os.DirFS("testdata/liar")); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(source, "manifest.json"), []byte(fmt.Sprintf(liarManifest, `{}`, liarFuel, "")), 0o600); err != nil {
		return nil, err
	}
	built, err := toolchain.Build(contextForever(), source, filepath.Join(scratch, "liar.wasm"))
	if err != nil {
		return nil, err
	}
	return os.ReadFile(built.Path)
})

const (
	liarManifest = `{"name": "liar", "version": "1.0.0", "kind": "policy", "abi": {"major": 1, "minor": 0}, "description": "lies", "license": "Apache-2.0",
		"config_schema": %s, "limits": {"fuel": %d}, "vectors": [%s]}`
	liarSchema = `{"type": "object", "required": ["mode"], "properties": {"mode": {"const": %q}}}`
	liarVector = `{"name": "one payment", "call": "decide", "config": {"mode": %q},
		"request": {"intent": {"amount": "50000"}, "quote": {"amount": "50000"}, "agent": {"id": "bot"}}, "result": {"outcome": "allow"}}`
)

// compileCache keeps the liar's native code for all tests of a run.
var compileCache = sync.OnceValues(func() (string, error) {
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder = filepath.Join(folder, "purser")
	return filepath.Join(folder, "wasm"), os.MkdirAll(folder, 0o700)
})

// checkLiar is a report on the liar in one mode.
func checkLiar(t *testing.T, mode string, options Options) *Report {
	t.Helper()
	return checkModule(t, liarWith(t, fmt.Sprintf(liarSchema, mode), fmt.Sprintf(liarVector, mode)), options)
}

func liarWith(t *testing.T, schema, vectors string) []byte {
	t.Helper()
	return liarWithin(t, liarFuel, schema, vectors)
}

// liarFuel is far more than the liar uses.
const liarFuel = 20_000_000

func liarWithin(t *testing.T, fuel uint64, schema, vectors string) []byte {
	t.Helper()
	compiled, err := liarModule()
	if err != nil {
		t.Fatal(err)
	}
	module, err := toolchain.Embed(compiled, fmt.Appendf(nil, liarManifest, schema, fuel, vectors))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func checkModule(t *testing.T, module []byte, options Options) *Report {
	t.Helper()
	cache, err := compileCache()
	if err != nil {
		t.Fatal(err)
	}
	options.CacheDir = cache
	report, err := Check(t.Context(), module, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// row is the first row of a check that has the status.
func (r *Report) row(check string, status Status) (Row, bool) {
	for _, row := range r.Rows {
		if row.Check == check && row.Status == status {
			return row, true
		}
	}
	return Row{}, false
}

func TestEveryLieIsCaughtByTheCheckItIsMadeFor(t *testing.T) {
	for _, c := range []struct {
		mode, check string
		status      Status
		says        string
	}{
		{"yes", "requests", Fail, "would refuse to read it"},
		{"rising", "monotonic", Fail, "amount 10 is deny, the larger amount 100 is allow"},
		{"garbage", "vectors", Fail, "bad_result: "},
		{"trap", "config", Fail, "unreachable; the guest's last words: panic: as told | main.configure("},
		{"late", "vectors", Fail, "trap: the guest trapped (at purser_policy_decide): unreachable; the guest's last words: panic: too late | main.decide("},
		{"choosy", "config", Warn, "the plugin refused them all"},
		{"silent", "config", Fail, "without naming a problem"},
		{"both", "config", Fail, "ok with problems"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			report := checkLiar(t, c.mode, Options{Runs: 4, Configs: 5, Monotonic: []string{MonotonicAmount}})
			row, found := report.row(c.check, c.status)
			if !found || !strings.Contains(row.Detail, c.says) {
				t.Errorf("%+v\n%s", row, report.Table())
			}
			if c.status == Fail && !report.Failed() {
				t.Error("the report did not fail")
			}
		})
	}
}

// A panic's message is in the log, and wazero's frames have numbers for names.
func TestWhatAGuestSaidBeforeItFailedIsInEveryFormOfTheReport(t *testing.T) {
	report := checkLiar(t, "late", Options{Runs: 2, Configs: 2, Requests: 1})
	row, found := report.row("vectors", Fail)
	if !found || len(row.Log) != 3 || row.Log[0] != "panic: too late" || !strings.HasPrefix(row.Log[2], "liar/main.go:") {
		t.Fatalf("%+v", row)
	}
	encoded, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	xml, err := report.JUnit()
	if err != nil {
		t.Fatal(err)
	}
	for name, shown := range map[string]string{"table": report.Table(), "JSON": string(encoded), "JUnit": string(xml)} {
		if !strings.Contains(shown, "panic: too late") || strings.Contains(shown, "stack trace") || strings.Contains(shown, ".$") {
			t.Errorf("%s: %s", name, shown)
		}
	}
	if !strings.Contains(string(xml), "<system-out>panic: too late\n") && !strings.Contains(string(xml), "<system-out>panic: too late&#xA;") {
		t.Errorf("%s", xml)
	}
}

func TestAPluginNearItsLimitIsWarnedAbout(t *testing.T) {
	schema, vector, options := fmt.Sprintf(liarSchema, "yes"), fmt.Sprintf(liarVector, "yes"), Options{Runs: 2, Configs: 2, Requests: 1}
	used, found := checkModule(t, liarWith(t, schema, vector), options).row("headroom", Pass)
	if !found || used.Fuel == 0 {
		t.Fatalf("%+v", used)
	}
	report := checkModule(t, liarWithin(t, used.Fuel*3/2, schema, vector), options)
	row, found := report.row("headroom", Warn)
	if !found || !strings.Contains(row.Detail, "(67 %): above 50 %") {
		t.Errorf("%+v\n%s", row, report.Table())
	}
}

func TestAGuestThatCountsItsCallsIsMadeHonestByTheReset(t *testing.T) {
	report := checkLiar(t, "counting", Options{Configs: 5, Requests: 1})
	if row, found := report.row("determinism", Pass); !found {
		t.Errorf("%+v\n%s", row, report.Table())
	}
}

func TestAWrongPromiseIsShownBesideTheAnswer(t *testing.T) {
	vector := strings.Replace(fmt.Sprintf(liarVector, "pointless"), `"outcome": "allow"`, `"reasons": [{"code": "never"}]`, 1)
	report := checkModule(t, liarWith(t, fmt.Sprintf(liarSchema, "pointless"), vector), Options{Runs: 2, Configs: 2, Requests: 1})
	row, found := report.row("vectors", Fail)
	if !found || !strings.Contains(row.Detail, `answers {"outcome":"allow"}`) || !strings.Contains(row.Detail, `"code":"never"`) {
		t.Errorf("%+v", row)
	}
}

func TestAModuleWithoutVectorsIsWarnedAbout(t *testing.T) {
	report := checkModule(t, liarWith(t, fmt.Sprintf(liarSchema, "yes"), ""), Options{Configs: 2})
	if row, found := report.row("vectors", Warn); !found || report.Failed() {
		t.Errorf("%+v\n%s", row, report.Table())
	}
	if row, found := checkModule(t, liarWith(t, fmt.Sprintf(liarSchema, "yes"), ""), Options{Configs: 2, Monotonic: []string{MonotonicAmount}}).row("monotonic", Fail); !found {
		t.Errorf("a promise that nothing shows: %+v", row)
	}
}

func TestAGuestThatOnlyItsSchemaProtectsIsWarnedAbout(t *testing.T) {
	report := checkLiar(t, "yes", Options{Runs: 2, Requests: 1})
	row, found := report.row("config", Warn)
	if !found || !strings.Contains(row.Detail, "without its schema the guest would fail") || !strings.Contains(row.Detail, "null") {
		t.Errorf("%+v\n%s", row, report.Table())
	}
}
