package storetest

import (
	"slices"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

// Check reports every invariant that the whole log of one tenant and all its rows contradict: the chains verify,
// keys, slots and digests are unique, every row has an entry and no more of them than versions, and the row's times are
// those of its first and last entry. A version without an entry is a deferral, which the log does not tell. It shares no
// code with the ledgers. Entries must name their row in Payment.
func Check(t testing.TB, records []store.Record, rows []store.Row) {
	t.Helper()
	report, err := audit.Verify(func(yield func(store.Record, error) bool) {
		for _, record := range records {
			if !yield(record, nil) {
				return
			}
		}
	}, audit.Options{})
	if err != nil {
		t.Errorf("the log does not verify: %v", err)
		return
	}
	if report.Entries != uint64(len(records)) {
		t.Errorf("verified %d of %d entries", report.Entries, len(records))
	}
	entries := map[string][]abi.Entry{}
	for _, record := range records {
		var e abi.Entry
		if err := e.Unmarshal(record.Entry); err != nil {
			t.Errorf("position %d: %v", record.Position, err)
			return
		}
		if e.Payment != "" {
			entries[e.Payment] = append(entries[e.Payment], e)
		}
	}
	checkUnique(t, rows)
	for _, row := range rows {
		checkHistory(t, row, entries[row.ID])
		delete(entries, row.ID)
	}
	for id := range entries {
		t.Errorf("the log names row %s, which does not exist", id)
	}
}

func checkUnique(t testing.TB, rows []store.Row) {
	t.Helper()
	seen := map[string]string{}
	for _, row := range rows {
		names := []string{"id " + row.ID, "key " + row.Agent + "\x00" + row.Key}
		if row.Slot != "" {
			names = append(names, "slot "+row.Slot)
		}
		if len(row.Digest) > 0 {
			names = append(names, "digest "+string(row.Digest))
		}
		for _, name := range names {
			if other, ok := seen[name]; ok {
				t.Errorf("rows %s and %s share %q", other, row.ID, name)
			}
			seen[name] = row.ID
		}
	}
	if !slices.IsSortedFunc(rows, func(a, b store.Row) int { return a.Created.Compare(b.Created) }) {
		t.Error("rows are not in order of creation")
	}
}

func checkHistory(t testing.TB, row store.Row, entries []abi.Entry) {
	t.Helper()
	if len(entries) == 0 || uint64(len(entries)) > row.Version {
		t.Errorf("row %s is at version %d and has %d entries", row.ID, row.Version, len(entries))
		return
	}
	first, last := entries[0], entries[len(entries)-1]
	if first.Agent != row.Agent || last.Agent != row.Agent {
		t.Errorf("row %s of agent %s is logged for %s", row.ID, row.Agent, first.Agent)
	}
	if row.Created.UnixMilli() != int64(first.TimeUnixMs) || row.Updated.UnixMilli() != int64(last.TimeUnixMs) { //nolint:gosec // written from int64
		t.Errorf("row %s lived from %s to %s, its entries say otherwise", row.ID, row.Created, row.Updated)
	}
}
