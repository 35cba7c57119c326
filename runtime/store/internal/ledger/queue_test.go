package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

func insertOp(id string) Op {
	return Op{Insert: &Insert{Row: store.Row{Tenant: "t", Agent: "a", ID: id, Key: id, State: "s"}, Entry: store.Entry{Kind: "k"}}}
}

// gate is a run function that holds every batch until it is let through, and notes what was in it.
type gate struct {
	mu      sync.Mutex
	batches [][]string
	open    chan struct{}
}

func (g *gate) run(ops []Op) []Result {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	results := make([]Result, len(ops))
	var ids []string
	for i, op := range ops {
		ids = append(ids, op.Insert.Row.ID)
		results[i].Row.ID = op.Insert.Row.ID
	}
	g.batches = append(g.batches, ids)
	return results
}

func TestACancelledOperationLeavesTheQueueButNotItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		q := NewQueue(g.run)
		inBatch, cancelInBatch := context.WithCancel(t.Context())
		waiting, cancelWaiting := context.WithCancel(t.Context())
		var first, second Result
		go func() { first = q.Do(inBatch, insertOp("first")) }()
		synctest.Wait() // the writer holds "first" at the gate
		go func() { second = q.Do(waiting, insertOp("second")) }()
		synctest.Wait()
		cancelInBatch()
		cancelWaiting()
		synctest.Wait()
		if !errors.Is(second.Err, context.Canceled) {
			t.Errorf("a cancelled waiter got %v", second.Err)
		}
		if first.Err != nil || first.Row.ID != "" {
			t.Errorf("the operation in the batch was answered early: %+v", first)
		}
		close(g.open)
		synctest.Wait()
		if first.Err != nil || first.Row.ID != "first" {
			t.Errorf("the operation in the batch got %+v", first)
		}
		q.Close()
		if got := fmt.Sprint(g.batches); got != "[[first]]" {
			t.Errorf("batches %s", got)
		}
	})
}

func TestABatchTakesWhatWaitsUpToItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		q := NewQueue(g.run)
		const callers = batchOpsMax + 10
		var group sync.WaitGroup
		group.Go(func() { q.Do(t.Context(), insertOp("first")) })
		synctest.Wait()
		for i := range callers {
			group.Go(func() {
				id := fmt.Sprint("p", i)
				if result := q.Do(t.Context(), insertOp(id)); result.Err != nil || result.Row.ID != id {
					t.Errorf("%s was answered %+v", id, result)
				}
			})
		}
		synctest.Wait()
		close(g.open)
		group.Wait()
		q.Close()
		var sizes []int
		for _, batch := range g.batches {
			sizes = append(sizes, len(batch))
		}
		if got := fmt.Sprint(sizes); got != fmt.Sprint([]int{1, batchOpsMax, 10}) {
			t.Errorf("batches of %s", got)
		}
	})
}

func TestCloseAnswersWhatWaitsAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		q := NewQueue(g.run)
		results := make([]Result, 3)
		for i := range results {
			go func() { results[i] = q.Do(t.Context(), insertOp(fmt.Sprint("p", i))) }()
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() { q.Close(); close(closed) }()
		synctest.Wait()
		if result := q.Do(t.Context(), insertOp("late")); !errors.Is(result.Err, ErrClosed) {
			t.Errorf("after Close: %v", result.Err)
		}
		close(g.open)
		<-closed
		synctest.Wait()
		for i, result := range results {
			if result.Err != nil {
				t.Errorf("p%d: %v", i, result.Err)
			}
		}
		q.Close() // again
	})
}

func TestAFullQueueMakesCallersWaitUntilTheirContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		q := NewQueue(g.run)
		for i := range queueOpsMax + 1 { // one more is in the writer's hands
			go q.Do(t.Context(), insertOp(fmt.Sprint("p", i)))
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if result := q.Do(ctx, insertOp("late")); !errors.Is(result.Err, context.DeadlineExceeded) {
			t.Errorf("a full queue answered %v", result.Err)
		}
		close(g.open)
		q.Close()
		synctest.Wait()
	})
}

func TestAPanicOfTheWriterLeavesTheOutcomeUnknownAndTheQueueAlive(t *testing.T) {
	calls := 0
	q := NewQueue(func(ops []Op) []Result {
		if calls++; calls == 1 {
			panic("boom")
		}
		return make([]Result, len(ops))
	})
	defer q.Close()
	if result := q.Do(t.Context(), insertOp("p1")); abi.CodeOf(result.Err) != store.ErrCommitUnknown.Code {
		t.Errorf("got %v", result.Err)
	}
	if result := q.Do(t.Context(), insertOp("p2")); result.Err != nil {
		t.Errorf("the queue died: %v", result.Err)
	}
}
