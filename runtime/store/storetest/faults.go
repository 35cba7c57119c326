package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// ErrCrash is the panic value of a crashed ledger. A driver recovers it, drops everything in memory, opens the
// ledger again and recovers, as a process would after kill -9.
var ErrCrash = errors.New("storetest: the process died here")

// Fault is what happens at the chosen write.
type Fault uint8

const (
	// FailBefore: the write did not happen and the caller gets an error with code "injected".
	FailBefore Fault = iota
	// FailAfter: the write happened and the caller gets commit_unknown.
	FailAfter
	// CrashBefore panics with ErrCrash before the write, CrashAfter after it. Every later call panics too.
	CrashBefore
	CrashAfter
)

// AllFaults lists every fault, for drivers that enumerate.
var AllFaults = []Fault{FailBefore, FailAfter, CrashBefore, CrashAfter}

// Plan is one fault at the n-th write (Insert, Commit, Defer, PutAgent), counted from 1; Write 0 never strikes, so that a
// driver can count the writes of a run first and then strike at each.
type Plan struct {
	Write int
	Fault Fault
}

// Faults is a ledger that misbehaves once. Safe for concurrent use.
type Faults struct {
	Ledger
	plan Plan

	mu      sync.Mutex
	writes  int
	crashed bool
}

var _ Ledger = (*Faults)(nil)

// NewFaults wraps a ledger. The ledger itself stays usable, to look at what a crash left.
func NewFaults(ledger Ledger, plan Plan) *Faults { return &Faults{Ledger: ledger, plan: plan} }

// Writes is how many writes were asked for so far.
func (f *Faults) Writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// count numbers a write and says which fault strikes it, if any.
func (f *Faults) count() (fault Fault, strikes bool) {
	f.alive()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	return f.plan.Fault, f.writes == f.plan.Write
}

// alive keeps a dead process dead.
func (f *Faults) alive() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		panic(ErrCrash)
	}
}

func (f *Faults) crash() {
	f.mu.Lock()
	f.crashed = true
	f.mu.Unlock()
	panic(ErrCrash)
}

func (f *Faults) around(write func() error) error {
	fault, strikes := f.count()
	if strikes && fault == FailBefore {
		return &abi.Error{Code: "injected", Message: "the ledger failed as planned", Retry: abi.RetryLater}
	}
	if strikes && fault == CrashBefore {
		f.crash()
	}
	err := write()
	f.alive() // another goroutine crashed meanwhile: this answer never arrives
	if strikes && fault == CrashAfter {
		f.crash()
	}
	if strikes && fault == FailAfter {
		return store.ErrCommitUnknown
	}
	return err
}

// Insert implements store.Store.
func (f *Faults) Insert(ctx context.Context, row store.Row, e store.Entry) (got store.Row, claim store.Claim, err error) {
	err = f.around(func() (err error) {
		got, claim, err = f.Ledger.Insert(ctx, row, e)
		return err
	})
	if err != nil {
		return store.Row{}, 0, err
	}
	return got, claim, nil
}

// Commit implements store.Store.
func (f *Faults) Commit(ctx context.Context, c store.Change) (got store.Row, err error) {
	err = f.around(func() (err error) {
		got, err = f.Ledger.Commit(ctx, c)
		return err
	})
	if err != nil {
		return store.Row{}, err
	}
	return got, nil
}

// Defer implements store.Store.
func (f *Faults) Defer(ctx context.Context, tenant, id string, version uint64, due time.Time) (got store.Row, err error) {
	err = f.around(func() (err error) {
		got, err = f.Ledger.Defer(ctx, tenant, id, version, due)
		return err
	})
	if err != nil {
		return store.Row{}, err
	}
	return got, nil
}

// PutAgent implements store.Agents.
func (f *Faults) PutAgent(ctx context.Context, agent store.Agent, e store.Entry) (got store.Agent, err error) {
	err = f.around(func() (err error) {
		got, err = f.Ledger.PutAgent(ctx, agent, e)
		return err
	})
	if err != nil {
		return store.Agent{}, err
	}
	return got, nil
}

// Row implements store.Store.
func (f *Faults) Row(ctx context.Context, tenant, id string) (store.Row, error) {
	f.alive()
	return f.Ledger.Row(ctx, tenant, id)
}

// Rows implements store.Store.
func (f *Faults) Rows(ctx context.Context, query store.RowQuery) ([]store.Row, error) {
	f.alive()
	return f.Ledger.Rows(ctx, query)
}

// Facts implements store.Store.
func (f *Faults) Facts(ctx context.Context, query store.FactQuery) (store.Facts, error) {
	f.alive()
	return f.Ledger.Facts(ctx, query)
}

// Log implements store.Store.
func (f *Faults) Log(ctx context.Context, query store.LogQuery) ([]store.Record, error) {
	f.alive()
	return f.Ledger.Log(ctx, query)
}
