package sandbox

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
)

const (
	// queueWaitDefault is how long a call waits for a free slot.
	queueWaitDefault = 1 * time.Second
	// queueLengthMax bounds the calls that wait at once.
	queueLengthMax = 1024
)

// queue bounds the guests that run at once. More than there are processors would only make each of them slower, and
// wall clock is what limits them.
type queue struct {
	slots   chan struct{}
	wait    time.Duration
	waiting atomic.Int64
}

func newQueue(slots int, wait time.Duration) *queue {
	return &queue{slots: make(chan struct{}, slots), wait: wait}
}

// enter takes a slot; the caller must call leave. It ends with deadline when none comes free in time, when ctx is
// over, or when too many wait already, and with closed when closing ends.
func (q *queue) enter(ctx, closing context.Context) error {
	if closing.Err() != nil {
		return hostClosed()
	}
	if ctx.Err() != nil {
		return queueDeadline(ctx, "the caller's time was over before the call began")
	}
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	if q.waiting.Add(1) > queueLengthMax {
		q.waiting.Add(-1)
		return queueDeadline(ctx, "too many calls wait for the sandbox")
	}
	defer q.waiting.Add(-1)
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-closing.Done():
		return hostClosed()
	case <-ctx.Done():
		return queueDeadline(ctx, "the caller's time was over while the call waited for the sandbox")
	case <-timer.C:
		return queueDeadline(ctx, "no slot of the sandbox came free in "+q.wait.String())
	}
}

func (q *queue) leave() { <-q.slots }

func queueDeadline(ctx context.Context, message string) error {
	return &abi.Error{Code: CodeDeadline, Message: message, Where: "queue", Retry: abi.RetryLater, Cause: context.Cause(ctx)}
}

func hostClosed() error {
	return &abi.Error{Code: CodeClosed, Message: "the sandbox is closed"}
}
