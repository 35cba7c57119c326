package x402

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	// ResourceBodyBytesMax bounds the answer of a resource server, after decompression.
	ResourceBodyBytesMax = 4 << 20
	redirectsMax         = 3
)

// Request is a request to a resource server that can be sent again byte for byte.
type Request struct {
	// Method is such as "GET"; URL is absolute, http or https.
	Method, URL string
	// Header is sent as it is, without payment headers. May be nil.
	Header http.Header
	// Body is the whole body; nil for none.
	Body []byte
}

// Response is what a resource server answered, read to its end.
type Response struct {
	// Status is the HTTP status.
	Status int
	// Header is as received.
	Header http.Header
	// Body holds at most ResourceBodyBytesMax bytes.
	Body []byte
	// Origin is scheme://host[:port] of the server that was connected to. Judge the
	// payee by it, never by what the offer says of its resource.
	Origin string
}

// Fetch sends the request without a payment. On 402 the offer comes back parsed,
// with its raw bytes in Raw; on any other status required is nil and the response
// is the answer. Redirects within one origin are followed up to three times, a
// redirect to another origin is an error with code redirect_refused: whoever is
// paid must be whoever was asked.
//
// Other codes: request_invalid, offer_missing (402 without a PAYMENT-REQUIRED
// header of version 2), the codes of ParsePaymentRequired, x402_too_large. With a
// code from the offer the response is returned too. client's transport, jar and
// timeout are used; its redirect policy is not.
func Fetch(ctx context.Context, client *http.Client, r Request) (response Response, required *PaymentRequired, err error) {
	answer, err := send(ctx, client, r, "")
	if err != nil {
		return Response{}, nil, err
	}
	defer closing(answer.Body, &err)
	response = Response{Status: answer.StatusCode, Header: answer.Header, Origin: Origin(answer.Request.URL)}
	if response.Body, err = readBounded(answer.Body, ResourceBodyBytesMax); err != nil {
		return response, nil, fmt.Errorf("answer of %s: %w", response.Origin, err)
	}
	if answer.StatusCode != http.StatusPaymentRequired {
		return response, nil, nil
	}
	offer, err := requiredFrom(answer.Header)
	if err != nil {
		return response, nil, err
	}
	return response, &offer, nil
}

// requiredFrom reads the offer of a 402 from its header.
func requiredFrom(h http.Header) (PaymentRequired, error) {
	value, present, err := OneHeader(h, HeaderRequired)
	if err != nil {
		return PaymentRequired{}, err
	}
	if !present {
		return PaymentRequired{}, &abi.Error{
			Code:    "offer_missing",
			Message: "the server wants payment but sent no PAYMENT-REQUIRED header",
			Fix:     "the server may speak x402 version 1 or another protocol; only version 2 is understood",
		}
	}
	text, err := DecodeHeader(value)
	if err != nil {
		return PaymentRequired{}, err
	}
	return ParsePaymentRequired(text)
}

// send sends the request, with a payment header when payment is not empty.
func send(ctx context.Context, client *http.Client, r Request, payment string) (*http.Response, error) {
	target, err := url.Parse(r.URL)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" || target.User != nil {
		return nil, &abi.Error{Code: "request_invalid", Message: fmt.Sprintf("%.200q is no http or https address", r.URL)}
	}
	if carriesPayment(r.Header) {
		return nil, errAlreadyPaid()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, &abi.Error{Code: "request_invalid", Message: "the request cannot be built", Cause: err}
	}
	if r.Header != nil {
		request.Header = r.Header.Clone()
	}
	if payment != "" {
		request.Header.Set(HeaderSignature, payment)
	}
	own := *client
	own.CheckRedirect = sameOriginOnly
	response, err := own.Do(request) // #nosec G704 -- the caller's transport decides which addresses may be dialled
	if err != nil {
		if response != nil { // of a refused redirect
			err = errors.Join(err, response.Body.Close())
		}
		var refused *abi.Error
		if errors.As(err, &refused) {
			return nil, refused
		}
		return nil, fmt.Errorf("send the request to %s: %w", Origin(target), err)
	}
	return response, nil
}

func sameOriginOnly(next *http.Request, via []*http.Request) error {
	if len(via) > redirectsMax || Origin(next.URL) != Origin(via[0].URL) {
		return &abi.Error{
			Code:    "redirect_refused",
			Message: fmt.Sprintf("%s redirects to %s", Origin(via[0].URL), Origin(next.URL)),
			Fix:     "ask for the final address yourself if you trust its server",
		}
	}
	return nil
}

// Origin returns scheme://host[:port] with the default port left out.
func Origin(u *url.URL) string {
	host := u.Hostname()
	if port := u.Port(); port != "" && !(u.Scheme == "http" && port == "80") && !(u.Scheme == "https" && port == "443") {
		return u.Scheme + "://" + lowerHost(host) + ":" + port
	}
	return u.Scheme + "://" + lowerHost(host)
}

func lowerHost(host string) string {
	host = strings.ToLower(host)
	if strings.Contains(host, ":") { // an IPv6 literal
		return "[" + host + "]"
	}
	return host
}

func carriesPayment(h http.Header) bool {
	return slices.ContainsFunc([]string{HeaderSignature, headerV1Payment}, func(name string) bool {
		return len(h.Values(name)) > 0
	})
}

func errAlreadyPaid() *abi.Error {
	return &abi.Error{
		Code: "payment_already_attempted", Message: "the request already carries a payment header",
		Fix: "send the plain request; the payment is added to it",
	}
}
