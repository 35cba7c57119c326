package x402

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
)

// Protocol is x402 over HTTP as the payment spine uses it: the price in one step and the payment in a later one, with
// a durable write between them. It is safe for concurrent use.
type Protocol struct {
	client *http.Client
}

var _ settle.Protocol = (*Protocol)(nil)

// freeBytesMax bounds an answer that costs nothing: no budget counts it, and it is kept.
const freeBytesMax = 256 << 10

// NewProtocol uses the client's transport, jar and time-out for every call. The transport decides which addresses may
// be dialled.
func NewProtocol(client *http.Client) *Protocol { return &Protocol{client: client} }

// Quote sends the unpaid request. The offers come back in the order to try them: those that verify first before
// those that settle first, and none with a flow that nobody here knows.
func (p *Protocol) Quote(ctx context.Context, resource settle.Resource) (settle.Quoted, error) {
	response, required, err := Fetch(ctx, p.client, requestOf(resource))
	if err != nil {
		return settle.Quoted{}, err
	}
	if required == nil && (response.Status < http.StatusOK || response.Status >= http.StatusMultipleChoices) {
		return settle.Quoted{}, &abi.Error{
			Code: "offer_missing", Where: response.Origin, Message: fmt.Sprintf("the server answered %d, which is neither a price nor the resource", response.Status),
			Fix: "try again later with a new key", Retry: abi.RetryLater,
		}
	}
	if required == nil && len(response.Body) > freeBytesMax {
		return settle.Quoted{}, fault(CodeTooLarge, "", "the free answer of %s has %d bytes, want at most %d", response.Origin, len(response.Body), freeBytesMax)
	}
	if required == nil {
		return settle.Quoted{Origin: response.Origin, Free: &settle.Response{Status: response.Status, Header: response.Header, Body: response.Body}}, nil
	}
	offers, err := offersOf(*required)
	return settle.Quoted{Origin: response.Origin, Offers: offers}, err
}

// ReadRequired reads a 402 that somebody else received: the value of its PAYMENT-REQUIRED header. The origin is the
// resource's own, so the payee in it is only asserted.
func (p *Protocol) ReadRequired(header string, resource settle.Resource) (settle.Quoted, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, resource.URL, nil)
	if err != nil {
		return settle.Quoted{}, &abi.Error{Code: "request_invalid", Where: "url", Message: "the url cannot be read"}
	}
	text, err := DecodeHeader(header)
	if err != nil {
		return settle.Quoted{}, err
	}
	required, err := ParsePaymentRequired(text)
	if err != nil {
		return settle.Quoted{}, err
	}
	offers, err := offersOf(required)
	return settle.Quoted{Origin: Origin(request.URL), Offers: offers}, err
}

// Payment encodes the PAYMENT-SIGNATURE header: the scheme's payload, the offer echoed as it came, and the payment's id
// where the merchant takes one, so that merchant and facilitator can tell a repeat from a second purchase.
func (p *Protocol) Payment(payment string, offer settle.Offer, payload []byte) (string, error) {
	accepted, err := ParseRequirements(offer.Quote.Requirement)
	if err != nil {
		return "", err
	}
	extensions := json.RawMessage(offer.Extensions)
	if len(extensions) > 0 {
		if extensions, err = AddIdentifier(extensions, payment); err != nil {
			return "", err
		}
	}
	text, err := EncodePaymentPayload(PaymentPayload{X402Version: 2, Payload: payload, Accepted: accepted, Resource: offer.Resource, Extensions: extensions})
	if err != nil {
		return "", fmt.Errorf("encode payment: %w", err)
	}
	return EncodeHeader(text)
}

// Present sends the stored header.
func (p *Protocol) Present(ctx context.Context, resource settle.Resource, payment string) (settle.Presented, error) {
	got, err := Present(ctx, p.client, requestOf(resource), payment)
	if err != nil {
		return settle.Presented{}, err
	}
	presented := settle.Presented{Response: settle.Response{Status: got.Status, Header: got.Header, Body: got.Body}}
	if got.BodyError != nil {
		presented.Response = settle.Response{}
		presented.Refusal = abi.CodeOf(got.BodyError)
	}
	switch {
	case got.Settle != nil && got.Settle.Success:
		presented.Claimed, presented.Transaction = true, got.Settle.Transaction
	case got.Settle != nil:
		presented.Refusal = got.Settle.ErrorReason
	case got.Status >= http.StatusBadRequest && presented.Refusal == "":
		presented.Refusal = refusalOf(got)
	}
	return presented, nil
}

// refusalOf finds the reason in a fresh offer, else names the status.
func refusalOf(got Presented) string {
	if offer, err := requiredFrom(got.Header); err == nil && offer.Error != "" {
		return offer.Error
	}
	return fmt.Sprintf("http_%d", got.Status)
}

func requestOf(resource settle.Resource) Request {
	header := make(http.Header, len(resource.Header))
	for name, value := range resource.Header {
		header.Set(name, value)
	}
	return Request{Method: resource.Method, URL: resource.URL, Header: header, Body: resource.Body}
}

func offersOf(required PaymentRequired) ([]settle.Offer, error) {
	var first, second []settle.Offer
	var problems []error
	for _, accepted := range required.Accepts {
		offer, err := offerOf(required, accepted)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		switch accepted.Flow() {
		case FlowAuthorization:
			first = append(first, offer)
		case FlowUpfront:
			second = append(second, offer)
		}
	}
	offers := append(first, second...)
	if len(offers) == 0 && len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return offers, nil
}

// An offer is recorded with every decision about it and echoed with the payment, so one that only just fits into a 402
// would not fit there: a key repeated in each pointer under it multiplies.
const (
	offerBytesMax = 4608 // the offer, its resource and its extensions together, as they came
	extraBytesMax = 2 << 10
	extraEntries  = 32
	payToBytes    = 20
)

// offerOf turns one requirement into the spine's words, and refuses what the spine could not carry to the end. Accounts
// of eip155 networks become lower case, the one spelling that is compared.
func offerOf(required PaymentRequired, accepted Requirements) (settle.Offer, error) {
	raw, err := EncodeRequirements(accepted)
	if err != nil {
		return settle.Offer{}, err
	}
	asset, err := abi.ERC20(accepted.Network, accepted.Asset)
	if err != nil {
		return settle.Offer{}, err
	}
	quote := abi.Quote{
		Requirement: raw, Scheme: accepted.Scheme, Network: string(accepted.Network), Asset: string(asset),
		Payee: strings.ToLower(accepted.PayTo), Amount: accepted.Amount, TimeoutS: uint64(accepted.MaxTimeoutSeconds), //nolint:gosec // above zero, by ParseRequirements
		ResourceURL: required.Resource.URL, MIMEType: required.Resource.MimeType,
	}
	if _, ok := decodeHex(accepted.PayTo, payToBytes, payToBytes); !ok {
		return settle.Offer{}, fault(CodeRequirements, "payTo", "%.60q is no account of an eip155 network", accepted.PayTo)
	}
	if len(accepted.Extra) > extraBytesMax {
		return settle.Offer{}, fault(CodeTooLarge, "extra", "has %d bytes, want at most %d", len(accepted.Extra), extraBytesMax)
	}
	if accepted.Extra != nil {
		if _, quote.Extra, err = abi.Flatten(accepted.Extra); err != nil {
			return settle.Offer{}, err
		}
	}
	offer := settle.Offer{Quote: quote, Extensions: required.Extensions}
	if required.Raw != nil {
		if offer.Resource, err = memberOf(required.Raw, "resource"); err != nil {
			return settle.Offer{}, err
		}
	}
	if len(raw)+len(offer.Resource)+len(offer.Extensions) > offerBytesMax {
		offer.Extensions = nil // a merchant takes a payment that echoes none of them
	}
	if total := len(raw) + len(offer.Resource); total > offerBytesMax || len(quote.Extra) > extraEntries {
		return settle.Offer{}, fault(CodeTooLarge, "", "the offer has %d bytes and %d members in extra, want at most %d and %d", total, len(quote.Extra), offerBytesMax, extraEntries)
	}
	return offer, nil
}
