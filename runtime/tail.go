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

// tail is the shared end of the tenant's log: one reader of the ledger at a time for any number of subscribers, each
// with a cursor of its own and no queue. Catch-up and live are the same read, so no subscriber sees a gap, a duplicate
// or something that was rolled back.
type tail struct {
	store  store.Store
	tenant string

	mu      sync.Mutex
	records []store.Record // consecutive positions
	last    uint64         // position of the last record read
	changed chan struct{}  // closed and replaced when there may be more
	stale   bool           // this process committed since the last read
	reading bool           // somebody reads the end of the ledger just now
	asked   time.Time      // when the end was last read
}

func newTail(s store.Store, tenant string) *tail {
	return &tail{store: s, tenant: tenant, changed: make(chan struct{}), stale: true}
}

// wake tells waiting readers to look: this process committed something.
func (t *tail) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale = true
	t.broadcast()
}

func (t *tail) broadcast() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// after returns the records above the position, at least one, waiting until ctx ends.
func (t *tail) after(ctx context.Context, position uint64) ([]store.Record, error) {
	poll := time.NewTimer(tailPoll)
	defer poll.Stop()
	for {
		held, lead, changed := t.look(position)
		if len(held) > 0 {
			return held, nil
		}
		if lead {
			records, err := t.read(ctx, position)
			if err != nil || len(records) > 0 {
				return records, err
			}
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

// look returns what memory has above the position. When it has nothing, lead tells the caller to read the ledger: it is
// further back than memory, or nobody else reads the end and there may be more.
func (t *tail) look(position uint64) (held []store.Record, lead bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if position < t.last {
		if first := t.records[0].Position; position+1 >= first {
			return t.records[position+1-first:], false, t.changed
		}
		return nil, true, t.changed
	}
	lead = !t.reading && (t.stale || time.Since(t.asked) >= tailPoll)
	if lead {
		t.reading, t.stale = true, false
	}
	return nil, lead, t.changed
}

// read asks the ledger for what follows the position, and keeps what continues the shared tail.
func (t *tail) read(ctx context.Context, position uint64) ([]store.Record, error) {
	records, err := t.store.Log(ctx, store.LogQuery{Tenant: t.tenant, After: position, Max: store.LogMax})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reading, t.asked = false, time.Now()
	if err != nil {
		t.stale = true
	}
	before := t.last
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
	if t.last > before || err != nil || len(records) == store.LogMax {
		t.stale = t.stale || len(records) == store.LogMax
		t.broadcast() // the others read it from memory
	}
	return records, err
}
