package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// batch is one transaction of the writer. Each method of ledger.Reader is one round trip.
type batch struct {
	tx pgx.Tx
	// mark is random and stored with every log record of the batch, so that a lost COMMIT can be looked for. Equal
	// records would not do: two processes may race with the same change in the same millisecond.
	mark  [16]byte
	sent  bool
	proof proof
}

// proof is where a batch leaves its mark: with its first log record, or, at position 0 and the clock's reading, in the
// table of marks when it has none. A deferred row would not do as a proof: whoever moves the row next overwrites it.
type proof struct {
	tenant   string
	position uint64
	atMS     int64
}

// proofOf chooses the place for a batch that is not empty.
func proofOf(w *ledger.Writes, readingMS int64) proof {
	if len(w.Log) > 0 {
		return proof{tenant: w.Log[0].Tenant, position: w.Log[0].Position}
	}
	return proof{tenant: w.DeferredRows[0].Tenant, atMS: readingMS}
}

var _ ledger.Reader = (*batch)(nil)

// readClock is the database's clock, in whole milliseconds, without a float in between on any version.
const readClock = `SELECT floor(extract(epoch FROM clock_timestamp())::numeric * 1000)::bigint`

// lockHeads takes the tenants' head rows, in order, and then reads the clock, in this order and as two statements:
// after the wait for a lock, the statement that waited is the only one that sees old rows and an old time.
func (b *batch) lockHeads(ctx context.Context, tenants []string, now func() time.Time) (heads map[string]ledger.Head, readingMS int64, err error) {
	heads = map[string]ledger.Head{}
	queue := &pgx.Batch{}
	each(queue, `SELECT tenant, position, time_ms FROM heads WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE`,
		[]any{tenants}, func(row pgx.CollectableRow) error {
			var tenant string
			var head ledger.Head
			err := row.Scan(&tenant, &head.Position, &head.TimeMS)
			heads[tenant] = head
			return err
		})
	each(queue, readClock, nil, func(row pgx.CollectableRow) error { return row.Scan(&readingMS) })
	if err := b.tx.SendBatch(ctx, queue).Close(); err != nil {
		return nil, 0, err
	}
	if len(heads) != len(tenants) {
		return nil, 0, fmt.Errorf("%d of %d head rows exist", len(heads), len(tenants))
	}
	if now != nil {
		readingMS = now().UnixMilli()
	}
	return heads, readingMS, nil
}

// each queues a query and what to do with its rows.
func each(queue *pgx.Batch, query string, args []any, scan func(pgx.CollectableRow) error) {
	queue.Queue(query, args...).Query(func(rows pgx.Rows) error {
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// Lookup implements ledger.Reader.
func (b *batch) Lookup(ctx context.Context, want ledger.Names) (found ledger.Found, err error) {
	queue := &pgx.Batch{}
	payments := func(n int, where string, args ...any) {
		if n == 0 {
			return
		}
		each(queue, ledger.SelectPayment+where, args, func(row pgx.CollectableRow) error {
			payment, err := scanPayment(row)
			found.Rows = append(found.Rows, payment)
			return err
		})
	}
	tenants, ids := split(want.IDs, func(r ledger.RowRef) (string, string) { return r.Tenant, r.ID })
	payments(len(ids), ` JOIN unnest($1::text[], $2::text[]) AS q(t, i) ON tenant = t AND id = i`, tenants, ids)
	tenants, agents := split(want.Keys, func(r ledger.KeyRef) (string, string) { return r.Tenant, r.Agent })
	_, keys := split(want.Keys, func(r ledger.KeyRef) (string, string) { return "", r.Key })
	payments(len(keys), ` JOIN unnest($1::text[], $2::text[], $3::text[]) AS q(t, a, k)
		ON tenant = t AND agent = a AND key = k`, tenants, agents, keys)
	tenants, slots := split(want.Slots, func(r ledger.SlotRef) (string, string) { return r.Tenant, r.Slot })
	payments(len(slots), ` JOIN unnest($1::text[], $2::text[]) AS q(t, s)
		ON tenant = t AND slot = s AND slot <> ''`, tenants, slots)
	payments(len(want.Digests), ` WHERE digest = ANY($1)`, want.Digests)

	tenants, agents = split(want.Agents, func(r ledger.AgentRef) (string, string) { return r.Tenant, r.Agent })
	tokens := make([][]byte, len(want.Tokens))
	for i := range want.Tokens {
		tokens[i] = want.Tokens[i][:]
	}
	agent := func(where string, args ...any) {
		each(queue, selectAgent+where, args, func(row pgx.CollectableRow) error {
			stored, err := scanAgent(row)
			found.Agents = append(found.Agents, stored)
			return err
		})
	}
	if len(agents) > 0 {
		agent(` JOIN unnest($1::text[], $2::text[]) AS q(t, i) ON tenant = t AND id = i`, tenants, agents)
		agent(` WHERE token_sha256 = ANY($1)`, tokens)
	}
	return found, b.tx.SendBatch(ctx, queue).Close()
}

// OpenHolds implements ledger.Reader.
func (b *batch) OpenHolds(ctx context.Context, rows []ledger.RowRef) (holds []ledger.Hold, err error) {
	tenants, ids := split(rows, func(r ledger.RowRef) (string, string) { return r.Tenant, r.ID })
	queue := &pgx.Batch{}
	each(queue, `SELECT tenant, id, meter, sequence, amount::text, bucket_ms FROM holds
		JOIN unnest($1::text[], $2::text[]) AS q(t, i) ON tenant = t AND id = i
		WHERE state = 0 ORDER BY meter, sequence`, []any{tenants, ids}, func(row pgx.CollectableRow) error {
		var hold ledger.Hold
		err := row.Scan(&hold.Tenant, &hold.ID, &hold.Meter, &hold.Sequence, ledger.Amount(&hold.Amount), &hold.Bucket)
		holds = append(holds, hold)
		return err
	})
	return holds, b.tx.SendBatch(ctx, queue).Close()
}

// Sums implements ledger.Reader.
func (b *batch) Sums(ctx context.Context, want ledger.Wants) (ledger.Sums, error) {
	sums := ledger.Sums{
		Chains: map[ledger.AgentRef]ledger.Chain{}, Meters: map[ledger.MeterRef]ledger.Sum{},
		Buckets: map[ledger.BucketRef]abi.Amount{}, Levels: map[ledger.LevelRef]abi.Amount{},
	}
	queue := &pgx.Batch{}
	tenants, agents := split(want.Chains, func(r ledger.AgentRef) (string, string) { return r.Tenant, r.Agent })
	each(queue, `SELECT tenant, agent, sequence, hash FROM chains
		JOIN unnest($1::text[], $2::text[]) AS q(t, a) ON tenant = t AND agent = a`, []any{tenants, agents},
		func(row pgx.CollectableRow) error {
			var ref ledger.AgentRef
			var chain ledger.Chain
			err := row.Scan(&ref.Tenant, &ref.Agent, &chain.Sequence, ledger.Fixed(chain.Hash[:]))
			sums.Chains[ref] = chain
			return err
		})
	if len(want.Meters) > 0 {
		queueMeters(queue, want.Meters, sums.Meters)
	}
	if len(want.Buckets) > 0 {
		queueBuckets(queue, want.Buckets, sums.Buckets)
	}
	if len(want.Levels) > 0 {
		queueLevels(queue, want.Levels, sums.Levels)
	}
	return sums, b.tx.SendBatch(ctx, queue).Close()
}

func queueMeters(queue *pgx.Batch, want []ledger.MeterRef, into map[ledger.MeterRef]ledger.Sum) {
	tenants, meters := split(want, func(r ledger.MeterRef) (string, string) { return r.Tenant, r.Meter })
	each(queue, `SELECT tenant, meter, total::text, sequence FROM meters
		JOIN unnest($1::text[], $2::text[]) AS q(t, m) ON tenant = t AND meter = m`, []any{tenants, meters},
		func(row pgx.CollectableRow) error {
			var ref ledger.MeterRef
			var sum ledger.Sum
			err := row.Scan(&ref.Tenant, &ref.Meter, ledger.Amount(&sum.Total), &sum.Sequence)
			into[ref] = sum
			return err
		})
}

func queueBuckets(queue *pgx.Batch, want []ledger.BucketRef, into map[ledger.BucketRef]abi.Amount) {
	tenants, meters := split(want, func(r ledger.BucketRef) (string, string) { return r.Tenant, r.Meter })
	widths, starts := split(want, func(r ledger.BucketRef) (int64, int64) { return r.Width, r.Start })
	each(queue, `SELECT tenant, meter, width_ms, start_ms, amount::text FROM buckets
		JOIN unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS q(t, m, w, s)
		ON tenant = t AND meter = m AND width_ms = w AND start_ms = s`, []any{tenants, meters, widths, starts},
		func(row pgx.CollectableRow) error {
			var ref ledger.BucketRef
			var value abi.Amount
			err := row.Scan(&ref.Tenant, &ref.Meter, &ref.Width, &ref.Start, ledger.Amount(&value))
			into[ref] = value
			return err
		})
}

// queueLevels reads levels: the window's buckets, and the open holds that are older.
func queueLevels(queue *pgx.Batch, want []ledger.LevelRef, into map[ledger.LevelRef]abi.Amount) {
	tenants, meters := split(want, func(r ledger.LevelRef) (string, string) { return r.Tenant, r.Meter })
	widths, froms := split(want, func(r ledger.LevelRef) (int64, int64) { return r.Width, r.From })
	each(queue, `SELECT t, m, w, f, (
			coalesce((SELECT sum(amount) FROM buckets WHERE tenant = t AND meter = m AND width_ms = w AND start_ms >= f), 0) +
			coalesce((SELECT sum(amount) FROM holds WHERE tenant = t AND meter = m AND state = 0 AND bucket_ms < f), 0))::text
		FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS q(t, m, w, f)`,
		[]any{tenants, meters, widths, froms}, func(row pgx.CollectableRow) error {
			var ref ledger.LevelRef
			var value abi.Amount
			err := row.Scan(&ref.Tenant, &ref.Meter, &ref.Width, &ref.From, ledger.Amount(&value))
			into[ref] = value
			return err
		})
}

// split turns references into the columns that unnest takes.
func split[T, A, B any](list []T, columns func(T) (A, B)) (as []A, bs []B) {
	for _, item := range list {
		a, b := columns(item)
		as, bs = append(as, a), append(bs, b)
	}
	return as, bs
}
