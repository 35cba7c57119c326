package x402

import (
	"encoding/json"
	"fmt"
)

// PaymentPayload is a payment: the scheme's signed object and the echo of the
// offer it answers.
type PaymentPayload struct {
	// X402Version is 2.
	X402Version int
	// Payload is the scheme's object; for exact on EVM see ParseExactEVM.
	Payload json.RawMessage
	// Accepted is the payer's echo of the chosen offer.
	Accepted Requirements
	// Resource is the payer's echo of the resource, or nil. Nobody signs it.
	Resource json.RawMessage
	// Extensions is the payer's echo of the extensions with its additions, or nil.
	Extensions json.RawMessage
	// Raw is the text this was parsed from; nil for a value built in code.
	Raw json.RawMessage
}

// payloadWire has the order in which the official client emits the members.
type payloadWire struct {
	X402Version int             `json:"x402Version"`
	Payload     json.RawMessage `json:"payload"`
	Extensions  json.RawMessage `json:"extensions,omitempty"`
	Resource    json.RawMessage `json:"resource,omitempty"`
	Accepted    json.RawMessage `json:"accepted"`
}

// ParsePaymentPayload reads the JSON of a PAYMENT-SIGNATURE header. The scheme's
// object is only checked to be an object. Errors have code x402_json_invalid,
// x402_version_unsupported, x402_payload_invalid or x402_requirements_invalid.
func ParsePaymentPayload(text []byte) (PaymentPayload, error) {
	return payloadFrom(openFields(CodePayload, text, documentBytesMax), text)
}

func payloadFrom(f *fields, raw []byte) (PaymentPayload, error) {
	p := PaymentPayload{
		X402Version: f.version(), Payload: f.object("payload"),
		Resource: f.object("resource"), Extensions: f.object("extensions"),
	}
	if p.Payload == nil {
		f.fail("payload", "want a JSON object")
	}
	if f.err != nil {
		return PaymentPayload{}, f.err
	}
	accepted, err := parseRequirementsAt(place(f.where, "accepted"), f.members["accepted"])
	if err != nil {
		return PaymentPayload{}, err
	}
	p.Accepted, p.Raw = accepted, clip(raw)
	return p, nil
}

// EncodePaymentPayload writes the JSON of a PAYMENT-SIGNATURE header: Raw as it
// is when set, else the members in the official order.
func EncodePaymentPayload(p PaymentPayload) ([]byte, error) {
	if p.Raw != nil {
		return rawStill(p.Raw, p, ParsePaymentPayload)
	}
	accepted, err := EncodeRequirements(p.Accepted)
	if err != nil {
		return nil, fmt.Errorf("encode accepted: %w", err)
	}
	text, err := marshal(payloadWire{p.X402Version, p.Payload, p.Extensions, p.Resource, accepted})
	return checked(text, err, ParsePaymentPayload)
}
