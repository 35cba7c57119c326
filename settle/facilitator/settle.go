package facilitator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/x402"
)

// settle runs one settlement request to an answer. An error means that nothing was
// broadcast by this request and that trying again is sensible.
func (f *Facilitator) settle(ctx context.Context, request x402.FacilitatorRequest) (x402.SettleResponse, error) {
	o, no, err := f.read(ctx, request, anyTime)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	if no != nil {
		return f.refused(o, no), nil
	}
	// One request at a time for one authorization: racing repeats are told that the
	// nonce is taken without costing a look at the chain, and only one caller can be
	// told of success.
	if !f.enter(o.key()) {
		return f.refused(o, refuse(reasonNonceUsed, "this payment is being settled for another request")), nil
	}
	defer f.leave(o.key())
	s, found, err := f.config.Journal.Find(ctx, o.key())
	if err != nil {
		return x402.SettleResponse{}, fmt.Errorf("find settlement: %w", err)
	}
	if found {
		return f.again(ctx, o, s)
	}
	if no := f.inTime(o); no != nil {
		return f.refused(o, no), nil
	}
	return f.first(ctx, o)
}

// first settles an authorization nobody has presented here before.
func (f *Facilitator) first(ctx context.Context, o order) (x402.SettleResponse, error) {
	view, no, err := f.judge(ctx, o)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	if no != nil {
		return f.refused(o, no), nil
	}
	offered, err := f.price(view)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	holdCtx, cancel := context.WithTimeout(ctx, f.config.ConfirmTimeout)
	defer cancel()
	if err := f.relayer.hold(holdCtx); err != nil {
		return x402.SettleResponse{}, err
	}
	claim := Claim{
		Key: o.key(), Fingerprint: o.fingerprint(), Payee: o.payee, Amount: o.value, ValidBefore: o.validBefore,
		Relayer: f.relayer.address, CallData: o.callData(len(view.code) > 0), FromBlock: view.head.Number, At: f.config.Now(),
	}
	s, created, err := f.config.Journal.Claim(ctx, claim)
	if err != nil || !created {
		f.relayer.release()
		if err != nil {
			return x402.SettleResponse{}, fmt.Errorf("claim settlement: %w", err)
		}
		return f.again(ctx, o, s) // another process has it
	}
	flying, err := f.relayer.launch(ctx, claim, o.token.contract, offered, view.head.Number)
	if err != nil {
		f.relayer.release()
		releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalTimeout)
		defer cancel()
		if releaseErr := f.config.Journal.Release(releaseCtx, claim.Key); releaseErr != nil {
			// The record may exist, and then the next start broadcasts it: that is no failure.
			f.config.Logger.ErrorContext(ctx, "facilitator: launch settlement", "error", errors.Join(err, releaseErr))
			return f.pending(o, evm.Hash{}), nil
		}
		return x402.SettleResponse{}, err
	}
	return f.await(ctx, o, flying)
}

// price checks that the relayer can pay for the transaction, after all that are in
// flight, before it takes a nonce: one without funds would block all that come after.
func (f *Facilitator) price(view chainView) (fees, error) {
	offered, err := freshFees(view.head.BaseFeeWei, view.tipWei, f.config.FeeCapWei)
	if err != nil {
		return fees{}, err
	}
	cost, err := offered.maxFee.Mul(f.config.GasMax * (1 + f.relayer.inFlight()))
	if err != nil {
		return fees{}, fmt.Errorf("cost of a settlement: %w", err)
	}
	if view.gasWei.Cmp(cost) < 0 {
		return fees{}, &abi.Error{Code: "relayer_out_of_gas", Message: fmt.Sprintf("relayer %s holds %s wei, settlements may need %s",
			f.relayer.address, view.gasWei, cost), Fix: "send coins for gas to the relayer", Retry: abi.RetryLater}
	}
	return offered, nil
}

// again answers a payment that was presented before.
func (f *Facilitator) again(ctx context.Context, o order, s Settlement) (x402.SettleResponse, error) {
	if s.Fingerprint != o.fingerprint() {
		return f.refused(o, refuse(reasonNonceUsed, "another payment with this nonce was presented before")), nil
	}
	if s.Result != nil {
		return f.concluded(ctx, o, *s.Result), nil
	}
	if flying := f.relayer.flying(s.Key); flying != nil {
		return f.await(ctx, o, flying)
	}
	// It may have ended between the two looks.
	s, found, err := f.config.Journal.Find(ctx, o.key())
	switch {
	case err != nil:
		return x402.SettleResponse{}, fmt.Errorf("find settlement: %w", err)
	case found && s.Result != nil:
		return f.concluded(ctx, o, *s.Result), nil
	case found && s.Relayer == f.relayer.address && len(s.Attempts) > 0:
		flying, err := f.relayer.adopt(ctx, s)
		if err != nil {
			f.config.Logger.ErrorContext(ctx, "facilitator: take up settlement", "error", err)
			break
		}
		return f.await(ctx, o, flying)
	}
	return f.pending(o, evm.Hash{}), nil // another process is at it, or the next start will be
}

// await waits for the result of a broadcast transaction. Not seeing it in time is
// settlement_pending, never a failure: a payer told of failure would pay again.
func (f *Facilitator) await(ctx context.Context, o order, flying *flight) (x402.SettleResponse, error) {
	timer := time.NewTimer(f.config.ConfirmTimeout)
	defer timer.Stop()
	select {
	case <-flying.done:
		return f.concluded(ctx, o, flying.result), nil
	case <-timer.C:
	case <-ctx.Done():
	case <-f.relayer.quit:
	}
	return f.pending(o, f.relayer.lastHash(flying)), nil
}

// concluded tells a result. Success is told to one caller, ever.
func (f *Facilitator) concluded(ctx context.Context, o order, r Result) x402.SettleResponse {
	if !r.Success {
		answer := f.refused(o, refuse(r.Reason, "the settlement ended without paying through us"))
		answer.Transaction = hashText(r.TxHash)
		return answer
	}
	if ctx.Err() != nil {
		return f.pending(o, r.TxHash) // the caller is gone and will ask again
	}
	first, err := f.config.Journal.Deliver(ctx, o.key())
	if err != nil {
		f.config.Logger.ErrorContext(ctx, "facilitator: mark success as told", "error", err)
		return f.pending(o, r.TxHash)
	}
	if !first {
		answer := f.refused(o, refuse(reasonNonceUsed, "this payment is settled and its success was told before"))
		answer.Transaction = hashText(r.TxHash)
		return answer
	}
	return x402.SettleResponse{Success: true, Payer: o.payerText, Transaction: hashText(r.TxHash), Network: f.config.RPC.Network()}
}

func (f *Facilitator) refused(o order, no *refusal) x402.SettleResponse {
	return x402.SettleResponse{ErrorReason: no.reason, ErrorMessage: no.message, Payer: o.payerText, Network: f.config.RPC.Network()}
}

func (f *Facilitator) pending(o order, tx evm.Hash) x402.SettleResponse {
	answer := f.refused(o, refuse(reasonPending, "broadcast, not yet in a block; send the same request again"))
	answer.Transaction = hashText(tx)
	return answer
}

func hashText(h evm.Hash) string {
	if h == (evm.Hash{}) {
		return ""
	}
	return h.String()
}

// lastHash is the newest transaction of a flight.
func (r *relayer) lastHash(f *flight) evm.Hash {
	r.mu.Lock()
	defer r.mu.Unlock()
	return f.last().TxHash
}

func (f *Facilitator) enter(key ClaimKey) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, busy := f.busy[key]; busy {
		return false
	}
	f.busy[key] = struct{}{}
	return true
}

func (f *Facilitator) leave(key ClaimKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.busy, key)
}
