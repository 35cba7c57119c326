package facilitator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

const (
	// inFlightMax is how many transactions of one key wait at a time. Nodes keep 16 per
	// account and drop what is above.
	inFlightMax = 16
	// nonceTriesMax bounds the search for a relayer nonce no open claim holds.
	nonceTriesMax  = 2 * inFlightMax
	journalTimeout = 10 * time.Second
	// pendingAheadMax bounds how far a node may claim our account to be ahead of what is
	// mined: more is nonsense, and following it would leave a gap nothing can fill.
	pendingAheadMax = 4 * inFlightMax
)

// relayer is the only writer of one key on one chain. Nonces are handed out under mu,
// each with a signed transaction that is durable before anybody else gets the next
// one, and before it is broadcast.
type relayer struct {
	rpc     *evm.RPC
	journal Journal
	key     Key
	address evm.Address
	signer  types.Signer
	gasMax  uint64
	feeCap  abi.Amount
	now     func() time.Time
	logger  *slog.Logger
	poll    time.Duration

	// slots has one token for each transaction in flight.
	slots chan struct{}

	mu      sync.Mutex
	next    uint64
	flights map[ClaimKey]*flight

	wake     chan struct{}
	quit     chan struct{}
	finished sync.WaitGroup
}

// flight is a settlement between broadcast and result.
type flight struct {
	claim Claim
	// done is closed once result is set and durable.
	done   chan struct{}
	result Result

	// The rest belongs to the relayer's mu.
	attempts []Attempt
	holds    bool // a token of slots
	// sentBlock and sentAt say when it was last broadcast; bumpedBlock when its fees were last set.
	sentBlock, bumpedBlock uint64
	sentAt                 time.Time
	// missing counts the looks at which its nonce was used but none of its transactions was found.
	missing int
}

func (f *flight) last() Attempt { return f.attempts[len(f.attempts)-1] }

func newRelayer(c Config, chainID uint64) *relayer {
	return &relayer{
		rpc: c.RPC, journal: c.Journal, key: c.Key, address: c.Key.Address(), gasMax: c.GasMax, feeCap: c.FeeCapWei,
		signer: types.LatestSignerForChainID(new(big.Int).SetUint64(chainID)), now: c.Now, logger: c.Logger, poll: c.PollInterval,
		slots: make(chan struct{}, inFlightMax), flights: map[ClaimKey]*flight{}, wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
}

// open takes up what an earlier run left behind and starts watching. Claims without a
// transaction are forgotten, since nothing of them can be on the chain; the others are
// broadcast again, the same bytes.
func (r *relayer) open(ctx context.Context) error {
	head, err := r.rpc.HeaderAt(ctx, evm.Latest)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	mined, err := r.rpc.TransactionCount(ctx, r.address, evm.Latest)
	if err != nil {
		return fmt.Errorf("read relayer nonce: %w", err)
	}
	pending, err := r.rpc.TransactionCount(ctx, r.address, evm.Pending)
	if err != nil {
		return fmt.Errorf("read relayer nonce: %w", err)
	}
	if pending > mined+pendingAheadMax {
		return &abi.Error{
			Code: "relayer_nonce_gap", Message: fmt.Sprintf("the node has %d transactions of the relayer waiting", pending-mined),
			Fix: "another program uses this key; give the facilitator its own",
		}
	}
	r.next = max(mined, pending)
	left, err := r.journal.ListOpen(ctx, r.rpc.Network(), r.address)
	if err != nil {
		return fmt.Errorf("list open settlements: %w", err)
	}
	for _, s := range left {
		if len(s.Attempts) == 0 {
			if err := r.journal.Release(ctx, s.Key); err != nil {
				return fmt.Errorf("release claim without transaction: %w", err)
			}
			continue
		}
		f := r.resumed(s, head.Number)
		r.flights[s.Key] = f
		// A journal from another chain with this id (a fresh development chain) would ask
		// for nonces far above what is mined; see watch.
		if next := f.last().RelayerNonce + 1; next <= mined+pendingAheadMax {
			r.next = max(r.next, next)
		}
	}
	for _, f := range r.flights {
		r.broadcast(ctx, f.last())
	}
	r.finished.Go(r.watch)
	return nil
}

// resumed makes the flight of a settlement that only the journal knows.
func (r *relayer) resumed(s Settlement, headNumber uint64) *flight {
	return &flight{
		claim: s.Claim, attempts: s.Attempts, done: make(chan struct{}), holds: r.tryHold(),
		sentBlock: headNumber, bumpedBlock: headNumber, sentAt: r.now(),
	}
}

// adopt takes up an open settlement that has a transaction but no flight, which is
// what a journal leaves that failed after it had written.
func (r *relayer) adopt(ctx context.Context, s Settlement) (*flight, error) {
	head, err := r.rpc.HeaderAt(ctx, evm.Latest)
	if err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	r.mu.Lock()
	f, flying := r.flights[s.Key]
	if !flying {
		f = r.resumed(s, head.Number)
		r.flights[s.Key] = f
	}
	attempt := f.last()
	r.mu.Unlock()
	r.broadcast(ctx, attempt)
	r.poke()
	return f, nil
}

// close stops watching. Open settlements stay in the journal for the next run.
func (r *relayer) close() {
	close(r.quit)
	r.finished.Wait()
}

func (r *relayer) tryHold() bool {
	select {
	case r.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

// hold waits for a place in the window.
func (r *relayer) hold(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for one of %d settlements in flight: %w", inFlightMax, ctx.Err())
	case <-r.quit:
		return errClosing
	}
}

func (r *relayer) release() { <-r.slots }

// inFlight counts the open settlements.
func (r *relayer) inFlight() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(len(r.flights))
}

// flying returns the flight of a claim, or nil.
func (r *relayer) flying(key ClaimKey) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flights[key]
}

// launch gives a claimed settlement its nonce and its durable transaction, and
// broadcasts it. The caller holds a place in the window, which launch takes over when
// it succeeds. After an error nothing was broadcast, but a record may exist.
func (r *relayer) launch(ctx context.Context, c Claim, to evm.Address, offered fees, headNumber uint64) (*flight, error) {
	f := &flight{claim: c, done: make(chan struct{}), holds: true, sentBlock: headNumber, bumpedBlock: headNumber, sentAt: r.now()}
	attempt, err := r.assign(ctx, f, to, offered)
	if err != nil {
		return nil, err
	}
	r.broadcast(ctx, attempt)
	r.poke()
	return f, nil
}

// assign signs and records the next nonce for f.
func (r *relayer) assign(ctx context.Context, f *flight, to evm.Address, offered fees) (Attempt, error) {
	// The caller may hang up; a record must then still be whole.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
	defer cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	for range nonceTriesMax {
		attempt, err := r.sign(r.next, to, f.claim.CallData, offered)
		if err != nil {
			return Attempt{}, err
		}
		err = r.journal.RecordAttempt(ctx, f.claim.Key, attempt)
		if abi.CodeOf(err) == CodeJournalConflict {
			r.next++ // another open claim holds it; if nobody uses it, the watcher fills the gap
			continue
		}
		if err != nil {
			return Attempt{}, fmt.Errorf("record relayer transaction: %w", err)
		}
		r.next++
		f.attempts = append(f.attempts, attempt)
		r.flights[f.claim.Key] = f
		return attempt, nil
	}
	return Attempt{}, errors.New("no relayer nonce is free")
}

// broadcast sends what is recorded. Whatever the node says, the watcher decides by
// looking at the chain: a refusal here may come after an acceptance elsewhere.
func (r *relayer) broadcast(ctx context.Context, a Attempt) {
	if _, err := r.rpc.SendRaw(context.WithoutCancel(ctx), a.Raw); err != nil && evm.Classify(err) != evm.RefusalKnown {
		r.logger.WarnContext(ctx, "facilitator: broadcast", "tx", a.TxHash.String(), "relayer_nonce", a.RelayerNonce, "error", err)
	}
}

func (r *relayer) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

var errClosing = errors.New("the facilitator is closing")
