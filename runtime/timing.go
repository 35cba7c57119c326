package runtime

import "time"

// How long each state's work may take before somebody else may take the payment over. The work itself is cut off
// at the same bound, so that two processes never hold one payment.
var patience = map[State]time.Duration{
	Received: 45 * time.Second,
	Allowed:  60 * time.Second, // half of it in line for a signing place
	Prepared: 30 * time.Second,
	Armed:    45 * time.Second,
	Signed:   100 * time.Second,
	Unknown:  30 * time.Second,
	Settled:  100 * time.Second,
}

const (
	// takeoverMargin separates the end of a worker's time from the moment another may start.
	takeoverMargin = 5 * time.Second
	// reconcileEvery is the pause between two looks at the chain for an unknown payment.
	reconcileEvery = 3 * time.Second
	// reconcileExpiredEvery is the same once the authorization has expired and only finality is missing.
	reconcileExpiredEvery = 5 * time.Second
	// retryDelayMin and retryDelayMax bound the pause after a failed step; it doubles.
	retryDelayMin = 500 * time.Millisecond
	retryDelayMax = 30 * time.Second
)

// due is when the payment next wants attention if nobody moves it.
func (t timing) due(p Payment) time.Time {
	switch {
	case p.State.Final(), p.State == Settled && p.Delivery == deliveryFailed:
		return time.Time{}
	case p.State == Held:
		return p.HoldUntil
	case p.Failures > 0:
		return t.now.Add(retryDelay(p.Failures))
	case p.State == Unknown:
		return t.now.Add(reconcileEvery)
	default:
		return t.now.Add(patience[p.State] + takeoverMargin)
	}
}

func retryDelay(failures int) time.Duration {
	delay := retryDelayMin
	for range failures - 1 {
		if delay *= 2; delay >= retryDelayMax {
			return retryDelayMax
		}
	}
	return delay
}
