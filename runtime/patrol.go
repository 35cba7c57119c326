package runtime

import (
	"context"
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
	// A ledger of our own has no other worker: everything unfinished is ours at once.
	r.takeUp(r.life, !r.config.Store.Shared())
	ticker := time.NewTicker(patrolEvery)
	defer ticker.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-ticker.C:
			r.takeUp(r.life, false)
		}
	}
}

// takeUp starts a run for each payment that is due, or with everything set for each that is unfinished.
func (r *Runtime) takeUp(ctx context.Context, everything bool) {
	query := store.RowQuery{Tenant: r.config.Tenant, DueBefore: r.config.Now(), Max: patrolBatchMax}
	if everything {
		query.DueBefore = r.config.Now().Add(366 * 24 * time.Hour)
	}
	for {
		rows, err := r.config.Store.Rows(ctx, query)
		if err != nil {
			if ctx.Err() == nil {
				r.config.Log.ErrorContext(ctx, "cannot look for due payments", "error", err.Error())
			}
			return
		}
		for _, row := range rows {
			r.takeUpOne(ctx, row)
			query.After = row.ID
		}
		if len(rows) < patrolBatchMax {
			return
		}
	}
}

func (r *Runtime) takeUpOne(ctx context.Context, row store.Row) {
	p, err := fromRow(row)
	if err != nil {
		r.config.Log.ErrorContext(ctx, "cannot read payment", "payment", row.ID, "error", err.Error())
		return
	}
	place, _, err := r.begin(p.ID)
	if err != nil || place == nil { // closing, full, or at work already: the next look finds it again
		return
	}
	r.start(place, p)
}
