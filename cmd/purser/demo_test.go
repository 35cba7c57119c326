package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/runtime/api"
)

// purser runs the compiled binary and returns what it printed and its exit code.
func purser(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), compiled(t), args...) // #nosec G204 -- built by the test
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), command.ProcessState.ExitCode()
}

// readDemo takes the lines of `purser demo --json` apart: events of the stream, payments at rest, and the summary.
func readDemo(t testing.TB, stdout string) (events []api.Event, payments []api.View, summary demoSummary) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	for i, line := range lines {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &members); err != nil {
			t.Fatalf("line %d is no object: %v: %s", i+1, err, line)
		}
		var err error
		switch {
		case members["summary"] != nil:
			if err = json.Unmarshal(members["summary"], &summary); i != len(lines)-1 {
				t.Errorf("the summary is line %d of %d", i+1, len(lines))
			}
		case members["seq"] != nil:
			var event api.Event
			err = json.Unmarshal([]byte(line), &event)
			events = append(events, event)
		case members["data"] != nil: // where to look around
		default:
			var view api.View
			err = json.Unmarshal(members["payment"], &view)
			payments = append(payments, view)
		}
		if err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
	}
	return events, payments, summary
}

func TestTheDemoTellsItsStoryFromTheStreamAndItsLogVerifies(t *testing.T) {
	data := filepath.Join(t.TempDir(), "demo")
	stdout, stderr, code := purser(t, "demo", "--json", "--data", data)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if !strings.HasSuffix(stdout, "\n"+`{"summary":{"delivered":2,"held":1,"denied":2,"audit":"verified"}}`+"\n") {
		t.Errorf("the last line is not the summary: %s", stdout[max(0, len(stdout)-300):])
	}
	events, payments, summary := readDemo(t, stdout)
	if diff := cmp.Diff(demoSummary{Delivered: 2, Held: 1, Denied: 2, Audit: "verified"}, summary); diff != "" {
		t.Error(diff)
	}
	var states []string
	for _, payment := range payments {
		states = append(states, payment.State)
	}
	if diff := cmp.Diff([]string{"delivered", "denied", "held", "delivered", "denied"}, states); diff != "" {
		t.Error(diff)
	}
	if first := payments[0]; first.Receipt == nil || first.Receipt.GasUsed == 0 || first.Response == nil || first.Response.Status != 200 || !strings.Contains(string(first.Response.Body), "sunny") {
		t.Errorf("the first payment is %+v", first)
	}
	// What was streamed is what the ledger kept, in order, each once.
	view := readSQLite(t, filepath.Join(data, fileOf(roleRuntime)))
	last := uint64(0)
	for _, event := range events {
		if event.Seq <= last || event.Seq > uint64(len(view.records)) || event.Hash != fmt.Sprintf("%x", view.records[event.Seq-1].Hash) {
			t.Fatalf("event %d after %d is not the ledger's", event.Seq, last)
		}
		last = event.Seq
	}
	if want := len(view.records) - 2; len(events) != want { // all but the agent's making, and the pin of the co-signer's ledger
		t.Errorf("%d events were shown, the ledger has %d about payments", len(events), want)
	}
	if _, stderr, code := purser(t, "demo", "--data", data); code != exitUsage || !strings.Contains(stderr, "earlier run") {
		t.Errorf("a second demo in one folder: exit code %d: %s", code, stderr)
	}
	tamper(t, data)
}

// tamper changes one record of a finished ledger in every way, and wants each found by name.
func tamper(t *testing.T, data string) {
	if _, stderr, code := purser(t, "audit", "verify", "--data", data); code != exitOK {
		t.Fatalf("the log does not verify before: %s", stderr)
	}
	for name, test := range map[string]struct {
		sql  []string
		want string
	}{
		"an edited entry":       {[]string{`UPDATE log SET entry = CAST(replace(CAST(entry AS TEXT), 'payment.denied', 'payment.heldxx') AS BLOB) WHERE position = (SELECT max(position) FROM log)`}, "position LAST"},
		"an edited byte":        {[]string{`UPDATE log SET entry = CAST(entry || x'00' AS BLOB) WHERE position = 4`}, "position 4"},
		"an edited hash":        {[]string{`UPDATE log SET hash = zeroblob(32) WHERE position = 7`}, "position 7"},
		"a deleted entry":       {[]string{`DELETE FROM log WHERE position = 5`}, "position 5"},
		"the first one deleted": {[]string{`DELETE FROM log WHERE position = 1`}, "position 1"},
		"two entries exchanged": {[]string{`UPDATE log SET position = 1000 WHERE position = 3`, `UPDATE log SET position = 3 WHERE position = 5`, `UPDATE log SET position = 5 WHERE position = 1000`}, "position 3"},
		"an entry given twice":  {[]string{`INSERT INTO log SELECT tenant, position + 1000, agent, sequence + 1000, payment, entry, hash FROM log WHERE position = 2`}, "position LAST+1"},
		"an entry from nowhere": {[]string{`UPDATE log SET entry = x'0a', hash = x'01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b' WHERE position = 2`}, "position 2"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.CopyFS(folder, os.DirFS(data)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, fileOf(roleRuntime))
			total := len(readSQLite(t, path).records)
			change(t, path, test.sql)
			stdout, stderr, code := purser(t, "audit", "verify", "--data", folder)
			want := strings.NewReplacer("LAST+1", fmt.Sprint(total+1), "LAST", fmt.Sprint(total)).Replace(test.want)
			if code != exitFailed || !strings.Contains(stderr, "error[audit_invalid]") || !regexp.MustCompile(want+`\b`).MatchString(stderr) {
				t.Errorf("exit code %d, want %s\n%s%s", code, want, stdout, stderr)
			}
		})
	}
}

// change runs SQL on a ledger that nobody has open, as somebody with the disk could.
func change(t testing.TB, path string, statements []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestTheDemoShowsAPersonWhatHappened(t *testing.T) {
	stdout, _, code := purser(t, "demo", "--data", filepath.Join(t.TempDir(), "demo"))
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, stdout)
	}
	for _, pattern := range []string{
		`tx 0x[0-9a-f]{64}  block \d+  gas \d+`, `HTTP 200  \{"weather":"sunny"`, `cosigner says allow`, `runtime says allow`, `price_above_ceiling`,
		`runtime says hold`, `over_budget|budget_exceeded`, `purser approvals approve pay_`, `2 delivered, 1 held and then approved, 2 denied; both audit logs verify`,
		`purser audit verify --data `, `published shares that sign for eip155:402402 only`,
	} {
		if !regexp.MustCompile(pattern).MatchString(stdout) {
			t.Errorf("the transcript lacks %s", pattern)
		}
	}
	if strings.ContainsRune(stdout, '\x1b') {
		t.Error("a pipe gets colour")
	}
	if t.Failed() {
		t.Log(stdout)
	}
}
