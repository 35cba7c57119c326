package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// TestTheCheckerSeesEachInvariantBroken forges the evidence of one honest payment, one lie at a time: a checker that
// finds nothing wrong with a lie proves nothing about the truth.
func TestTheCheckerSeesEachInvariantBroken(t *testing.T) {
	y := newStory(t, testWallet(t), false)
	data := t.TempDir()
	only := y.open(t, y.world.stackFor(data, y.policy, y.key))
	made, err := only.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	view, err := y.buy(t, t.Context(), only, made.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	only.close(t, false)
	honest := y.world.evidenceOf(t, data, y.key, storyLimit)
	honest.mustHold(t)
	for _, lie := range []struct {
		name, seen string
		forge      func(*evidence)
	}{
		{"money moved for no payment", "for no payment", func(e *evidence) { e.transfers = append(e.transfers, moved{tx: "0x1", amount: abi.NewAmount(1)}) }},
		{"one payment moved money twice", " and in 0x", func(e *evidence) { e.transfers = append(e.transfers, e.transfers[0]) }},
		{"a delivered payment moved nothing", "shows no transfer", func(e *evidence) { e.transfers = nil }},
		{"another account was paid", "recorded", func(e *evidence) { e.transfers[0].payee = "0x0000000000000000000000000000000000000bad" }},
		{"another amount was paid", "recorded", func(e *evidence) { e.transfers[0].amount = abi.NewAmount(oneUSDC + 1) }},
		{"the budget was overrun", "over the limit", func(e *evidence) { e.limit = abi.NewAmount(oneUSDC - 1) }},
		{"nothing was allowed here", "no allow decision", func(e *evidence) { e.runtime.drop("payment.allowed") }},
		{"nothing was allowed there", "no allow decision", func(e *evidence) { e.cosigner.drop("cosigner.allow") }},
		{"nothing was armed here", "was not armed", func(e *evidence) { e.runtime.drop("payment.armed") }},
		{"nothing was armed there", "the co-signer did not", func(e *evidence) { e.cosigner.drop("cosigner.armed") }},
		{"the spend is not recorded", "recorded no spend", func(e *evidence) { e.cosigner.drop("cosigner.spent") }},
		{"the signature is not recorded", "not signed by both", func(e *evidence) { e.runtime.drop("payment.signed") }},
		{"the log has a gap", "audit_invalid", func(e *evidence) { e.runtime.drop("payment.quoted") }},
		{"the log was edited", "audit_invalid", func(e *evidence) { e.cosigner.records[0].Entry = bytes.ToUpper(e.cosigner.records[0].Entry) }},
		{"the row says otherwise than its log", "its log says otherwise", func(e *evidence) { e.runtime.edit(view.ID, func(r *ledgerRow) { r.state = "denied" }) }},
		{"a paid payment is denied", "shows a transfer", func(e *evidence) { e.runtime.edit(view.ID, func(r *ledgerRow) { r.state = "denied" }) }},
		{"the row holds another digest", "holds digest", func(e *evidence) { e.cosigner.edit(view.ID, func(r *ledgerRow) { r.digest = []byte{1} }) }},
		{"a payment has no log", "its log says otherwise", func(e *evidence) { e.runtime.rows["another"] = ledgerRow{state: "received", body: []byte("{}")} }},
		{"a payment has no row", "has no row", func(e *evidence) { delete(e.runtime.rows, view.ID) }},
		{"the promise names another ledger", "the promise names", func(e *evidence) { e.cosigner.id = "another" }},
	} {
		forged := honest
		forged.runtime, forged.cosigner, forged.transfers = honest.runtime.copy(), honest.cosigner.copy(), slices.Clone(honest.transfers)
		lie.forge(&forged)
		if faults := forged.check(); !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, lie.seen) }) {
			t.Errorf("%s: the checker says %q, want a fault that says %q", lie.name, faults, lie.seen)
		}
	}
}

func (v ledgerView) copy() ledgerView {
	v.records, v.rows = slices.Clone(v.records), maps.Clone(v.rows)
	return v
}

// drop forgets every entry of a kind.
func (v *ledgerView) drop(kind string) {
	v.records = slices.DeleteFunc(v.records, func(record store.Record) bool {
		var entry abi.Entry
		return entry.Unmarshal(record.Entry) == nil && entry.Kind == kind
	})
}

func (v *ledgerView) edit(id string, change func(*ledgerRow)) {
	row := v.rows[id]
	change(&row)
	v.rows[id] = row
}
