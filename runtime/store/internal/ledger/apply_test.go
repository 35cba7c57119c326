package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// emptyLedger is a database without anything in it.
type emptyLedger struct{}

func (emptyLedger) Lookup(context.Context, Names) (Found, error)        { return Found{}, nil }
func (emptyLedger) OpenHolds(context.Context, []RowRef) ([]Hold, error) { return nil, nil }
func (emptyLedger) Sums(_ context.Context, want Wants) (sums Sums, _ error) {
	sums.Levels = map[LevelRef]abi.Amount{}
	for _, ref := range want.Levels {
		sums.Levels[ref] = abi.Amount{}
	}
	return sums, nil
}

const noon = int64(1_800_000_000_000)

func run(t *testing.T, heads map[string]Head, ops ...Op) ([]Result, *Writes) {
	t.Helper()
	results, writes, err := Batch(t.Context(), emptyLedger{}, &Clock{}, heads, noon, ops)
	if err != nil {
		t.Fatal(err)
	}
	return results, writes
}

func commitOp(id string, version uint64, slot string, closing store.Closing, add uint64) Op {
	change := &store.Change{Tenant: "t", ID: id, Version: version, State: "s", Slot: slot, Close: closing, Entry: store.Entry{Kind: "k", Payment: id}}
	if add > 0 {
		change.Reserve = []store.Reservation{{
			Meter: store.Meter{Scope: "tenant", Unit: "usdc"}, Add: abi.NewAmount(add),
			Limits: []store.Limit{{Name: "l", Window: store.Lifetime(), Max: abi.NewAmount(10)}},
		}}
	}
	return Op{Commit: change}
}

func TestLaterOperationsSeeEarlierOnesAndFailuresLeaveNothing(t *testing.T) {
	slotted := insertOp("p1")
	slotted.Insert.Row.Slot = "x"
	rival := insertOp("p2")
	rival.Insert.Row.Slot = "x"
	results, writes := run(t, map[string]Head{},
		slotted,
		insertOp("p1"),                           // the same key
		rival,                                    // the slot is taken
		commitOp("p1", 1, "", store.KeepOpen, 8), // reserves 8 and frees the slot
		rival,                                    // now it is free
		commitOp("p2", 1, "x", store.KeepOpen, 3), // 8+3 > 10
		commitOp("p1", 2, "", store.Release, 0),
		commitOp("p2", 1, "x", store.KeepOpen, 3), // fits now
		commitOp("p2", 1, "x", store.KeepOpen, 3), // an old version
	)
	var got []string
	for _, result := range results {
		got = append(got, fmt.Sprintf("%d %s", result.Claim, abi.CodeOf(result.Err)))
	}
	if want := "[0  1  2  0  0  0 internal 0  0  0 conflict]"; fmt.Sprint(got) != want {
		t.Errorf("results %v, want %s", got, want)
	}
	if writes.Heads["t"].Position != 5 || len(writes.Log) != 5 || len(writes.NewRows) != 2 || len(writes.ChangedRows) != 0 {
		t.Errorf("%d entries, %d new rows, %d changed rows, head %+v", len(writes.Log), len(writes.NewRows), len(writes.ChangedRows), writes.Heads["t"])
	}
	meter := MeterRef{"t", "tenant#usdc"}
	if sum := writes.Meters[meter]; sum.Total != abi.NewAmount(3) || sum.Sequence != 3 {
		t.Errorf("the meter is at %+v", sum)
	}
	if len(writes.NewHolds) != 2 || len(writes.FreedSlots) != 0 {
		t.Errorf("holds %+v, freed %v", writes.NewHolds, writes.FreedSlots)
	}
	for ref, amount := range writes.Buckets {
		if amount != abi.NewAmount(3) || noon-ref.Start >= ref.Width || ref.Start > noon {
			t.Errorf("bucket %+v holds %s", ref, amount)
		}
	}
}

func deferOp(id string, version uint64, dueMS int64) Op {
	return Op{Defer: &Defer{Tenant: "t", ID: id, Version: version, Due: time.UnixMilli(dueMS)}}
}

// storedRows is a database with rows that have a response.
type storedRows struct {
	emptyLedger
	ids []string
}

func (r storedRows) Lookup(context.Context, Names) (found Found, _ error) {
	for i, id := range r.ids {
		found.Rows = append(found.Rows, StoredRow{Born: uint64(i + 1), Row: store.Row{Tenant: "t", Agent: "a", ID: id, Key: id, State: "s", //nolint:gosec // small
			Slot: id, Version: 4, Response: []byte("answer"), Updated: time.UnixMilli(5)}})
	}
	return found, nil
}

func TestADeferralIsWrittenAloneAndMakesNoEntry(t *testing.T) {
	answered := commitOp("changed", 4, "changed", store.KeepOpen, 0)
	answered.Commit.Response = []byte("answer") // the same one
	first := commitOp("new", 2, "", store.KeepOpen, 0)
	first.Commit.Response = []byte("first")
	heads := map[string]Head{"t": {Position: 9, TimeMS: noon}}
	results, writes, err := Batch(t.Context(), storedRows{ids: []string{"deferred", "changed", "both"}}, &Clock{}, heads, noon+1, []Op{
		deferOp("deferred", 4, 1000), deferOp("deferred", 4, 2000), deferOp("deferred", 5, 3000), // the second is late
		answered,
		deferOp("both", 4, 1000), commitOp("both", 5, "", store.KeepOpen, 0), deferOp("both", 6, 2000),
		insertOp("new"), deferOp("new", 1, 1000), first,
		deferOp("nobody", 1, 1000),
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, result := range results {
		got = append(got, fmt.Sprintf("%d %s", result.Row.Version, abi.CodeOf(result.Err)))
	}
	if want := "[5  0 conflict 6  5  5  6  7  1  2  3  0 not_found]"; fmt.Sprint(got) != want {
		t.Errorf("results %v, want %s", got, want)
	}
	if len(writes.DeferredRows) != 1 || writes.DeferredRows[0].ID != "deferred" || writes.DeferredRows[0].Due.UnixMilli() != 3000 ||
		writes.DeferredRows[0].Updated.UnixMilli() != 5 {
		t.Errorf("deferred rows %+v", writes.DeferredRows)
	}
	if len(writes.ChangedRows) != 2 || len(writes.Answered) != 0 || len(writes.NewRows) != 1 || len(writes.Log) != 4 || len(writes.FreedSlots) != 1 {
		t.Errorf("%d changed, %d answered, %d new rows, %d entries, freed %v",
			len(writes.ChangedRows), len(writes.Answered), len(writes.NewRows), len(writes.Log), writes.FreedSlots)
	}

	heads = map[string]Head{"t": {Position: 9, TimeMS: noon}}
	_, writes, err = Batch(t.Context(), storedRows{ids: []string{"p1"}}, &Clock{}, heads, noon+1, []Op{deferOp("p1", 4, 1000)})
	if err != nil || writes.Empty() || len(writes.Log) != 0 || len(writes.Heads) != 0 || len(writes.Chains) != 0 || len(writes.ChangedRows) != 0 {
		t.Errorf("a deferral alone writes %+v, %v", writes, err)
	}
	_, writes, err = Batch(t.Context(), storedRows{ids: []string{"p1"}}, &Clock{}, heads, noon+1, []Op{deferOp("p1", 3, 1000)})
	if err != nil || !writes.Empty() {
		t.Errorf("a deferral that lost writes %+v, %v", writes, err)
	}
}

func TestATenantWithAWrongClockDoesNotStopTheOthers(t *testing.T) {
	ahead := insertOp("p1")
	ahead.Insert.Row.Tenant = "ahead"
	results, writes := run(t, map[string]Head{"ahead": {Position: 7, TimeMS: noon + 300_001}}, ahead, insertOp("p2"))
	if abi.CodeOf(results[0].Err) != "clock_behind" || results[1].Err != nil {
		t.Errorf("results %v, %v", results[0].Err, results[1].Err)
	}
	if _, moved := writes.Heads["ahead"]; moved || len(writes.Log) != 1 {
		t.Errorf("heads %v, %d entries", writes.Heads, len(writes.Log))
	}
}

func TestSumsThatContradictAHoldStopThePayment(t *testing.T) {
	s := newState(map[string]Head{"t": {}}, map[string]int64{"t": noon})
	s.addRow(StoredRow{Row: store.Row{Tenant: "t", Agent: "a", ID: "p1", Key: "p1", State: "s", Version: 1}})
	s.chains[AgentRef{"t", "a"}] = &chainState{}
	meter := MeterRef{"t", "tenant#usdc"}
	s.accounts[meter] = newAccount(Sum{Total: abi.NewAmount(2), Sequence: 1})
	s.holds[RowRef{"t", "p1"}] = []*holdState{{Hold: Hold{RowRef: RowRef{"t", "p1"}, Meter: meter.Meter, Amount: abi.NewAmount(3), Bucket: noon}}}
	result := s.Apply(commitOp("p1", 1, "", store.Release, 0))
	if abi.CodeOf(result.Err) != "ledger_corrupt" || !s.Writes().Empty() {
		t.Errorf("got %v", result.Err)
	}
}

func TestClockNeverStepsBackAndKnowsItsBound(t *testing.T) {
	var clock Clock
	for _, step := range []struct {
		reading, stored, want int64
		code                  string
	}{
		{1000, 0, 1000, ""},
		{900, 0, 1000, ""},
		{900, 1500, 1500, ""},
		{1500, 1500 + 300_000, 301_500, ""},
		{1499, 0, 0, "clock_behind"},
		{400_000, 0, 400_000, ""},
		{0, 0, 0, "clock_behind"},
		{-5, 0, 0, "clock_behind"},
	} {
		now, err := clock.Now("t", step.reading, step.stored)
		if now != step.want || abi.CodeOf(err) != step.code {
			t.Errorf("%+v: %d, %v", step, now, err)
		}
	}
	if now, err := clock.Now("other", 7, 0); now != 7 || err != nil {
		t.Errorf("another tenant is at %d, %v", now, err)
	}
}
