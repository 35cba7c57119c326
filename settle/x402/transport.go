package x402

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/purserhq/purser/abi"
)

const discardedBodyBytesMax = 64 << 10 // read of a 402's body so that its connection can be used again

// Transport is an http.RoundTripper that pays: a 402 is answered once, by sending
// the same request again with a payment. A second 402 is handed back and nothing
// is signed again, because the first payment may already have moved money.
//
// It keeps nothing across a crash. A program that must survive one uses Fetch and
// Present, with a durable write in between.
type Transport struct {
	// Base sends the requests. Default http.DefaultTransport.
	Base http.RoundTripper
	// Pay decides about the offer and returns the PAYMENT-SIGNATURE header value.
	// An error refuses: the caller of RoundTrip gets it and nothing is sent. Required.
	Pay func(ctx context.Context, required PaymentRequired, request *http.Request) (header string, err error)
}

var _ http.RoundTripper = (*Transport)(nil)

// RoundTrip sends the request and pays for it at most once. Errors of its own have
// code payment_already_attempted, body_not_replayable, x402_transport_invalid or
// those of ParsePaymentRequired and Present. A 402 without a PAYMENT-REQUIRED header
// is handed back as it is.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.check(request); err != nil {
		return nil, errors.Join(err, closeBody(request.Body))
	}
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	response, err := base.RoundTrip(request)
	if err != nil || response.StatusCode != http.StatusPaymentRequired || len(response.Header.Values(HeaderRequired)) == 0 {
		return response, err
	}
	paid, err := t.paidRequest(request, response)
	if err != nil {
		return nil, err
	}
	return base.RoundTrip(paid)
}

func (t *Transport) check(request *http.Request) error {
	switch {
	case t.Pay == nil:
		return &abi.Error{Code: "x402_transport_invalid", Message: "Transport.Pay is not set"}
	case carriesPayment(request.Header):
		return errAlreadyPaid()
	}
	return nil
}

// paidRequest uses the 402 up and returns the second request.
func (t *Transport) paidRequest(request *http.Request, response *http.Response) (*http.Request, error) {
	// The offer is in the header. A body that breaks off only costs the connection.
	_, _ = io.CopyN(io.Discard, response.Body, discardedBodyBytesMax)
	_ = response.Body.Close()
	required, err := requiredFrom(response.Header)
	if err != nil {
		return nil, err
	}
	// Asked before anything is signed: a payment that cannot be sent must not exist.
	if request.Body != nil && request.Body != http.NoBody && request.GetBody == nil {
		return nil, &abi.Error{
			Code: "body_not_replayable", Message: "the request body cannot be sent a second time",
			Fix: "set GetBody on the request, or build it from a bytes.Reader or strings.Reader",
		}
	}
	header, err := t.Pay(request.Context(), required, request)
	if err != nil {
		return nil, fmt.Errorf("pay: %w", err)
	}
	if err := checkPayment(header); err != nil {
		return nil, err
	}
	paid := request.Clone(request.Context())
	if request.GetBody != nil {
		if paid.Body, err = request.GetBody(); err != nil {
			return nil, fmt.Errorf("read the request body again: %w", err)
		}
	}
	paid.Header.Set(HeaderSignature, header)
	return paid, nil
}

func closeBody(body io.Closer) error {
	if body == nil {
		return nil
	}
	return body.Close()
}
