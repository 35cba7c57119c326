//go:build !nodevchain

package devchain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/miner"
)

const (
	poolEventsMax  = 1024
	idleCheck      = time.Second
	sealRetryDelay = time.Second
)

// sealer decides when blocks are made and what time they carry. It builds them with
// the library's block builder and inserts them itself: the simulated beacon of the
// library would push timestamps into the future.
type sealer struct {
	eth         *eth.Ethereum
	blockTime   time.Duration
	finalityLag uint64
	wall        func() time.Time
	logger      *slog.Logger

	// mu serialises everything that moves the head.
	mu sync.Mutex
	// ahead is how far time travel has put this chain's clock before the wall clock.
	ahead time.Duration

	wake     chan struct{}
	quit     chan struct{}
	finished sync.WaitGroup
}

func newSealer(backend *eth.Ethereum, c Config) (*sealer, error) {
	s := &sealer{
		eth: backend, blockTime: c.BlockTime, finalityLag: c.FinalityLagBlocks, wall: c.Now, logger: c.Logger,
		wake: make(chan struct{}, 1), quit: make(chan struct{}),
	}
	if err := resumeHead(backend); err != nil {
		return nil, err
	}
	// A resumed chain may have travelled: its clock goes on from its head.
	head := backend.BlockChain().CurrentBlock()
	if now := unixSeconds(c.Now()); head.Number.Sign() > 0 && head.Time > now {
		s.ahead = time.Duration(head.Time-now) * time.Second //nolint:gosec // bounded by AdvanceTime
	}
	backend.SetSynced() // there are no peers to wait for
	s.markFinal(head)
	return s, nil
}

// start runs the two goroutines of the sealer until stop.
func (s *sealer) start() {
	events := make(chan core.NewTxsEvent, poolEventsMax)
	subscription := s.eth.TxPool().SubscribeTransactions(events, true)
	s.finished.Add(2)
	// The pool blocks when its event channel is full, and sealing waits for the pool:
	// whoever seals must therefore never be the one who reads the channel.
	go func() {
		defer s.finished.Done()
		defer subscription.Unsubscribe()
		for {
			select {
			case <-events:
				s.poke()
			case <-subscription.Err(): //nolint:errcheck // only tells that the pool has stopped
				return
			case <-s.quit:
				return
			}
		}
	}()
	go func() {
		defer s.finished.Done()
		if s.blockTime > 0 {
			s.runInterval()
		} else {
			s.runInstant()
		}
	}()
}

func (s *sealer) stop() {
	close(s.quit)
	s.finished.Wait()
}

func (s *sealer) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // a wake-up is already waiting, and one is enough
	}
}

// clock is this chain's idea of now, in Unix seconds. Call with mu held.
func (s *sealer) clock() uint64 { return unixSeconds(s.wall().Add(s.ahead)) }

func (s *sealer) runInterval() {
	ticker := time.NewTicker(s.blockTime)
	defer ticker.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-ticker.C:
			s.mu.Lock()
			_, err := s.seal(max(s.eth.BlockChain().CurrentBlock().Time+1, s.clock()))
			s.mu.Unlock()
			if err != nil {
				s.logger.ErrorContext(context.Background(), "devchain: seal block", "error", err)
			}
		}
	}
}

func (s *sealer) runInstant() {
	for {
		delay, err := s.sealDue()
		if err != nil {
			s.logger.ErrorContext(context.Background(), "devchain: seal block", "error", err)
			delay = sealRetryDelay
		}
		timer := time.NewTimer(delay)
		select {
		case <-s.quit:
			timer.Stop()
			return
		case <-timer.C:
		case <-s.wake:
			timer.Stop()
		}
	}
}

// sealDue seals until nothing is due and returns when to look again.
func (s *sealer) sealDue() (time.Duration, error) {
	for {
		select {
		case <-s.quit:
			return 0, nil
		default:
		}
		again, err := s.sealOne()
		if err != nil || !again {
			return idleCheck, err
		}
	}
}

func (s *sealer) sealOne() (again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	head, now := s.eth.BlockChain().CurrentBlock(), s.clock()
	if err := s.eth.TxPool().Sync(); err != nil {
		return false, fmt.Errorf("wait for transaction pool: %w", err)
	}
	pending, _ := s.eth.TxPool().Stats()
	if pending == 0 && !idleTooLong(head.Time, now) {
		return false, nil
	}
	timestamp := blockTime(head.Time, now)
	if timestamp > now {
		return false, nil // the credit is spent; the idle timer comes back within a second
	}
	included, err := s.seal(timestamp)
	// A transaction that pends but cannot be included must not spin this loop.
	return included > 0, err
}

// seal makes one block on the head and returns how many transactions it holds.
// Call with mu held.
func (s *sealer) seal(timestamp uint64) (int, error) {
	if err := s.eth.TxPool().Sync(); err != nil {
		return 0, fmt.Errorf("wait for transaction pool: %w", err)
	}
	var random common.Hash
	if _, err := rand.Read(random[:]); err != nil {
		return 0, fmt.Errorf("draw block randomness: %w", err)
	}
	chain := s.eth.BlockChain()
	block, _, err := s.eth.Miner().BuildTestingPayload(&miner.BuildPayloadArgs{
		Parent: chain.CurrentBlock().Hash(), Timestamp: timestamp, Random: random,
		Withdrawals: types.Withdrawals{}, BeaconRoot: new(common.Hash),
	}, nil, false, nil)
	if err != nil {
		return 0, fmt.Errorf("build block: %w", err)
	}
	if _, err := chain.InsertBlockWithoutSetHead(context.Background(), block, false); err != nil {
		return 0, fmt.Errorf("insert block %d: %w", block.NumberU64(), err)
	}
	if err := makeHead(s.eth, block); err != nil {
		return 0, err
	}
	s.markFinal(block.Header())
	if err := s.eth.TxPool().Sync(); err != nil {
		return 0, fmt.Errorf("wait for transaction pool: %w", err)
	}
	return len(block.Transactions()), nil
}

// markFinal calls the head safe, and the block finalityLag below it final.
func (s *sealer) markFinal(head *types.Header) {
	chain := s.eth.BlockChain()
	chain.SetSafe(head)
	final := chain.GetHeaderByNumber(saturatingSub(head.Number.Uint64(), s.finalityLag))
	if current := chain.CurrentFinalBlock(); final != nil && (current == nil || final.Number.Cmp(current.Number) >= 0) {
		chain.SetFinalized(final)
	}
}

// advance seals a block d later than the head and moves the clock with it.
func (s *sealer) advance(d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.seal(s.eth.BlockChain().CurrentBlock().Time + uint64(d/time.Second)) //nolint:gosec // checked by AdvanceTime
	if err == nil {
		s.ahead += d
	}
	return err
}

// commit seals one block now, empty or not, without waiting for the clock.
func (s *sealer) commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	head := s.eth.BlockChain().CurrentBlock()
	timestamp := blockTime(head.Time, s.clock())
	if now := s.clock(); timestamp > now {
		s.ahead += time.Duration(timestamp-now) * time.Second //nolint:gosec // one second
	}
	_, err := s.seal(timestamp)
	return err
}

var errBelowFinal = errors.New("block is not above the finalized block")

// rewind makes an older block the head. What was above it is forgotten, with its transactions.
func (s *sealer) rewind(number uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	chain := s.eth.BlockChain()
	if final := chain.CurrentFinalBlock(); final != nil && number < final.Number.Uint64() {
		return errBelowFinal
	}
	block := chain.GetBlockByNumber(number)
	if block == nil {
		return fmt.Errorf("no block %d", number)
	}
	if err := makeHead(s.eth, block); err != nil {
		return err
	}
	chain.SetSafe(block.Header())
	// The pool takes back what was in the forgotten blocks and would have it sealed
	// again at once; tests want to see it gone.
	if err := s.eth.TxPool().Sync(); err != nil {
		return fmt.Errorf("wait for transaction pool: %w", err)
	}
	s.eth.TxPool().Clear()
	return nil
}
