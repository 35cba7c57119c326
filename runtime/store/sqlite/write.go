package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

// write stores a batch. The order matters: slots are given up before rows take them, rows come before what refers
// to them.
func (b *batch) write(ctx context.Context, w *ledger.Writes) error {
	for _, step := range []func(context.Context, *ledger.Writes) error{
		b.writePayments, b.writeLog, b.writeMeters, b.writeHolds, b.writeSightings, b.writeAgents,
	} {
		if err := step(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writePayments(ctx context.Context, w *ledger.Writes) error {
	for _, ref := range w.FreedSlots {
		if err := b.exec(ctx, `UPDATE payments SET slot = '' WHERE tenant = ? AND id = ?`, ref.Tenant, ref.ID); err != nil {
			return err
		}
	}
	for _, row := range w.ChangedRows {
		err := b.exec(ctx, `UPDATE payments SET slot = ?, state = ?, version = ?, digest = ?, due_ms = ?, body = ?,
			updated_ms = ? WHERE tenant = ? AND id = ?`, row.Slot, row.State, row.Version, null(row.Digest),
			ledger.Millis(row.Due), null(row.Body), ledger.Millis(row.Updated), row.Tenant, row.ID)
		if err != nil {
			return err
		}
	}
	for _, row := range w.DeferredRows { // names only what a deferral may change
		if err := b.exec(ctx, `UPDATE payments SET version = ?, due_ms = ? WHERE tenant = ? AND id = ?`,
			row.Version, ledger.Millis(row.Due), row.Tenant, row.ID); err != nil {
			return err
		}
	}
	for _, row := range w.NewRows {
		err := b.exec(ctx, `INSERT INTO payments (tenant, id, agent, key, slot, state, version, digest, due_ms, body,
			created_ms, updated_ms, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			row.Tenant, row.ID, row.Agent, row.Key, row.Slot, row.State, row.Version, null(row.Digest),
			ledger.Millis(row.Due), null(row.Body), ledger.Millis(row.Created), ledger.Millis(row.Updated), row.Born)
		if err != nil {
			return err
		}
	}
	return b.writeResponses(ctx, w)
}

func (b *batch) writeResponses(ctx context.Context, w *ledger.Writes) error {
	for _, row := range slices.Concat(w.Answered, w.NewRows) {
		if len(row.Response) == 0 {
			continue
		}
		if err := b.exec(ctx, `INSERT INTO responses (tenant, id, response) VALUES (?, ?, ?)`,
			row.Tenant, row.ID, row.Response); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeLog(ctx context.Context, w *ledger.Writes) error {
	for tenant, head := range w.Heads {
		if err := b.exec(ctx, `INSERT INTO heads (tenant, position, time_ms) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET position = excluded.position, time_ms = excluded.time_ms`,
			tenant, head.Position, head.TimeMS); err != nil {
			return err
		}
	}
	for _, r := range w.Log {
		if err := b.exec(ctx, `INSERT INTO log (tenant, position, agent, sequence, payment, entry, hash)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, r.Tenant, r.Position, r.Agent, r.Sequence, r.Payment, r.Entry, r.Hash[:]); err != nil {
			return err
		}
	}
	for ref, chain := range w.Chains {
		if err := b.exec(ctx, `INSERT INTO chains (tenant, agent, sequence, hash) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash`,
			ref.Tenant, ref.Agent, chain.Sequence, chain.Hash[:]); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeMeters(ctx context.Context, w *ledger.Writes) error {
	for ref, sum := range w.Meters {
		if err := b.exec(ctx, `INSERT INTO meters (tenant, meter, total, sequence) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET total = excluded.total, sequence = excluded.sequence`,
			ref.Tenant, ref.Meter, sum.Total.String(), sum.Sequence); err != nil {
			return err
		}
	}
	for ref, value := range w.Buckets {
		if err := b.exec(ctx, `INSERT INTO buckets (tenant, meter, width_ms, start_ms, amount) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET amount = excluded.amount`,
			ref.Tenant, ref.Meter, ref.Width, ref.Start, value.String()); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeHolds(ctx context.Context, w *ledger.Writes) error {
	for _, h := range w.EndedHolds {
		if err := b.exec(ctx, `UPDATE holds SET state = ? WHERE tenant = ? AND meter = ? AND sequence = ?`,
			int64(h.State), h.Tenant, h.Meter, h.Sequence); err != nil {
			return err
		}
	}
	for _, h := range w.NewHolds {
		if err := b.exec(ctx, `INSERT INTO holds (tenant, id, meter, sequence, amount, bucket_ms, state)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, h.Tenant, h.ID, h.Meter, h.Sequence, h.Amount.String(), h.Bucket, int64(h.State)); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeSightings(ctx context.Context, w *ledger.Writes) error {
	for _, q := range w.Quotes {
		if err := b.exec(ctx, `INSERT INTO quotes (tenant, route, asset, position, amount, at_ms) VALUES (?, ?, ?, ?, ?, ?)`,
			q.Tenant, q.Route, q.Asset, q.Position, q.Amount.String(), q.AtMS); err != nil {
			return err
		}
	}
	for _, p := range w.Payees {
		if err := b.exec(ctx, `INSERT INTO payees (tenant, payee, first_ms, times) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET times = times + excluded.times`, p.Tenant, p.Payee, p.FirstMS, p.Times); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) writeAgents(ctx context.Context, w *ledger.Writes) error {
	for _, a := range w.Agents {
		groups, err := json.Marshal(append([]string{}, a.Groups...))
		if err != nil {
			return fmt.Errorf("groups of agent %s: %w", a.ID, err)
		}
		if err := b.exec(ctx, `INSERT INTO agents (tenant, id, token_sha256, public_key, groups_json, tier, wallet, derived,
			revoked, enrolment, version, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant, id) DO UPDATE SET token_sha256 = excluded.token_sha256, public_key = excluded.public_key,
			groups_json = excluded.groups_json, tier = excluded.tier, wallet = excluded.wallet,
			derived = excluded.derived, revoked = excluded.revoked, enrolment = excluded.enrolment, version = excluded.version`,
			a.Tenant, a.ID, a.TokenSHA256[:], null(a.PublicKey), string(groups), a.Tier, a.Wallet, a.Derived, a.Revoked,
			null(a.Enrolment), a.Version, ledger.Millis(a.Created)); err != nil {
			return err
		}
	}
	return nil
}

// null stores an empty blob as NULL, so that there is one spelling of "none".
func null(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
