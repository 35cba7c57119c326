package cosigner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// CodeClockSkew is the reason of a denial while this side's clock and the chain's disagree.
const CodeClockSkew = "clock_skew"

const (
	// clockSkewMax is how far ledger time may be from the newest block's. Past it neither a window of a budget nor an
	// expiry means anything: a day ahead would be a day's budget again.
	clockSkewMax = 5 * time.Minute
	// headFreshMax is how long a look at the chain's head serves, so that a payment costs no call of its own.
	headFreshMax = 5 * time.Second
	// headStaleMax is how long it serves when the endpoint does not answer. A clock that jumps meanwhile is off by no
	// more than this before it is noticed.
	headStaleMax = time.Minute
	// headTimeMax bounds one look.
	headTimeMax = 3 * time.Second
)

// clocks compares this side's time with the networks'. Safe for concurrent use.
type clocks struct {
	chains map[abi.Network]Liveness
	// now is ledger time: the later of the clock and what the ledger has seen, so that a clock set back is not believed.
	now  func(ctx context.Context) (time.Time, error)
	mu   sync.Mutex
	seen map[abi.Network]*sighting
}

// sighting is the last look at one network's head. Its lock admits one look at a time: the others wait for its answer.
type sighting struct {
	mu sync.Mutex
	// at is ledger time when the head was asked for, ahead how far ledger time was before the head's.
	at    time.Time
	ahead time.Duration
	// number is the highest head seen: an endpoint that falls back is not believed.
	number uint64
}

func newClocks(config Config) *clocks {
	return &clocks{chains: config.Chains, seen: make(map[abi.Network]*sighting), now: func(ctx context.Context) (time.Time, error) {
		facts, err := config.Store.Facts(ctx, store.FactQuery{Tenant: config.Tenant})
		if err != nil {
			return time.Time{}, fmt.Errorf("read ledger time: %w", err)
		}
		if now := config.Now(); now.After(facts.Now) {
			return now, nil
		}
		return facts.Now, nil
	}}
}

// check fails with code clock_skew when ledger time is not the network's, and with code chain_unreachable, which may be
// retried, when nobody could tell for too long.
func (c *clocks) check(ctx context.Context, network abi.Network) error {
	chain, ok := c.chains[network]
	if !ok { // the rules and the decoder say so better
		return nil
	}
	now, err := c.now(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	s := c.seen[network]
	if s == nil {
		s = &sighting{}
		c.seen[network] = s
	}
	c.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	// A time before the last look is a clock that went back: it is looked at anew.
	if age := now.Sub(s.at); s.at.IsZero() || age < 0 || age > headFreshMax {
		if err := s.look(ctx, chain, now); err != nil && (s.at.IsZero() || age < 0 || age > headStaleMax) {
			return &abi.Error{
				Code: "chain_unreachable", Where: string(network), Message: "the time of the network's newest block is not known", Retry: abi.RetryLater,
				Fix: "see that the co-signer's own RPC endpoint answers and follows the chain", Cause: err,
			}
		}
	}
	if s.ahead.Abs() <= clockSkewMax {
		return nil
	}
	return &abi.Error{
		Code: CodeClockSkew, Where: string(network), Fix: "set the clock, or use an RPC endpoint that follows the chain",
		Message: fmt.Sprintf("this side's time and the newest block's differ by %s, more than %s", s.ahead.Abs().Round(time.Second), clockSkewMax),
	}
}

func (s *sighting) look(ctx context.Context, chain Liveness, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, headTimeMax)
	defer cancel()
	number, at, err := chain.Head(ctx)
	if err != nil {
		return err
	}
	if number < s.number {
		return fmt.Errorf("the newest block is %d, it was %d before", number, s.number)
	}
	s.at, s.ahead, s.number = now, now.Sub(at), number
	return nil
}
