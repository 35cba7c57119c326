package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// faultPoints drives a small story through every fault at every write, and looks at what the ledger holds.
func faultPoints(t *testing.T, open Open) {
	clock := NewClock(start)
	ledger := open(t, Options{Name: freshName(t), Now: clock.Now})
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	const writes, deferral = 4, 3 // the third write makes no entry
	run := 0
	for _, fault := range AllFaults {
		for write := range writes + 1 { // 0 strikes never
			run++
			tenant := fmt.Sprint("t", run)
			faulty := NewFaults(ledger, Plan{Write: write, Fault: fault})
			done, crashed, err := story(t, faulty, tenant)
			records, logErr := ledger.Log(t.Context(), store.LogQuery{Tenant: tenant})
			if logErr != nil {
				t.Fatal(logErr)
			}
			happened := writes
			switch {
			case write == 0:
			case fault == FailBefore || fault == CrashBefore:
				happened = write - 1
			default:
				happened = write
			}
			wantCrash := write > 0 && (fault == CrashBefore || fault == CrashAfter)
			wantCode := ""
			if write > 0 && !wantCrash {
				wantCode = map[Fault]string{FailBefore: "injected", FailAfter: store.ErrCommitUnknown.Code}[fault]
			}
			entries, version := happened, max(0, happened-1) // the first write makes the agent
			if happened >= deferral {
				entries--
			}
			row, rowErr := ledger.Row(t.Context(), tenant, "p1")
			if rowErr != nil && !errors.Is(rowErr, store.ErrNotFound) {
				t.Fatal(rowErr)
			}
			if row.Version != uint64(version) { //nolint:gosec // not negative
				t.Errorf("fault %d at write %d: the row is at version %d, want %d", fault, write, row.Version, version)
			}
			if len(records) != entries || crashed != wantCrash || abi.CodeOf(err) != wantCode {
				t.Errorf("fault %d at write %d: %d entries, want %d; crashed %v; %v", fault, write, len(records), entries, crashed, err)
			}
			if write == 0 && (done != writes || faulty.Writes() != writes) {
				t.Errorf("the story did %d writes, %d were counted", done, faulty.Writes())
			}
		}
	}
}

// story is an agent and a payment that is received, deferred and denied.
func story(t *testing.T, ledger Ledger, tenant string) (done int, crashed bool, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			if fault != ErrCrash { //nolint:errorlint // a panic value
				panic(fault)
			}
			crashed = true
		}
	}()
	agent := store.Agent{Tenant: tenant, ID: "a1", TokenSHA256: [32]byte([]byte(fmt.Sprintf("%032s", tenant)))}
	if _, err := ledger.PutAgent(t.Context(), agent, store.Entry{Kind: "agent.created"}); err != nil {
		return done, false, err
	}
	done++
	row := store.Row{Tenant: tenant, Agent: "a1", ID: "p1", Key: "k1", State: "received"}
	row, _, err = ledger.Insert(t.Context(), row, entry("payment.received", "p1"))
	if err != nil {
		return done, false, err
	}
	done++
	row, err = ledger.Defer(t.Context(), tenant, "p1", row.Version, start.Add(time.Minute))
	if err != nil {
		return done, false, err
	}
	done++
	if _, err := ledger.Commit(t.Context(), change(row, "denied")); err != nil {
		return done, false, err
	}
	return done + 1, false, nil
}
