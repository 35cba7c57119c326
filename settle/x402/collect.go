package x402

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// repeat answers a payment that was claimed before.
func (m *Merchant) repeat(ctx context.Context, r *http.Request, a admitted, record ClaimRecord) Answer {
	if !sameSale(record, a.claim) {
		return m.demand(r, reasonNonceUsed)
	}
	return m.resume(ctx, a, record)
}

func sameSale(record ClaimRecord, c Claim) bool {
	return record.Request == c.Request && record.Payment == c.Payment
}

// resume gives the stored answer, or continues a settlement nobody is working on.
func (m *Merchant) resume(ctx context.Context, a admitted, record ClaimRecord) Answer {
	now := m.config.Now()
	switch record.State {
	case ClaimFinished:
		gone := record.Answer == nil || now.Unix() > int64(record.ValidBefore)+int64(repeatWindow.Seconds()) // #nosec G115 -- bounded by admit
		if gone {
			return refusal(http.StatusGone, "payment_answer_gone", "this payment was used and its answer is no longer kept")
		}
		return *record.Answer
	case ClaimAnswered:
		lease := now.Add(m.config.SettleTimeout + leaseSlack)
		leased, taken, err := m.config.Claims.Lease(ctx, a.claim.Key, now, lease)
		if err != nil {
			return m.storeFailed(ctx, err)
		}
		if taken && leased.Answer != nil {
			return m.settle(ctx, a, *leased.Answer, leased.Attempts)
		}
		return pending()
	case ClaimRunning:
		return pending()
	default:
		return m.storeFailed(ctx, fmt.Errorf("claim in unknown state %d", record.State))
	}
}

// pending is 409 and not 402, which would invite a second signature, and not 503,
// which proxies answer by themselves.
func pending() Answer {
	return refusal(http.StatusConflict, "payment_pending",
		"this payment is being processed; send the same payment again, do not sign another").later()
}

// settle moves the money for an answer that is durable, and returns what the buyer
// gets. The caller holds the lease.
func (m *Merchant) settle(ctx context.Context, a admitted, answer Answer, attempt int) Answer {
	ctx, cancel := context.WithTimeout(ctx, m.config.SettleTimeout)
	defer cancel()
	outcome, err := m.config.Facilitator.Settle(ctx, a.request)
	var refused *FacilitatorError
	if errors.As(err, &refused) && refused.Settle != nil && !refused.Settle.Success {
		outcome, err = *refused.Settle, nil
	}
	// The deadline above is the facilitator's; the store must still be written.
	ctx = context.WithoutCancel(ctx)
	if err == nil && outcome.Success && (outcome.Network != a.request.PaymentRequirements.Network || outcome.Transaction == "") {
		err = fault(CodeResponse, "", "success without a transaction on %s", a.request.PaymentRequirements.Network)
	}
	if err != nil {
		return m.unknown(ctx, a, SettleResponse{}, http.StatusBadGateway, fmt.Errorf("settle: %w", err))
	}
	// After an earlier attempt a used nonce may well be our own transfer. Only the
	// chain can tell it from a cancellation, so it is neither success nor failure.
	ambiguous := attempt > 1 && outcome.ErrorReason == reasonNonceUsed
	if !outcome.Success && (outcome.ErrorReason == reasonPending || ambiguous) {
		return m.unknown(ctx, a, outcome, http.StatusPaymentRequired, nil)
	}
	receipt, err := receiptHeader(outcome)
	if err != nil {
		// Extensions may be too long for a header; the outcome itself never is.
		outcome.Extensions, outcome.Extra, outcome.ErrorMessage = nil, nil, ""
		if receipt, err = receiptHeader(outcome); err != nil {
			return m.unknown(ctx, a, SettleResponse{}, http.StatusBadGateway, fmt.Errorf("receipt: %w", err))
		}
	}
	final := unpaid(http.StatusPaymentRequired, HeaderResponse, receipt)
	if outcome.Success {
		final = paid(answer, receipt)
	}
	m.finish(ctx, a.claim.Key, final)
	return final
}

// unknown leaves the claim answered, so that a repeat of the same payment settles
// again, and says that the money may have moved.
func (m *Merchant) unknown(ctx context.Context, a admitted, outcome SettleResponse, status int, cause error) Answer {
	if cause != nil {
		m.config.Report(ctx, cause)
	}
	if err := m.config.Claims.Unlease(ctx, a.claim.Key); err != nil {
		m.config.Report(ctx, fmt.Errorf("give back the settlement of a payment of %s: %w", a.claim.Key.Payer, err))
	}
	receipt, err := receiptHeader(SettleResponse{
		ErrorReason: reasonPending, Payer: a.claim.Key.Payer,
		Transaction: outcome.Transaction, Network: a.request.PaymentRequirements.Network,
	})
	if err != nil {
		m.config.Report(ctx, fmt.Errorf("receipt: %w", err))
		return pending()
	}
	return unpaid(status, HeaderResponse, receipt).later()
}

func receiptHeader(outcome SettleResponse) (string, error) {
	text, err := EncodeSettleResponse(outcome)
	if err != nil {
		return "", err
	}
	return EncodeHeader(text)
}
