package ledger

import (
	"fmt"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

// clockBehindMax is how far a clock may lag the ledger: corrections of a running clock are smaller, a wrong clock
// or a restored machine is not.
const clockBehindMax = 5 * time.Minute

// Clock turns readings of a clock into ledger time, which never steps back. What was told to a reader lives in
// memory, because a read writes nothing; what was told to a writer is in the head row. Safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	told map[string]int64
}

// Now is ledger time of a tenant for a clock reading, given the time in the head row, all in Unix milliseconds. A
// reading that lags more than clockBehindMax, or that lies before 1970, is an error with code clock_behind.
func (c *Clock) Now(tenant string, readingMS, storedMS int64) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = map[string]int64{}
	}
	known := max(storedMS, c.told[tenant])
	if known-readingMS > clockBehindMax.Milliseconds() || readingMS <= 0 {
		return 0, &abi.Error{
			Code:    "clock_behind",
			Message: fmt.Sprintf("the clock reads %s, the ledger is at %s already", fromMS(readingMS), fromMS(known)),
			Fix:     "correct the clock of this machine", Retry: abi.RetryLater,
		}
	}
	now := max(readingMS, known)
	c.told[tenant] = now
	return now, nil
}
