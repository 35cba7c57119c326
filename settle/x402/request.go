package x402

import (
	"encoding/json"
	"fmt"
)

// FacilitatorRequestBytesMax bounds the body of /verify and /settle: one payment,
// one offer and the envelope.
const FacilitatorRequestBytesMax = 64 << 10

// FacilitatorRequest is the body of /verify and /settle.
type FacilitatorRequest struct {
	// X402Version is 2 and the payload's.
	X402Version int
	// PaymentPayload is the payer's payment.
	PaymentPayload PaymentPayload
	// PaymentRequirements is the merchant's own offer, not the payer's echo of it.
	PaymentRequirements Requirements
}

type facilitatorRequestWire struct {
	X402Version         int             `json:"x402Version"`
	PaymentPayload      json.RawMessage `json:"paymentPayload"`
	PaymentRequirements json.RawMessage `json:"paymentRequirements"`
}

// ParseFacilitatorRequest reads the body of /verify or /settle. A missing part is
// code x402_request_incomplete with the official text (status 400 on the wire);
// every other malformed member has the code of its own parser and a Where such as
// "paymentPayload.accepted.amount".
func ParseFacilitatorRequest(text []byte) (FacilitatorRequest, error) {
	f := openFields(CodePayload, text, FacilitatorRequestBytesMax)
	if f.err != nil {
		return FacilitatorRequest{}, f.err
	}
	if !f.has("paymentPayload") || !f.has("paymentRequirements") {
		return FacilitatorRequest{}, fault(CodeIncomplete, "", "Missing paymentPayload or paymentRequirements")
	}
	payloadRaw := f.members["paymentPayload"]
	payload, err := payloadFrom(readFields(CodePayload, "paymentPayload", payloadRaw), payloadRaw)
	if err != nil {
		return FacilitatorRequest{}, err
	}
	requirements, err := parseRequirementsAt("paymentRequirements", f.members["paymentRequirements"])
	if err != nil {
		return FacilitatorRequest{}, err
	}
	r := FacilitatorRequest{X402Version: f.version(), PaymentPayload: payload, PaymentRequirements: requirements}
	if f.err != nil {
		return FacilitatorRequest{}, f.err
	}
	return r, nil
}

// EncodeFacilitatorRequest writes the body; payment and offer go out as received.
func EncodeFacilitatorRequest(r FacilitatorRequest) ([]byte, error) {
	payload, err := EncodePaymentPayload(r.PaymentPayload)
	if err != nil {
		return nil, fmt.Errorf("encode payment payload: %w", err)
	}
	requirements, err := EncodeRequirements(r.PaymentRequirements)
	if err != nil {
		return nil, fmt.Errorf("encode payment requirements: %w", err)
	}
	text, err := marshal(facilitatorRequestWire{r.X402Version, payload, requirements})
	return checked(text, err, ParseFacilitatorRequest)
}
