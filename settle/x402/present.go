package x402

import (
	"context"
	"errors"
	"net/http"
)

// Presented is a resource server's answer to a payment. None of it proves that
// money moved or did not: only the chain does.
type Presented struct {
	// Response is the answer; its Body is nil when BodyError is set.
	Response
	// Settle is the receipt, or nil when there is none or it cannot be read.
	Settle *SettleResponse
	// SettleError says why a receipt that was sent cannot be read.
	SettleError error
	// BodyError says why the body is missing: it broke off or is too large. The
	// payment may have succeeded all the same.
	BodyError error
}

// Present sends the request with a payment: header is the value of the
// PAYMENT-SIGNATURE header, sent exactly as given, so that a repeat after a crash
// or a time-out is the same payment and not a second one.
//
// An error means that no answer arrived: the server may or may not have the
// payment, and the only safe repeat is of the same bytes. The exceptions are the
// codes request_invalid, payment_already_attempted, x402_header_invalid and
// x402_payload_invalid, where nothing was sent. Redirects follow the rule of
// Fetch; after code redirect_refused the payment has reached the first server.
func Present(ctx context.Context, client *http.Client, r Request, header string) (Presented, error) {
	if err := checkPayment(header); err != nil {
		return Presented{}, err
	}
	answer, err := send(ctx, client, r, header)
	if err != nil {
		return Presented{}, err
	}
	p := Presented{Response: Response{Status: answer.StatusCode, Header: answer.Header, Origin: Origin(answer.Request.URL)}}
	p.Body, p.BodyError = readBounded(answer.Body, ResourceBodyBytesMax)
	p.BodyError = errors.Join(p.BodyError, answer.Body.Close())
	p.Settle, p.SettleError = receiptFrom(answer.Header)
	return p, nil
}

// checkPayment refuses to send bytes that are no payment, such as a header that
// was cut by a store.
func checkPayment(header string) error {
	text, err := DecodeHeader(header)
	if err != nil {
		return err
	}
	_, err = ParsePaymentPayload(text)
	return err
}

// receiptFrom reads PAYMENT-RESPONSE; both results are nil when there is none.
func receiptFrom(h http.Header) (*SettleResponse, error) {
	value, present, err := OneHeader(h, HeaderResponse)
	if err != nil || !present {
		return nil, err
	}
	text, err := DecodeHeader(value)
	if err != nil {
		return nil, err
	}
	receipt, err := ParseSettleResponse(text)
	if err != nil {
		return nil, err
	}
	return &receipt, nil
}
