package runtime

import (
	"context"
	"errors"
	"time"

	"github.com/purserhq/purser/runtime/store"
)

const (
	// patrolEvery is the pause between two looks for payments that are due.
	patrolEvery = 500 * time.Millisecond
	// patrolBatchMax bounds how many payments one look takes up.
	patrolBatchMax = 256
)

// patrol takes up what is due: payments that a dead process left, outcomes to look for on the chain, holds that
// expire. It is a hint to look; the truth is the state column.
func (r *Runtime) patrol() {
	// What an earlier process of a ledger of our own left is ours at once. It is looked for until all of it is taken
	// up: a payment waiting for its Due instead could outlive its authorization.
	inherited := !r.config.Store.Shared()
	ticker := time.NewTicker(patrolEvery)
	defer ticker.Stop()
	for {
		if inherited {
			inherited = !r.takeUp(r.life, r.config.Now().Add(dueAnyTime), r.inherited)
		}
		r.takeUp(r.life, r.config.Now(), func(Payment) bool { return true })
		select {
		case <-r.life.Done():
			return
		case <-ticker.C:
		}
	}
}

// dueAnyTime is later than any Due: a hold expires within days.
const dueAnyTime = 366 * 24 * time.Hour

// inherited reports whether an earlier process moved the payment last, and no other can be working on it now.
func (r *Runtime) inherited(p Payment) bool {
	return !r.config.Store.Shared() && !p.Updated.After(r.opened)
}

// takeUp starts a run for each payment that is due before the time given and wanted. It reports whether none had to be
// left for the next look.
func (r *Runtime) takeUp(ctx context.Context, dueBefore time.Time, wanted func(Payment) bool) (all bool) {
	query := store.RowQuery{Tenant: r.config.Tenant, DueBefore: dueBefore, Max: patrolBatchMax}
	all = true
	for {
		rows, err := r.config.Store.Rows(ctx, query)
		if err != nil {
			if ctx.Err() == nil {
				r.config.Log.ErrorContext(ctx, "cannot look for due payments", "error", err.Error())
			}
			return false
		}
		for _, row := range rows {
			all = r.takeUpOne(ctx, row, wanted) && all
			query.After = row.ID
		}
		if len(rows) < patrolBatchMax {
			return all
		}
	}
}

func (r *Runtime) takeUpOne(ctx context.Context, row store.Row, wanted func(Payment) bool) (taken bool) {
	p, err := fromRow(row)
	if err != nil {
		r.config.Log.ErrorContext(ctx, "cannot read payment", "payment", row.ID, "error", err.Error())
		return true // the next look would not read it either
	}
	if !wanted(p) {
		return true
	}
	place, _, err := r.begin(p.ID, "")
	if err != nil || place == nil { // closing, full, or at work already: the next look finds it again
		return false
	}
	if p, err = r.take(ctx, p); err != nil { // another process has it, or the ledger does not answer
		r.abandon(place)
		return errors.Is(err, store.ErrConflict)
	}
	r.start(place, p)
	return true
}

// take claims a due payment in a ledger that other processes work on too, so that its next step is one process's.
func (r *Runtime) take(ctx context.Context, p Payment) (Payment, error) {
	if !r.config.Store.Shared() {
		return p, nil
	}
	row, err := r.config.Store.Defer(ctx, p.Tenant, p.ID, p.Version, r.config.Now().Add(patience[p.State]+takeoverMargin))
	if err != nil {
		return p, err
	}
	taken, err := fromRow(row)
	r.unsent.taken(p, taken)
	return taken, err
}
