package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// death is the end of one process: when one of its ledgers crashes, no other call of it is answered any more.
type death struct {
	happened atomic.Bool
	// life is the process's, and ends with it.
	life context.Context //nolint:containedctx // a test's process has one
	end  context.CancelFunc
}

func newDeath(ctx context.Context) *death {
	d := &death{}
	d.life, d.end = context.WithCancel(ctx)
	return d
}

func (d *death) come() {
	d.happened.Store(true)
	d.end()
}

// mortal is a ledger of a process that may die. A crash that storetest.Faults raises as a panic becomes an error here,
// because the process that dies is not the test's own.
type mortal struct {
	*storetest.Faults
	death *death
}

var _ store.Store = mortal{}

func (m mortal) survive(call func() error) (err error) {
	if m.death.happened.Load() {
		return storetest.ErrCrash
	}
	defer func() {
		if fault := recover(); fault != nil {
			if fault != storetest.ErrCrash { //nolint:errorlint // a panic value
				panic(fault)
			}
			m.death.come()
			err = storetest.ErrCrash
		}
	}()
	err = call()
	if m.death.happened.Load() { // the other ledger died meanwhile: this answer never arrives
		return storetest.ErrCrash
	}
	return err
}

func (m mortal) Defer(ctx context.Context, tenant, id string, version uint64, due time.Time) (got store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Defer(ctx, tenant, id, version, due); return err })
	return got, err
}

func (m mortal) Insert(ctx context.Context, row store.Row, e store.Entry) (got store.Row, claim store.Claim, err error) {
	err = m.survive(func() (err error) { got, claim, err = m.Faults.Insert(ctx, row, e); return err })
	return got, claim, err
}

func (m mortal) Commit(ctx context.Context, c store.Change) (got store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Commit(ctx, c); return err })
	return got, err
}

func (m mortal) Row(ctx context.Context, tenant, id string) (got store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Row(ctx, tenant, id); return err })
	return got, err
}

func (m mortal) Rows(ctx context.Context, q store.RowQuery) (got []store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Rows(ctx, q); return err })
	return got, err
}

func (m mortal) Facts(ctx context.Context, q store.FactQuery) (got store.Facts, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Facts(ctx, q); return err })
	return got, err
}

func (m mortal) Log(ctx context.Context, q store.LogQuery) (got []store.Record, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Log(ctx, q); return err })
	return got, err
}
