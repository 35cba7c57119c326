package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// write stores a batch in one round trip, one statement per table with arrays for columns. The order matters: slots
// are given up before rows take them, and rows come before what refers to them.
func (b *batch) write(ctx context.Context, w *ledger.Writes) error {
	queue := &pgx.Batch{}
	queuePayments(queue, w)
	b.queueLog(queue, w)
	b.queueMark(queue)
	queueMeterWrites(queue, w)
	queueHolds(queue, w)
	queueSightings(queue, w)
	queueAgents(queue, w)
	return b.tx.SendBatch(ctx, queue).Close()
}

// columns gathers values by column.
type columns [][]any

func (c *columns) add(values ...any) {
	if *c == nil {
		*c = make(columns, len(values))
	}
	for i, value := range values {
		(*c)[i] = append((*c)[i], value)
	}
}

// queueColumns adds a statement whose parameters are the columns, unless there are no rows.
func queueColumns(queue *pgx.Batch, statement string, c columns) {
	if c == nil {
		return
	}
	args := make([]any, len(c))
	for i := range c {
		args[i] = c[i]
	}
	queue.Queue(statement, args...)
}

// null stores empty bytes as NULL, so that there is one spelling of "none".
func null(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func queuePayments(queue *pgx.Batch, w *ledger.Writes) {
	var freed, changed, answered, deferred, fresh columns
	for _, ref := range w.FreedSlots {
		freed.add(ref.Tenant, ref.ID)
	}
	queueColumns(queue, `UPDATE payments SET slot = '' FROM unnest($1::text[], $2::text[]) AS q(t, i)
		WHERE tenant = t AND id = i`, freed)
	for _, row := range w.ChangedRows {
		changed.add(row.Tenant, row.ID, row.Slot, row.State, row.Version, null(row.Digest), ledger.Millis(row.Due),
			null(row.Body), ledger.Millis(row.Updated))
	}
	// A column that SET names is written out of line again, even with the same value: the response, which may have
	// megabytes, is named once.
	queueColumns(queue, `UPDATE payments SET slot = q.slot, state = q.state, version = q.version, digest = q.digest,
		due_ms = q.due_ms, body = q.body, updated_ms = q.updated_ms
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::bigint[], $8::bytea[],
		$9::bigint[]) AS q(t, i, slot, state, version, digest, due_ms, body, updated_ms)
		WHERE tenant = t AND id = i`, changed)
	for _, row := range w.Answered {
		answered.add(row.Tenant, row.ID, row.Response)
	}
	queueColumns(queue, `UPDATE payments SET response = q.response
		FROM unnest($1::text[], $2::text[], $3::bytea[]) AS q(t, i, response) WHERE tenant = t AND id = i`, answered)
	for _, row := range w.DeferredRows {
		deferred.add(row.Tenant, row.ID, row.Version, ledger.Millis(row.Due))
	}
	queueColumns(queue, `UPDATE payments SET version = q.version, due_ms = q.due_ms
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS q(t, i, version, due_ms)
		WHERE tenant = t AND id = i`, deferred)
	for _, row := range w.NewRows {
		fresh.add(row.Tenant, row.ID, row.Agent, row.Key, row.Slot, row.State, row.Version, null(row.Digest),
			ledger.Millis(row.Due), null(row.Body), null(row.Response), ledger.Millis(row.Created),
			ledger.Millis(row.Updated), row.Born)
	}
	queueColumns(queue, `INSERT INTO payments (tenant, id, agent, key, slot, state, version, digest, due_ms, body, response,
		created_ms, updated_ms, born) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
		$6::text[], $7::bigint[], $8::bytea[], $9::bigint[], $10::bytea[], $11::bytea[], $12::bigint[], $13::bigint[],
		$14::bigint[])`, fresh)
}

func (b *batch) queueLog(queue *pgx.Batch, w *ledger.Writes) {
	var heads, log, chains columns
	for tenant, head := range w.Heads {
		heads.add(tenant, head.Position, head.TimeMS)
	}
	queueColumns(queue, `UPDATE heads SET position = p, time_ms = m
		FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS q(t, p, m) WHERE tenant = t`, heads)
	for _, r := range w.Log {
		log.add(r.Tenant, r.Position, r.Agent, r.Sequence, r.Payment, r.Entry, r.Hash[:], b.mark[:])
	}
	queueColumns(queue, `INSERT INTO log (tenant, position, agent, sequence, payment, entry, hash, batch)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[], $8::bytea[])`, log)
	for ref, chain := range w.Chains {
		chains.add(ref.Tenant, ref.Agent, chain.Sequence, chain.Hash[:])
	}
	queueColumns(queue, `INSERT INTO chains (tenant, agent, sequence, hash)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
		ON CONFLICT (tenant, agent) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash`, chains)
}

// queueMark leaves the mark of a batch without a log record, and clears those that nobody looks for any more. The
// head's lock keeps other processes from this tenant's marks.
func (b *batch) queueMark(queue *pgx.Batch) {
	if b.proof.position > 0 {
		return
	}
	queue.Queue(`DELETE FROM marks WHERE tenant = $1 AND at_ms < $2`, b.proof.tenant, b.proof.atMS-markTimeMax.Milliseconds())
	queue.Queue(`INSERT INTO marks (tenant, at_ms, batch) VALUES ($1, $2, $3)`, b.proof.tenant, b.proof.atMS, b.mark[:])
}

func queueMeterWrites(queue *pgx.Batch, w *ledger.Writes) {
	var meters, buckets columns
	for ref, sum := range w.Meters {
		meters.add(ref.Tenant, ref.Meter, sum.Total.String(), sum.Sequence)
	}
	queueColumns(queue, `INSERT INTO meters (tenant, meter, total, sequence)
		SELECT t, m, a::numeric, s FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS q(t, m, a, s)
		ON CONFLICT (tenant, meter) DO UPDATE SET total = excluded.total, sequence = excluded.sequence`, meters)
	for ref, value := range w.Buckets {
		buckets.add(ref.Tenant, ref.Meter, ref.Width, ref.Start, value.String())
	}
	queueColumns(queue, `INSERT INTO buckets (tenant, meter, width_ms, start_ms, amount)
		SELECT t, m, w, s, a::numeric FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) AS q(t, m, w, s, a)
		ON CONFLICT (tenant, meter, width_ms, start_ms) DO UPDATE SET amount = excluded.amount`, buckets)
}

func queueHolds(queue *pgx.Batch, w *ledger.Writes) {
	var ended, fresh columns
	for _, h := range w.EndedHolds {
		ended.add(h.Tenant, h.Meter, h.Sequence, int64(h.State))
	}
	queueColumns(queue, `UPDATE holds SET state = q.state
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS q(t, m, s, state)
		WHERE tenant = t AND meter = m AND sequence = s`, ended)
	for _, h := range w.NewHolds {
		fresh.add(h.Tenant, h.ID, h.Meter, h.Sequence, h.Amount.String(), h.Bucket, int64(h.State))
	}
	queueColumns(queue, `INSERT INTO holds (tenant, id, meter, sequence, amount, bucket_ms, state)
		SELECT t, i, m, s, a::numeric, b, st FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[],
		$6::bigint[], $7::bigint[]) AS q(t, i, m, s, a, b, st)`, fresh)
}

func queueSightings(queue *pgx.Batch, w *ledger.Writes) {
	var quotes, payees columns
	for _, q := range w.Quotes {
		quotes.add(q.Tenant, q.Route, q.Asset, q.Position, q.Amount.String(), q.AtMS)
	}
	queueColumns(queue, `INSERT INTO quotes (tenant, route, asset, position, amount, at_ms)
		SELECT t, r, a, p, v::numeric, m FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[],
		$6::bigint[]) AS q(t, r, a, p, v, m)`, quotes)
	for _, p := range w.Payees {
		payees.add(p.Tenant, p.Payee, p.FirstMS, p.Times)
	}
	queueColumns(queue, `INSERT INTO payees AS old (tenant, payee, first_ms, times)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
		ON CONFLICT (tenant, payee) DO UPDATE SET times = old.times + excluded.times`, payees)
}

func queueAgents(queue *pgx.Batch, w *ledger.Writes) {
	for _, a := range w.Agents {
		queue.Queue(`INSERT INTO agents (tenant, id, token_sha256, public_key, groups, tier, wallet, derived, revoked,
			enrolment, version, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (tenant, id) DO UPDATE SET token_sha256 = excluded.token_sha256, public_key = excluded.public_key,
			groups = excluded.groups, tier = excluded.tier, wallet = excluded.wallet, derived = excluded.derived,
			revoked = excluded.revoked, enrolment = excluded.enrolment, version = excluded.version`, a.Tenant, a.ID, a.TokenSHA256[:], null(a.PublicKey),
			append([]string{}, a.Groups...), a.Tier, a.Wallet, a.Derived, a.Revoked, null(a.Enrolment), a.Version, ledger.Millis(a.Created))
	}
}
