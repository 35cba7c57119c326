package ledger

import (
	"cmp"
	"context"
	"slices"
)

// Batch is the part of a batch that runs inside the transaction. Heads are locked head rows; a tenant without one
// has an empty ledger. readingMS is the clock, read after the lock was held: a reading from before could be older
// than entries committed meanwhile. The results are true once the writes are durable.
func Batch(ctx context.Context, r Reader, clock *Clock, heads map[string]Head, readingMS int64, ops []Op) ([]Result, *Writes, error) {
	results := make([]Result, len(ops))
	now, wrong := map[string]int64{}, map[string]error{}
	for _, tenant := range Tenants(ops) {
		if _, ok := heads[tenant]; !ok {
			heads[tenant] = Head{}
		}
		instant, err := clock.Now(tenant, readingMS, heads[tenant].TimeMS)
		if err != nil {
			wrong[tenant] = err
			continue
		}
		now[tenant] = instant
	}
	state, err := Load(ctx, r, heads, now, ops)
	if err != nil {
		return nil, nil, err
	}
	for i, op := range ops {
		if err := wrong[op.Tenant()]; err != nil {
			results[i].Err = err
			continue
		}
		results[i] = state.Apply(op)
	}
	return results, state.Writes(), nil
}

// Tenants lists the tenants of a batch in order, which is the order to lock their heads in.
func Tenants(ops []Op) []string {
	tenants := set[string]{}
	for _, op := range ops {
		tenants.add(op.Tenant())
	}
	list := tenants.list()
	slices.SortFunc(list, cmp.Compare[string])
	return list
}
