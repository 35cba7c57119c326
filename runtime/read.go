package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Payment reads one payment by id.
func (r *Runtime) Payment(ctx context.Context, id string) (Payment, error) {
	row, err := r.config.Store.Row(ctx, r.config.Tenant, id)
	if err != nil {
		return Payment{}, notFound(id, err)
	}
	if !agentPattern.MatchString(row.Agent) { // operators' orders, merchants and the co-signer's ledger are kept among the rows too
		return Payment{}, notFound(id, store.ErrNotFound)
	}
	return fromRow(row)
}

// Ready reports whether the ledger answers.
func (r *Runtime) Ready(ctx context.Context) error {
	_, err := r.config.Store.Facts(ctx, store.FactQuery{Tenant: r.config.Tenant})
	return err
}

// Held lists payments that wait for a person, oldest first, at most store.RowsMax.
func (r *Runtime) Held(ctx context.Context) ([]Payment, error) {
	rows, err := r.config.Store.Rows(ctx, store.RowQuery{Tenant: r.config.Tenant, States: []string{string(Held)}, Max: store.RowsMax})
	if err != nil {
		return nil, err
	}
	held := make([]Payment, 0, len(rows))
	for _, row := range rows {
		p, err := fromRow(row)
		if err != nil {
			return nil, err
		}
		held = append(held, p)
	}
	return held, nil
}

// Records returns log records above the position, at least one, waiting until ctx ends: the stream. Records have
// consecutive positions, so a reader that passes the last position it saw has no gap and no duplicate.
func (r *Runtime) Records(ctx context.Context, after uint64) ([]store.Record, error) {
	return r.tail.after(ctx, after)
}

func notFound(id string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &abi.Error{Code: "not_found", Where: id, Message: "no such payment", Fix: "check the id"}
	}
	return fmt.Errorf("read payment %s: %w", id, err)
}
