package x402

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// The life of one sale, and what a crash after each step leaves behind:
//
//	read and match the payment    nothing
//	verify at the facilitator     nothing
//	claim, durable                running: the handler never runs again for this payment
//	run the handler, buffered     running
//	keep its answer, durable      answered: a repeat settles again and never runs the handler
//	settle                        answered
//	keep the final answer         finished: a repeat gets the same answer
//
// A repeat is the same payment bytes for the same method, URL and body. Repeats
// of a running claim, or of one that somebody is settling, get 409 with
// Retry-After and never 402: a 402 invites the payer to sign a second payment. The
// same authorization in other bytes or for another request is told that its nonce
// is used.
//
// When the handler answers 400 or above nothing is settled, and that answer is
// final for the payment: the authorization stays unspent until its validBefore,
// and trying again takes a new one. The claim is not given back, because then a
// handler that did half its work and failed could be run again for nothing.
//
// Final answers can be asked for again until repeatWindow after validBefore. After
// a settlement everybody can read the signature on the chain, so the window is
// short; a repeat must also know the exact URL, body and payment text.
const repeatWindow = 10 * time.Minute

const reasonBytesMax = 200 // of a facilitator's reason passed on to the buyer

func (m *Merchant) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer, panicked := m.sale(w, r, next)
	if err := answer.send(w); err != nil {
		m.config.Report(r.Context(), fmt.Errorf("send the answer: %w", err))
	}
	if panicked != nil {
		panic(panicked)
	}
}

func (m *Merchant) sale(w http.ResponseWriter, r *http.Request, next http.Handler) (answer Answer, panicked any) {
	a, reason := m.admit(r.Header)
	if reason != "" {
		return m.demand(r, reason), nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, m.config.RequestBodyBytesMax))
	if err != nil {
		return refusal(http.StatusRequestEntityTooLarge, "request_body_unreadable", "the request body is too large or broke off"), nil
	}
	a.claim.Request = requestHash(r.Method, m.resourceURL(r), body)
	// A connection that breaks must not stop a settlement half-way.
	ctx := context.WithoutCancel(r.Context())
	// Asked first, because a facilitator refuses a payment that was settled, and its
	// buyer may have lost our answer.
	record, found, err := m.config.Claims.Find(ctx, a.claim.Key)
	if err != nil {
		return m.storeFailed(ctx, err), nil
	}
	if found {
		return m.repeat(ctx, r, a, record), nil
	}
	if early := m.verify(r, a); early != nil {
		return *early, nil
	}
	record, created, err := m.config.Claims.Claim(ctx, a.claim)
	if err != nil {
		return m.storeFailed(ctx, err), nil
	}
	if !created {
		return m.repeat(ctx, r, a, record), nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	answer, panicked = m.run(r, next)
	if answer.Status >= http.StatusBadRequest {
		m.finish(ctx, a.claim.Key, answer)
		return answer, panicked
	}
	lease := m.config.Now().Add(m.config.SettleTimeout + leaseSlack)
	if err := m.config.Claims.Answered(ctx, a.claim.Key, answer, lease); err != nil {
		return m.storeFailed(ctx, err), nil
	}
	return m.settle(ctx, a, answer, 1), nil
}

// run calls the handler and turns a panic into an unsold 500, which serve
// continues after the answer is durable.
func (m *Merchant) run(r *http.Request, next http.Handler) (answer Answer, panicked any) {
	w := newRecorder(m.config.AnswerBytesMax)
	defer func() {
		if panicked = recover(); panicked != nil {
			answer = refusal(http.StatusInternalServerError, "handler_failed", "the resource failed; nothing was charged")
		}
	}()
	next.ServeHTTP(w, r)
	return w.answer(), nil
}

// verify returns nil for a valid payment, else what to answer.
func (m *Merchant) verify(r *http.Request, a admitted) *Answer {
	verdict, err := m.config.Facilitator.Verify(r.Context(), a.request)
	var refused *FacilitatorError
	switch {
	case errors.As(err, &refused) && refused.Verify != nil && !refused.Verify.IsValid:
		verdict = *refused.Verify
	case errors.As(err, &refused):
		answer := m.demand(r, fmt.Sprintf("Facilitator verify failed (%d)", refused.Status))
		m.config.Report(r.Context(), fmt.Errorf("verify: %w", err))
		return &answer
	case err != nil:
		m.config.Report(r.Context(), fmt.Errorf("verify: %w", err))
		answer := refusal(http.StatusBadGateway, "facilitator_failed", "the payment could not be verified; nothing was charged").later()
		return &answer
	}
	if verdict.IsValid {
		return nil
	}
	reason := verdict.InvalidReason
	if reason == "" {
		reason = reasonShape
	}
	answer := m.demand(r, reason[:min(len(reason), reasonBytesMax)])
	return &answer
}

// demand is the 402 (or 412) with the offers.
func (m *Merchant) demand(r *http.Request, reason string) Answer {
	header, err := m.requiredHeader(r.URL.RequestURI(), reason)
	if err != nil {
		// A URL or a facilitator's reason too long for the header.
		m.config.Report(r.Context(), err)
		return refusal(http.StatusRequestURITooLong, "request_uri_too_long", "the offer for this address does not fit into a header")
	}
	status := http.StatusPaymentRequired
	if reason == reasonAllowance {
		status = http.StatusPreconditionFailed
	}
	return unpaid(status, HeaderRequired, header)
}

// finish keeps the final answer. When that fails the answer is sent all the same,
// since the buyer has paid for it or was not charged; repeats then stay pending.
func (m *Merchant) finish(ctx context.Context, key ClaimKey, answer Answer) {
	if err := m.config.Claims.Finish(ctx, key, answer); err != nil {
		m.config.Report(ctx, fmt.Errorf("keep the answer to a payment of %s: %w", key.Payer, err))
	}
}

func (m *Merchant) storeFailed(ctx context.Context, err error) Answer {
	m.config.Report(ctx, fmt.Errorf("claims store: %w", err))
	return refusal(http.StatusServiceUnavailable, "claims_unavailable", "the payment could not be recorded; send the same payment again").later()
}
