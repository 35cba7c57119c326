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

// Commit runs a batch. When it fails with an error that harmless knows, which means that nothing was committed, its
// operations run one by one, so that one that the database does not take cannot fail its neighbours. After any other
// error all of them fail: to run one again could commit it twice.
func Commit(ops []Op, commit func([]Op) ([]Result, error), harmless func(error) bool) []Result {
	results, err := commit(ops)
	if err == nil {
		return results
	}
	if len(ops) == 1 || !harmless(err) {
		return Fail(ops, err)
	}
	results = make([]Result, 0, len(ops))
	for i := range ops {
		alone, err := commit(ops[i : i+1])
		if err != nil {
			alone = Fail(ops[i:i+1], err)
		}
		results = append(results, alone...)
	}
	return results
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
