package facilitator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/purserhq/purser/settle/evm"
)

const (
	// stuckBlocksMin is how many blocks the next transaction in line may be passed over
	// before it is replaced by a dearer one.
	stuckBlocksMin   = 3
	resendDelayMin   = time.Second
	lookTimeout      = 30 * time.Second
	idleLookInterval = 30 * time.Second
)

// watch looks at the chain while settlements are open.
func (r *relayer) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-r.wake:
		case <-timer.C:
		}
		delay := idleLookInterval
		if r.lookOnce(ctx) {
			delay = r.poll
		}
		timer.Reset(delay)
	}
}

// lookOnce reports whether settlements are still open afterwards.
func (r *relayer) lookOnce(ctx context.Context) bool {
	open := r.inOrder()
	if len(open) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	head, err := r.rpc.HeaderAt(ctx, evm.Latest)
	if err != nil {
		r.logger.WarnContext(ctx, "facilitator: read head", "error", err)
		return true
	}
	mined, err := r.rpc.TransactionCount(ctx, r.address, evm.Latest)
	if err != nil {
		r.logger.WarnContext(ctx, "facilitator: read relayer nonce", "error", err)
		return true
	}
	for _, f := range open {
		select {
		case <-r.quit:
			return false
		default:
		}
		switch nonce := f.last().RelayerNonce; {
		case nonce < mined:
			r.resolve(ctx, f, head)
		case nonce >= mined+pendingAheadMax: // of a chain that has begun anew: nothing will ever reach it
			r.miss(ctx, f, head)
		default:
			r.push(ctx, f, head, nonce == mined)
		}
	}
	r.fillGap(ctx, open, mined, head)
	return true
}

// inOrder lists the open flights by relayer nonce.
func (r *relayer) inOrder() []*flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	open := make([]*flight, 0, len(r.flights))
	for _, f := range r.flights {
		open = append(open, f)
	}
	slices.SortFunc(open, func(a, b *flight) int { return cmp.Compare(a.last().RelayerNonce, b.last().RelayerNonce) })
	return open
}

// push keeps an unmined transaction alive: pools forget, and fees rise. Only the next
// one in line is replaced, because the others wait for it and not for a better price.
func (r *relayer) push(ctx context.Context, f *flight, head evm.Header, inLine bool) {
	if inLine && head.Number >= f.bumpedBlock+stuckBlocksMin {
		f.bumpedBlock = head.Number
		r.replace(ctx, f)
	}
	if head.Number > f.sentBlock && r.now().Sub(f.sentAt) >= resendDelayMin {
		f.sentBlock, f.sentAt = head.Number, r.now()
		r.broadcast(ctx, f.last())
	}
}

// replace signs the same call under the same relayer nonce with higher fees. A new
// nonce would let both be mined, and the second would burn gas for a revert.
func (r *relayer) replace(ctx context.Context, f *flight) {
	last := f.last()
	higher, ok := fees{last.MaxFeeWei, last.TipWei}.raised(r.feeCap)
	if !ok {
		r.logger.WarnContext(ctx, "facilitator: transaction is stuck at the fee cap", "tx", last.TxHash.String())
		return
	}
	to, err := r.rpc.Contract(f.claim.Key.Asset)
	if err != nil {
		r.logger.ErrorContext(ctx, "facilitator: replace transaction", "error", err)
		return
	}
	attempt, err := r.sign(last.RelayerNonce, to, f.claim.CallData, higher)
	if err != nil {
		r.logger.ErrorContext(ctx, "facilitator: replace transaction", "error", err)
		return
	}
	if err := r.journal.RecordAttempt(ctx, f.claim.Key, attempt); err != nil {
		r.logger.ErrorContext(ctx, "facilitator: record replacement", "error", err)
		return
	}
	r.mu.Lock()
	f.attempts = append(f.attempts, attempt)
	r.mu.Unlock()
	r.broadcast(ctx, attempt)
}

// fillGap sends an empty transaction to ourselves at a nonce nobody holds, because
// everything above it would wait for ever.
func (r *relayer) fillGap(ctx context.Context, open []*flight, mined uint64, head evm.Header) {
	above := false
	for _, f := range open {
		nonce := f.last().RelayerNonce
		if nonce == mined {
			return
		}
		above = above || nonce > mined && nonce < mined+pendingAheadMax
	}
	if !above {
		return
	}
	// Between reading the list and the count a flight may have been added or mined.
	for _, f := range r.inOrder() {
		if f.last().RelayerNonce == mined {
			return
		}
	}
	pending, err := r.rpc.TransactionCount(ctx, r.address, evm.Pending)
	if err != nil || pending > mined {
		return // something waits there already, or nothing can be said
	}
	offered, err := freshFees(head.BaseFeeWei, oneWei, r.feeCap)
	if err != nil {
		r.logger.WarnContext(ctx, "facilitator: fill nonce gap", "error", err)
		return
	}
	filler, err := r.sign(mined, r.address, nil, offered)
	if err != nil {
		r.logger.ErrorContext(ctx, "facilitator: fill nonce gap", "error", err)
		return
	}
	r.logger.WarnContext(ctx, "facilitator: filling a relayer nonce nobody holds", "relayer_nonce", mined)
	r.broadcast(ctx, filler)
}
