package ledger

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/purserhq/purser/abi"
)

const (
	// batchOpsMax bounds one commit. Beyond it the fsync no longer dominates and latency grows.
	batchOpsMax = 256
	// queueOpsMax bounds what waits; more callers wait for a place, until their context ends.
	queueOpsMax = 4096
)

// ErrClosed is the answer after Close.
var ErrClosed = &abi.Error{Code: "ledger_closed", Message: "the ledger is closed"}

// Queue is the group commit: one goroutine takes whatever waits, runs it as one batch, and answers. Make it with
// NewQueue and stop it with Close. Safe for concurrent use.
type Queue struct {
	run     func([]Op) []Result
	waiting chan *item
	// closing is held for reading while a caller adds an item, so that Close can wait for them.
	closing sync.RWMutex
	closed  bool
	done    chan struct{}
}

type item struct {
	op Op
	// state moves once, from queued to taken (by the writer) or to cancelled (by the caller).
	state  atomic.Int32
	answer chan Result
}

const (
	queued int32 = iota
	taken
	cancelled
)

// NewQueue starts the writer goroutine. run is called by it alone, with 1 to batchOpsMax operations, and returns as
// many results, in order.
func NewQueue(run func([]Op) []Result) *Queue {
	q := &Queue{run: run, waiting: make(chan *item, queueOpsMax), done: make(chan struct{})}
	go q.write()
	return q
}

// Do checks an operation, waits for its batch and returns its result. When ctx ends before a batch took the
// operation, nothing happened and the error is ctx's; after that Do waits for the batch, because half an answer
// about money is worse than a late one.
func (q *Queue) Do(ctx context.Context, op Op) Result {
	if err := Check(op); err != nil {
		return Result{Err: err}
	}
	if err := ctx.Err(); err != nil {
		return Result{Err: err}
	}
	it := &item{op: op, answer: make(chan Result, 1)}
	if err := q.add(ctx, it); err != nil {
		return Result{Err: err}
	}
	select {
	case result := <-it.answer:
		return result
	case <-ctx.Done():
		if it.state.CompareAndSwap(queued, cancelled) {
			return Result{Err: ctx.Err()}
		}
		return <-it.answer
	}
}

func (q *Queue) add(ctx context.Context, it *item) error {
	q.closing.RLock()
	defer q.closing.RUnlock()
	if q.closed {
		return ErrClosed
	}
	select {
	case q.waiting <- it:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close lets what waits finish and stops the writer. It may be called again.
func (q *Queue) Close() {
	q.closing.Lock()
	if !q.closed {
		q.closed = true
		close(q.waiting)
	}
	q.closing.Unlock()
	<-q.done
}

func (q *Queue) write() {
	defer close(q.done)
	for first := range q.waiting {
		q.answer(q.take(first))
	}
}

// take collects a batch without waiting for more: under load the queue fills while the batch before commits.
func (q *Queue) take(first *item) []*item {
	var batch []*item
	for next, ok := first, true; ok; {
		if next.state.CompareAndSwap(queued, taken) {
			batch = append(batch, next)
		}
		if len(batch) == batchOpsMax {
			break
		}
		select {
		case next, ok = <-q.waiting:
		default:
			ok = false
		}
	}
	return batch
}

func (q *Queue) answer(batch []*item) {
	if len(batch) == 0 {
		return
	}
	ops := make([]Op, len(batch))
	for i, it := range batch {
		ops[i] = it.op
	}
	results := q.runSafely(ops)
	for i, it := range batch {
		it.answer <- results[i]
	}
}

// runSafely answers a batch that panicked: the callers must not wait for ever, and nobody knows what was committed.
func (q *Queue) runSafely(ops []Op) (results []Result) {
	defer func() {
		if fault := recover(); fault != nil {
			results = Fail(ops, &abi.Error{
				Code: "commit_unknown", Message: "the ledger writer failed",
				Retry: abi.RetrySameKey, Cause: fmt.Errorf("panic: %v", fault),
			})
		}
	}()
	return q.run(ops)
}

// Fail answers every operation with the same error.
func Fail(ops []Op, err error) []Result {
	results := make([]Result, len(ops))
	for i := range results {
		results[i].Err = err
	}
	return results
}
