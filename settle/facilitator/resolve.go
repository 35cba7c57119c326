package facilitator

import (
	"context"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

// missingLooksMin is how often a transaction must be missing although its nonce is
// used before it counts as displaced: nodes index receipts a little after blocks.
const missingLooksMin = 8

var oneWei = abi.NewAmount(1)

// resolve finds out what became of a flight whose relayer nonce is used. Anything
// that cannot be read now is left for the next look.
func (r *relayer) resolve(ctx context.Context, f *flight, head evm.Header) {
	for _, a := range f.attempts {
		m, found, err := r.rpc.Mined(ctx, a.TxHash)
		if err != nil {
			r.logger.WarnContext(ctx, "facilitator: read receipt", "tx", a.TxHash.String(), "error", err)
			return
		}
		if !found {
			continue
		}
		result, err := r.judgeMined(ctx, f.claim, m)
		if err != nil {
			r.logger.WarnContext(ctx, "facilitator: read outcome", "tx", a.TxHash.String(), "error", err)
			return
		}
		r.finish(ctx, f, result)
		return
	}
	r.miss(ctx, f, head)
}

// miss counts a look that found nothing of a flight where something should be.
func (r *relayer) miss(ctx context.Context, f *flight, head evm.Header) {
	if f.missing++; f.missing >= missingLooksMin {
		f.missing = 0
		r.displaced(ctx, f, head)
	}
}

// judgeMined reads a mined transaction of ours.
func (r *relayer) judgeMined(ctx context.Context, c Claim, m evm.Mined) (Result, error) {
	result := Result{TxHash: m.TxHash, Block: m.Block, BlockHash: m.BlockHash, GasUsed: m.GasUsed, FeeWei: m.FeeWei}
	contract, err := r.rpc.Contract(c.Key.Asset)
	if err != nil {
		return Result{}, fmt.Errorf("read asset: %w", err)
	}
	switch {
	case m.Moved(contract, transferOf(c)):
		result.Success = true
		return result, nil
	case m.Succeeded: // a token that does not revert, and did not pay
		result.Reason = reasonTransferMismatch
		return result, nil
	}
	elsewhere, used, err := r.usedElsewhere(ctx, c, nil)
	switch {
	case err != nil:
		return Result{}, err
	case used:
		elsewhere.GasUsed, elsewhere.FeeWei = m.GasUsed, m.FeeWei
		return elsewhere, nil
	default:
		result.Reason = reasonTransactionFailed
		return result, nil
	}
}

// usedElsewhere reports that the authorization was used or cancelled by a transaction
// that is not ours. The payee may then have been paid. It is still not a success of
// ours: the one who submitted it may have sold it to somebody as a success already,
// and telling it twice would unlock two resources for one payment. The caller gets
// the hash, to see for himself.
//
// A use by one of our own transactions is an error: the node has not indexed its
// receipt yet, and the next look will find it.
func (r *relayer) usedElsewhere(ctx context.Context, c Claim, own []Attempt) (Result, bool, error) {
	used, err := r.rpc.AuthorizationState(ctx, c.Key.Asset, c.Key.Payer, c.Key.Nonce, evm.AtTag(evm.Latest))
	if err != nil || !used {
		return Result{}, false, err
	}
	result := Result{Reason: reasonNonceUsed}
	tx, block, err := r.rpc.FindUse(ctx, evm.Authorization{
		Asset: c.Key.Asset, Payer: c.Key.Payer, Nonce: c.Key.Nonce,
		ValidBefore: c.ValidBefore, FromBlock: c.FromBlock,
	})
	switch abi.CodeOf(err) {
	case "":
		result.TxHash, result.Block = tx, block
	case "authorization_cancelled":
	default:
		return Result{}, false, fmt.Errorf("find use of authorization: %w", err)
	}
	if slices.ContainsFunc(own, func(a Attempt) bool { return a.TxHash == tx }) {
		return Result{}, false, fmt.Errorf("transaction %s of ours has no receipt yet", tx)
	}
	return result, true, nil
}

// displaced deals with a flight whose nonce was spent by a transaction we do not know:
// somebody else uses the key. If the authorization still lives it gets a new nonce;
// that cannot pay twice, because the token takes it once.
func (r *relayer) displaced(ctx context.Context, f *flight, head evm.Header) {
	r.logger.ErrorContext(ctx, "facilitator: a relayer nonce was spent by an unknown transaction", "relayer_nonce", f.last().RelayerNonce,
		"fix", "let nothing else use the relayer key")
	elsewhere, used, err := r.usedElsewhere(ctx, f.claim, f.attempts)
	switch {
	case err != nil:
		r.logger.WarnContext(ctx, "facilitator: read authorization state", "error", err)
	case used:
		r.finish(ctx, f, elsewhere)
	case head.TimeUnixS >= f.claim.ValidBefore:
		r.finish(ctx, f, Result{Reason: reasonValidBefore})
	default:
		r.relaunch(ctx, f, head)
	}
}

func (r *relayer) relaunch(ctx context.Context, f *flight, head evm.Header) {
	mined, err := r.rpc.TransactionCount(ctx, r.address, evm.Pending)
	if err != nil {
		r.logger.WarnContext(ctx, "facilitator: read relayer nonce", "error", err)
		return
	}
	r.mu.Lock()
	if mined <= r.next+pendingAheadMax {
		r.next = max(r.next, mined)
	}
	r.mu.Unlock()
	offered, err := freshFees(head.BaseFeeWei, f.last().TipWei, r.feeCap)
	if err != nil {
		r.logger.WarnContext(ctx, "facilitator: price transaction", "error", err)
		return
	}
	to, err := r.rpc.Contract(f.claim.Key.Asset)
	if err != nil {
		r.logger.ErrorContext(ctx, "facilitator: read asset", "error", err)
		return
	}
	attempt, err := r.assign(ctx, f, to, offered)
	if err != nil {
		r.logger.ErrorContext(ctx, "facilitator: assign a new relayer nonce", "error", err)
		return
	}
	f.bumpedBlock = head.Number
	r.broadcast(ctx, attempt)
}

// finish makes the result durable, then known.
func (r *relayer) finish(ctx context.Context, f *flight, result Result) {
	result.At = r.now()
	if err := r.journal.RecordResult(ctx, f.claim.Key, result); err != nil {
		r.logger.ErrorContext(ctx, "facilitator: record result", "error", err)
		return // the next look tries again
	}
	r.mu.Lock()
	delete(r.flights, f.claim.Key)
	r.mu.Unlock()
	f.result = result
	close(f.done)
	if f.holds {
		r.release()
	}
}

func transferOf(c Claim) evm.Transfer {
	return evm.Transfer{Asset: c.Key.Asset, Payer: c.Key.Payer, Payee: c.Payee, Amount: c.Amount, Nonce: c.Key.Nonce}
}
