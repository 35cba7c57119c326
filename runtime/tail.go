package runtime

import (
	"context"
	"sync"
	"time"

	"github.com/purserhq/purser/runtime/store"
)

const (
	// tailRecordsMax is how many records stay in memory for live readers; older ones come from the ledger.
	tailRecordsMax = 4096
	// tailPoll is how often the ledger is asked for what other processes wrote.
	tailPoll = 200 * time.Millisecond
)

// tail is the shared end of the tenant's log: one reader of the ledger for any number of subscribers, each with a
// cursor of its own and no queue. Catch-up and live are the same read, so no subscriber sees a gap, a duplicate or
// something that was rolled back.
type tail struct {
	store  store.Store
	tenant string

	mu      sync.Mutex
	records []store.Record // consecutive positions
	last    uint64         // position of the last record read
	changed chan struct{}  // closed and replaced when records were added, or may have been
}

func newTail(s store.Store, tenant string) *tail {
	return &tail{store: s, tenant: tenant, changed: make(chan struct{})}
}

// wake tells waiting readers to look: this process committed something.
func (t *tail) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

// after returns the records above the position, at least one, waiting until ctx ends.
func (t *tail) after(ctx context.Context, position uint64) ([]store.Record, error) {
	poll := time.NewTimer(tailPoll)
	defer poll.Stop()
	for {
		t.mu.Lock()
		changed := t.changed
		held := t.held(position)
		t.mu.Unlock()
		if len(held) > 0 {
			return held, nil
		}
		records, err := t.read(ctx, position)
		if err != nil || len(records) > 0 {
			return records, err
		}
		poll.Reset(tailPoll)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-poll.C:
		}
	}
}

// held returns what memory has above the position, or nothing when the position is older than memory.
func (t *tail) held(position uint64) []store.Record {
	if len(t.records) == 0 || position >= t.last || position+1 < t.records[0].Position {
		return nil
	}
	return t.records[position+1-t.records[0].Position:]
}

// read asks the ledger for what follows the position, and keeps what continues the shared tail.
func (t *tail) read(ctx context.Context, position uint64) ([]store.Record, error) {
	records, err := t.store.Log(ctx, store.LogQuery{Tenant: t.tenant, After: position, Max: store.LogMax})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, record := range records {
		if record.Position <= t.last {
			continue
		}
		if record.Position > t.last+1 {
			t.records = nil // a newer reader; whoever is further back reads the ledger
		}
		// Appending never writes into a slice handed out before: those end where it ended then.
		t.records, t.last = append(t.records, record), record.Position
	}
	if excess := len(t.records) - tailRecordsMax; excess > tailRecordsMax/4 {
		t.records = append([]store.Record(nil), t.records[excess:]...)
	}
	return records, nil
}
