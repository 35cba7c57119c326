package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Exercise runs the whole suite. Every test opens its own ledger and checks it from the outside when it ends.
func Exercise(t *testing.T, open Open) {
	for name, test := range map[string]func(*suite){
		"OneOfManyRacingCallersWithOneKeyCreatesTheRow":  oneKey,
		"OneOfManyRacingCallersWithOneSlotCreatesTheRow": oneSlot,
		"AFreedSlotCanBeTakenAgainAndATakenOneCannot":    slots,
		"ADigestAndAResponseAreWrittenOnce":              writeOnce,
		"AnOldVersionConflictsAndChangesNothing":         conflict,
		"ADeferralMovesTheDueAndNothingElse":             deferKeeps,
		"ARefusedDeferralChangesNothing":                 deferRefused,
		"OneOfManyRacingWorkersTakesARow":                deferRace,
		"RacingCallersNeverOverspendABudget":             budgetRace,
		"AFullBudgetDoesNotFailItsNeighbours":            neighbours,
		"AReservationIsAllOrNothing":                     allOrNothing,
		"AmountsReachTheLargestUint256":                  largest,
		"WindowsCountFromTheirFirstBucket":               windows,
		"ACalendarDayFollowsTheZoneThroughDST":           dst,
		"ReleaseGivesBackToTheOriginalBucket":            release,
		"CountsNeverFall":                                countsStay,
		"OpenReservationsCountWhateverTheirAge":          openOld,
		"OneChangeCanReplaceAReservation":                replace,
		"LedgerTimeNeverStepsBack":                       clockBack,
		"TheLogIsDenseAndFiltered":                       logOrder,
		"RowsPageInOrderOfCreation":                      paging,
		"FactsAreOneSnapshot":                            snapshot,
		"QuotesAndPayeesAreRemembered":                   sightings,
		"AgentsAreVersionedAndLogged":                    agents,
		"BadInputIsRefusedAndChangesNothing":             badInput,
		"ACancelledCallerChangesNothingOrEverything":     cancellation,
		"TenantsDoNotSeeEachOther":                       tenants,
	} {
		t.Run(name, func(t *testing.T) { test(begin(t, open)) })
	}
	t.Run("AReopenedLedgerContinues", func(t *testing.T) { reopen(t, open) })
	t.Run("ADeferralSurvivesReopening", func(t *testing.T) { deferSurvives(t, open) })
	t.Run("ALedgerBehavesLikeTheModel", func(t *testing.T) { modelTest(t, open) })
	t.Run("FaultsStrikeExactlyWherePlanned", func(t *testing.T) { faultPoints(t, open) })
}

const racers = 200

func oneKey(s *suite) {
	var created atomic.Int32
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			row := s.row("a1", "p1")
			row.Body = fmt.Appendf(nil, `{"try":%d}`, i)
			_, claim, err := s.Insert(s.Context(), row, entry("payment.received", row.ID))
			if err != nil {
				s.Errorf("insert: %v", err)
			}
			if claim == store.ClaimCreated {
				created.Add(1)
			}
		})
	}
	group.Wait()
	if created.Load() != 1 {
		s.Errorf("%d of %d callers created the row", created.Load(), racers)
	}
}

func oneSlot(s *suite) {
	var created atomic.Int32
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			row := s.row("a1", fmt.Sprint("p", i))
			row.Slot = "fingerprint"
			got, claim, err := s.Insert(s.Context(), row, entry("payment.received", row.ID))
			switch {
			case err != nil:
				s.Errorf("insert: %v", err)
			case claim == store.ClaimCreated:
				created.Add(1)
			case claim != store.ClaimSameSlot || got.Slot != "fingerprint" || got.ID == row.ID:
				s.Errorf("claim %d returned row %s", claim, got.ID)
			}
		})
	}
	group.Wait()
	if created.Load() != 1 {
		s.Errorf("%d of %d callers created a row", created.Load(), racers)
	}
}

func slots(s *suite) {
	first := s.row("a1", "p1")
	first.Slot = "x"
	first = s.insert(first)
	second := s.insert(s.row("a1", "p2"))
	c := change(second, "waiting")
	c.Slot = "x"
	_, err := s.Commit(s.Context(), c)
	s.wantCode(err, store.ErrSlotTaken.Code)
	free := change(first, "done")
	free.Slot = ""
	s.commit(free)
	s.commit(c)
	// The key still answers for the row that gave its slot up.
	again := s.row("a1", "p1")
	again.Slot = "x"
	got, claim, err := s.Insert(s.Context(), again, entry("payment.received", "p1"))
	if err != nil || claim != store.ClaimSameKey || got.ID != "p1" || got.State != "done" {
		s.Errorf("the key of p1 answered %s %s, claim %d, %v", got.ID, got.State, claim, err)
	}
}

func writeOnce(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	c := change(row, "prepared")
	c.Digest, c.Response = []byte("digest-1"), []byte("answer")
	row = s.commit(c)
	row = s.commit(change(row, "armed")) // nil keeps both
	if string(row.Digest) != "digest-1" || string(row.Response) != "answer" {
		s.Errorf("kept digest %q and response %q", row.Digest, row.Response)
	}
	same := change(row, "again")
	same.Digest, same.Response = []byte("digest-1"), []byte("answer")
	row = s.commit(same)
	for _, spoil := range []func(*store.Change){
		func(c *store.Change) { c.Digest = []byte("digest-2") },
		func(c *store.Change) { c.Response = []byte("other") },
	} {
		c := change(row, "spoilt")
		spoil(&c)
		_, err := s.Commit(s.Context(), c)
		s.wantCode(err, store.ErrWriteOnce.Code)
	}
	c = change(s.insert(s.row("a2", "p2")), "prepared")
	c.Digest = []byte("digest-1")
	_, err := s.Commit(s.Context(), c)
	s.wantCode(err, store.ErrWriteOnce.Code)
	foreign := s.row("a1", "p1")
	foreign.Tenant, foreign.Digest = "other", []byte("digest-1")
	_, _, err = s.Insert(s.Context(), foreign, entry("payment.received", "p1"))
	s.wantCode(err, store.ErrWriteOnce.Code)
	if got, err := s.Row(s.Context(), s.tenant, "p1"); err != nil || got.State != "again" {
		s.Errorf("row is %s, %v", got.State, err)
	}
}

func conflict(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	s.commit(change(row, "allowed"))
	stale := change(row, "denied")
	stale.Reserve = []store.Reservation{{Meter: money, Add: abi.NewAmount(5)}}
	_, err := s.Commit(s.Context(), stale)
	if !errors.Is(err, store.ErrConflict) {
		s.Errorf("a stale change: %v", err)
	}
	stale.ID = "nobody"
	_, err = s.Commit(s.Context(), stale)
	s.wantCode(err, store.ErrNotFound.Code)
	_, err = s.Row(s.Context(), s.tenant, "nobody")
	s.wantCode(err, store.ErrNotFound.Code)
	if got := s.level(money, store.Lifetime()); got != 0 {
		s.Errorf("a refused change reserved %d", got)
	}
	var wins atomic.Int32
	row = s.insert(s.row("a1", "p2"))
	var group sync.WaitGroup
	for range racers {
		group.Go(func() {
			if _, err := s.Commit(s.Context(), change(row, "allowed")); err == nil {
				wins.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				s.Errorf("racing commit: %v", err)
			}
		})
	}
	group.Wait()
	if wins.Load() != 1 {
		s.Errorf("%d callers made one transition", wins.Load())
	}
}

func logOrder(s *suite) {
	for i := range 5 {
		s.reserve(fmt.Sprint("p", i), 1, money)
	}
	s.insert(s.row("a2", "q"))
	var positions []uint64
	for after := uint64(0); ; {
		page, err := s.Log(s.Context(), store.LogQuery{Tenant: s.tenant, After: after, Max: 4})
		if err != nil {
			s.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, record := range page {
			positions = append(positions, record.Position)
			after = record.Position
		}
	}
	if diff := cmp.Diff([]uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, positions); diff != "" {
		s.Errorf("positions: %s", diff)
	}
	for query, want := range map[store.LogQuery]int{
		{Tenant: s.tenant, Agent: "a2"}:             1,
		{Tenant: s.tenant, Payment: "p3"}:           2,
		{Tenant: s.tenant, Payment: "p3", After: 7}: 1,
		{Tenant: s.tenant, Agent: "nobody"}:         0,
		{Tenant: "nobody"}:                          0,
	} {
		if records, err := s.Log(s.Context(), query); err != nil || len(records) != want {
			s.Errorf("%+v: %d records, %v; want %d", query, len(records), err, want)
		}
	}
	_, err := s.Log(s.Context(), store.LogQuery{})
	s.wantCode(err, "query_invalid")
}

func paging(s *suite) {
	var want []string
	for i := range 7 {
		row := s.row(fmt.Sprint("a", i%2), fmt.Sprint("p", 9-i)) // ids against the order of creation
		if i%3 == 0 {
			row.Due = s.clock.Now()
		}
		s.insert(row)
		want = append(want, row.ID)
		s.clock.Advance(1)
	}
	list := func(query store.RowQuery) (ids []string) {
		for {
			page, err := s.Rows(s.Context(), query)
			if err != nil {
				s.Fatal(err)
			}
			if len(page) == 0 {
				return ids
			}
			for _, row := range page {
				ids = append(ids, row.ID)
				query.After = row.ID
			}
		}
	}
	for _, c := range []struct {
		name  string
		query store.RowQuery
		want  []string
	}{
		{"all in pages of two", store.RowQuery{Max: 2}, want},
		{"of an agent", store.RowQuery{Tenant: s.tenant, Agent: "a1", Max: 1}, []string{want[1], want[3], want[5]}},
		{"due", store.RowQuery{DueBefore: start}, []string{want[0], want[3], want[6]}},
		{"due earlier", store.RowQuery{DueBefore: start.Add(-1e6)}, nil},
		{"in a state", store.RowQuery{States: []string{"received", "denied"}, Max: 3}, want},
		{"in another state", store.RowQuery{States: []string{"denied"}}, nil},
	} {
		if diff := cmp.Diff(c.want, list(c.query)); diff != "" {
			s.Errorf("%s: %s", c.name, diff)
		}
	}
	_, err := s.Rows(s.Context(), store.RowQuery{After: "nobody"})
	s.wantCode(err, store.ErrNotFound.Code)
}

func cancellation(s *suite) {
	dead, cancel := context.WithCancel(s.Context())
	cancel()
	if _, _, err := s.Insert(dead, s.row("a1", "dead"), entry("payment.received", "dead")); !errors.Is(err, context.Canceled) {
		s.Errorf("a dead context: %v", err)
	}
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			ctx, cancel := context.WithCancel(s.Context())
			group.Go(cancel)
			id := fmt.Sprint("p", i)
			_, _, err := s.Insert(ctx, s.row("a1", id), entry("payment.received", id))
			_, readErr := s.Row(s.Context(), s.tenant, id)
			if (err == nil) != (readErr == nil) {
				s.Errorf("insert said %v, the row says %v", err, readErr)
			}
		})
	}
	group.Wait()
}

func tenants(s *suite) {
	s.reserve("p1", 5, money)
	other := &suite{T: s.T, Ledger: s.Ledger, clock: s.clock, tenant: "other"}
	if got := other.level(money, store.Lifetime()); got != 0 {
		s.Errorf("another tenant sees level %d", got)
	}
	other.reserve("p1", 7, money)
	_, err := s.Rows(s.Context(), store.RowQuery{After: "p1"})
	s.wantCode(err, "query_invalid")
	if rows := AllRows(s.T, s.Ledger, "other"); len(rows) != 1 || rows[0].Tenant != "other" {
		s.Errorf("the other tenant has rows %+v", rows)
	}
	records, err := s.Log(s.Context(), store.LogQuery{Tenant: "other"})
	if err != nil || len(records) != 2 || records[0].Position != 1 {
		s.Errorf("the other tenant's log: %d records, %v", len(records), err)
	}
	CheckLedger(s.T, s.Ledger, "other")
}
