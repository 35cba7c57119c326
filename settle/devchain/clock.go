//go:build !nodevchain

package devchain

import "time"

const (
	// lagSecondsMax is how far block timestamps may be behind the wall clock. Every
	// block needs a timestamp above its parent's, so this is also the number of blocks
	// that can be sealed at once without the chain running into the future, where
	// every short authorization would already be expired. Lag is harmless as long as
	// validAfter is backdated, which all x402 clients do.
	lagSecondsMax = 30
	// idleSecondsMax is how much more an idle chain may fall behind before it seals an
	// empty block, so that authorizations still expire, and expire finally, on a chain
	// that nobody uses.
	idleSecondsMax = 10
)

// blockTime picks the timestamp of the next block on demand, in Unix seconds:
// as early as the parent and the bound on lag allow.
func blockTime(parent, now uint64) uint64 {
	return max(parent+1, saturatingSub(now, lagSecondsMax))
}

// idleTooLong reports that an empty block is due.
func idleTooLong(head, now uint64) bool {
	return head+lagSecondsMax+idleSecondsMax <= now
}

func saturatingSub(a, b uint64) uint64 {
	if b > a {
		return 0
	}
	return a - b
}

func unixSeconds(t time.Time) uint64 {
	return uint64(max(t.Unix(), 0)) //nolint:gosec // clamped
}
