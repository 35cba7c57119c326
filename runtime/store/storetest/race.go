package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Race lets callers of several handles on one ledger, as of several processes, spend a budget with room for half of
// what they ask. Exactly the limit must be spent, whatever the interleaving.
func Race(t *testing.T, decisionsEach int, ledgers ...store.Store) {
	t.Helper()
	const callers = 4
	limit := uint64(len(ledgers) * callers * decisionsEach / 2) //nolint:gosec // small
	var fitted atomic.Uint64
	var group sync.WaitGroup
	for l, ledger := range ledgers {
		for c := range callers {
			group.Go(func() {
				for i := range decisionsEach {
					err := Decision(t.Context(), ledger, "race", fmt.Sprint("a", i%3), fmt.Sprintf("p-%d-%d-%d", l, c, i), limit)
					switch {
					case err == nil:
						fitted.Add(1)
					case !NoRoom(err):
						t.Errorf("decision: %v", err)
					}
				}
			})
		}
	}
	group.Wait()
	if level := LoadLevel(t, ledgers[0], "race"); level != limit || fitted.Load() != limit {
		t.Errorf("%d decisions were allowed and %d is reserved; the limit is %d", fitted.Load(), level, limit)
	}
	CheckLedger(t, ledgers[0], "race")
}

// Poisoned mixes good rows with rows whose id starts with "poison", which the database refuses. Only those may fail.
func Poisoned(t *testing.T, ledger store.Store) {
	t.Helper()
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			id := fmt.Sprint("p", i)
			if i%10 == 0 {
				id = "poison" + id
			}
			row := store.Row{Tenant: "acme", Agent: "a1", ID: id, Key: id, State: "received"}
			_, _, err := ledger.Insert(t.Context(), row, entry("payment.received", id))
			if poisoned := strings.HasPrefix(id, "poison"); poisoned != (err != nil) || abi.CodeOf(err) == store.ErrCommitUnknown.Code {
				t.Errorf("insert %s: %v", id, err)
			}
		})
	}
	group.Wait()
	if rows := AllRows(t, ledger, "acme"); len(rows) != racers-racers/10 {
		t.Errorf("%d rows", len(rows))
	}
	CheckLedger(t, ledger, "acme")
}
