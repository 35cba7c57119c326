package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

// mark is a place in the co-signer's ledger and log.
type mark struct {
	position uint64
	bytes    int64
}

func (r *rogue) mark(t testing.TB) (m mark) {
	t.Helper()
	if err := r.ledger.QueryRowContext(t.Context(), `SELECT COALESCE(MAX(position), 0) FROM log`).Scan(&m.position); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(r.cosigner.log)
	if err != nil {
		t.Fatal(err)
	}
	m.bytes = info.Size()
	return m
}

// since is everything that the co-signer has written down from a mark on, its ledger's entries one to a line.
func (r *rogue) since(t testing.TB, m mark) string {
	t.Helper()
	var text strings.Builder
	rows, err := r.ledger.QueryContext(t.Context(), `SELECT entry FROM log WHERE position > ? ORDER BY position`, m.position)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has the fault
	for rows.Next() {
		var raw []byte
		var entry abi.Entry
		must(t, rows.Scan(&raw))
		must(t, entry.Unmarshal(raw))
		text.WriteString(entry.Kind + " " + entry.Payment + " " + string(entry.Body) + "\n")
	}
	must(t, rows.Err())
	log, err := os.ReadFile(r.cosigner.log)
	if err != nil {
		t.Fatal(err)
	}
	text.Write(log[m.bytes:])
	return text.String()
}

// mustBeLogged waits until the co-signer has written everything down that an attempt must leave there.
func (r *rogue) mustBeLogged(t testing.TB, m mark, want []string) {
	t.Helper()
	for deadline := time.Now().Add(loggedWait); ; time.Sleep(50 * time.Millisecond) {
		text, missing := r.since(t, m), ""
		for _, piece := range want {
			if !strings.Contains(text, piece) {
				missing = piece
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("the attempt left no %q in the co-signer's log:\n%s", missing, text)
			return
		}
	}
}

// mustStand checks what must hold after each attempt: nothing is spent or signed that the policy did not allow, and the
// co-signer is the process that it was.
func (r *rogue) mustStand(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, counts := range []map[string]int{r.signatures, r.lasts} {
		for payment := range counts {
			if !r.may[payment] {
				t.Errorf("the attacker can complete a signature of payment %s", payment)
			}
		}
	}
	rows, err := r.ledger.QueryContext(t.Context(), `SELECT id FROM payments WHERE state IN ('spent', 'settled')`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has the fault
	for rows.Next() {
		var id string
		must(t, rows.Scan(&id))
		if !r.may[id] {
			t.Errorf("the co-signer's ledger says that payment %s is spent", id)
		}
	}
	must(t, rows.Err())
	if child := childOf(t, r.cosigner); child != r.child {
		t.Errorf("the co-signer was process %d and is %d: the attempt ended it", r.child, child)
		r.child = child
	}
}

// wantDecision checks that the co-signer's policy said no, with a reason.
func wantDecision(t testing.TB, err error, outcome abi.Outcome, code string) {
	t.Helper()
	var refused *signer.Refused
	if !errors.As(err, &refused) || refused.Decision == nil {
		t.Errorf("the co-signer answered %v, want a decision", err)
		return
	}
	if refused.Decision.Outcome != outcome {
		t.Errorf("the co-signer decided %s, want %s", refused.Decision.Outcome, outcome)
	}
	for _, verdict := range refused.Decision.Verdicts {
		for _, reason := range verdict.Reasons {
			if reason.Code == code {
				return
			}
		}
	}
	t.Errorf("the decision has no reason %s: %+v", code, refused.Decision.Verdicts)
}

func wantRefusal(t testing.TB, err error, code string) {
	t.Helper()
	if abi.CodeOf(err) != code {
		t.Errorf("the co-signer answered %v, want code %s", err, code)
	}
}

// logged is what a decision leaves in the ledger.
func (x plan) logged(outcome abi.Outcome) string {
	return "cosigner." + outcome.String() + " " + x.intent.Payment
}

// refusedFor is what a claim leaves there that was refused before it was judged.
func (x plan) refusedFor() string { return "cosigner.refused " + x.intent.Payment }
