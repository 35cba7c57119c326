package judge

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// recordDecision writes a decision to the log, as both sides do.
func recordDecision(t testing.TB, ledger store.Store, n int, decision *abi.Decision) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"decision": decision, "event": "decided"})
	if err != nil {
		t.Fatal(err)
	}
	if decision == nil {
		body = []byte(`{"event":"quoted"}`)
	}
	key := fmt.Sprintf("shadow-%08d", n)
	if _, _, err := ledger.Insert(t.Context(), store.Row{Tenant: "default", Agent: "shopper", ID: PaymentID("default", "shopper", key), Key: key, State: "x", Body: []byte("{}")},
		store.Entry{Kind: "test", Payment: PaymentID("default", "shopper", key), Body: body}); err != nil {
		t.Fatal(err)
	}
}

func TestAShadowRunReportsWhatWouldBeDecidedOtherwise(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	a, b := version(t, 'a', ""), version(t, 'b', "")
	old := mustOpen(t, host, versioned(t, a, "2"))
	const payments = 20
	for n := range payments {
		c := caseOf(1)
		c.Intent.Payment = fmt.Sprintf("pay_%d", n)
		decision := rule(t, old, ledger, c).Decision
		recordDecision(t, ledger, n, &decision)
		recordDecision(t, ledger, payments+n, nil) // other entries lie between
	}
	denies := mustOpen(t, host, versioned(t, b, "3"))
	found, err := ShadowRun(t.Context(), ledger, "default", old, denies)
	if err != nil {
		t.Fatal(err)
	}
	if found.Recorded != payments || found.Compared != payments || found.Skipped != 0 || found.Changed["allow->deny"] != payments || len(found.Changed) != 1 || found.Loosened() != 0 {
		t.Errorf("%+v", found)
	}
	if len(found.Examples) != shadowExamplesMax || found.Examples[0].Payment != "pay_19" || !slices.Equal(found.Examples[0].Why, []string{"new versions: b_3"}) {
		t.Errorf("%d examples, first %+v", len(found.Examples), found.Examples[0])
	}
	if found, err = ShadowRun(t.Context(), ledger, "default", denies, old); err != nil || found.Loosened() != payments {
		t.Errorf("the way back: %+v %v", found, err)
	}
	allows := mustOpen(t, host, versioned(t, b, "4"))
	if found, err = ShadowRun(t.Context(), ledger, "default", old, allows); err != nil || found.Compared != payments || len(found.Changed) != 0 || found.Unchanged {
		t.Errorf("another module that decides alike: %+v %v", found, err)
	}
	same := mustOpen(t, host, versioned(t, a, "2"))
	if found, err = ShadowRun(t.Context(), ledger, "default", old, same); err != nil || !found.Unchanged || found.Compared != 0 {
		t.Errorf("the same: %+v %v", found, err)
	}
	traps := mustOpen(t, host, versioned(t, a, "t"))
	if found, err = ShadowRun(t.Context(), ledger, "default", old, traps); err != nil || found.Changed["allow->deny"] != payments {
		t.Errorf("one that traps: %+v %v", found, err)
	}
	if all := append(traps.Quarantines(), old.Quarantines()...); len(all) != 0 {
		t.Errorf("a shadow run quarantines: %+v", all)
	}
}

func TestAShadowRunComparesLimitsAndSkipsWhatNobodyMeasured(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	module := version(t, 'a', "")
	path := versioned(t, module, "2")
	old := mustOpen(t, host, path)
	decision := rule(t, old, ledger, caseOf(10)).Decision
	recordDecision(t, ledger, 1, &decision)
	editFile(t, path, `daily_spending_limit: "60"`, `daily_spending_limit: "5"`)
	lower := mustOpen(t, host, path)
	found, err := ShadowRun(t.Context(), ledger, "default", old, lower)
	if err != nil || found.Compared != 1 || found.Changed["allow->deny"] != 1 || !strings.Contains(strings.Join(found.Examples[0].Why, " "), "new rules: budget_exceeded") {
		t.Errorf("a lower limit: %+v %v", found, err)
	}
	editFile(t, path, `daily_spending_limit: "5"`, "daily_spending_limit: \"5\"\n    max_transactions_per_hour: 10")
	counted := mustOpen(t, host, path)
	if found, err = ShadowRun(t.Context(), ledger, "default", old, counted); err != nil || found.Skipped != 1 || found.Compared != 0 {
		t.Errorf("a new budget: %+v %v", found, err)
	}
	editFile(t, path, "agents: {shopper:", "agents: {somebody:")
	nobody := mustOpen(t, host, path)
	if found, err = ShadowRun(t.Context(), ledger, "default", old, nobody); err != nil || found.Changed["allow->deny"] != 1 {
		t.Errorf("an agent without a policy: %+v %v", found, err)
	}
}

func TestAShadowRunReadsTheNewestRequestsOnly(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	old := mustOpen(t, host, versioned(t, version(t, 'a', ""), "2"))
	next := mustOpen(t, host, versioned(t, version(t, 'b', ""), "2"))
	if found, err := ShadowRun(t.Context(), ledger, "default", old, next); err != nil || found.Recorded != 0 || found.Unchanged {
		t.Errorf("an empty log: %+v %v", found, err)
	}
	first := caseOf(1)
	first.Intent.Payment = "pay_oldest"
	for n := range shadowRequestsMax + store.LogMax { // more than one page of the log
		if n == 1 {
			first.Intent.Payment = "pay_later"
		}
		if n > 1 && n < store.LogMax {
			recordDecision(t, ledger, n, nil)
			continue
		}
		decision := rule(t, old, ledger, first).Decision
		recordDecision(t, ledger, n, &decision)
	}
	requests, unreadable, err := recorded(t.Context(), ledger, "default")
	if err != nil || unreadable != 0 || len(requests) != shadowRequestsMax {
		t.Fatalf("%d requests, %d unreadable, %v", len(requests), unreadable, err)
	}
	for _, request := range requests {
		if request.Intent.Payment == "pay_oldest" {
			t.Error("the oldest request is among the newest")
		}
	}
}

func TestARecordThatCannotBeReadKeepsNobodyFromReloading(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	old := mustOpen(t, host, versioned(t, version(t, 'a', ""), "2"))
	next := mustOpen(t, host, versioned(t, version(t, 'b', ""), "2"))
	recordDecision(t, ledger, 1, &abi.Decision{Request: []byte("no request"), Verdicts: []abi.Verdict{{Source: "rules"}}})
	recordDecision(t, ledger, 2, &abi.Decision{Request: []byte{}, Verdicts: []abi.Verdict{{Source: "rules"}}})
	found, err := ShadowRun(t.Context(), ledger, "default", old, next)
	if err != nil || found.Recorded != 1 || found.Skipped != 1 {
		t.Errorf("%+v %v", found, err)
	}
}

func hashOf(module []byte) []byte { sum := sha256.Sum256(module); return sum[:] }
