package x402

import (
	"encoding/json"
	"fmt"
)

const acceptsMax = 32 // offers in one 402

// Resource names what is paid for. The merchant asserts it and nothing proves
// it: a payer must judge by the origin it connected to, and must not show
// Description to a language model unquoted.
type Resource struct {
	// URL is the request's address with its query; never empty on the wire.
	URL string
	// Description is for people; empty when unset.
	Description string
	// MimeType is the type of the paid body; empty when unset.
	MimeType string
}

// PaymentRequired is a merchant's 402: what is sold and the ways to pay for it.
type PaymentRequired struct {
	// X402Version is 2.
	X402Version int
	// Error says why the request was not accepted as paid.
	Error string
	// Resource is what is sold.
	Resource Resource
	// Accepts holds the readable offers, in the merchant's order.
	Accepts []Requirements
	// Extensions is the map of extension key to {info, schema}, or nil.
	Extensions json.RawMessage
	// Skipped says which offers could not be read and why. One offer on a network
	// or in a form nobody here knows must not hide the others.
	Skipped []error
	// Raw is the text this was parsed from; nil for a value built in code.
	Raw json.RawMessage
}

// requiredWire always writes description and mimeType, like the official merchant.
type requiredWire struct {
	X402Version int               `json:"x402Version"`
	Error       string            `json:"error,omitempty"`
	Resource    resourceWire      `json:"resource"`
	Accepts     []json.RawMessage `json:"accepts"`
	Extensions  json.RawMessage   `json:"extensions,omitempty"`
}

type resourceWire struct {
	URL         string `json:"url"`
	Description string `json:"description"`
	MimeType    string `json:"mimeType"`
}

// ParsePaymentRequired reads the JSON of a PAYMENT-REQUIRED header. It wants at
// least one readable offer; with none the error is the first offer's.
func ParsePaymentRequired(text []byte) (PaymentRequired, error) {
	f := openFields(CodeRequirements, text, documentBytesMax)
	p := PaymentRequired{X402Version: f.version(), Error: f.textOr("error"), Extensions: f.object("extensions")}
	p.Resource = f.resource("resource")
	offers := f.array("accepts", acceptsMax)
	if len(offers) == 0 {
		f.fail("accepts", "want at least one offer")
	}
	if f.err != nil {
		return PaymentRequired{}, f.err
	}
	for i, raw := range offers {
		offer, err := parseRequirementsAt(fmt.Sprintf("accepts[%d]", i), raw)
		if err != nil {
			p.Skipped = append(p.Skipped, err)
			continue
		}
		p.Accepts = append(p.Accepts, offer)
	}
	if len(p.Accepts) == 0 {
		return PaymentRequired{}, p.Skipped[0]
	}
	p.Raw = clip(text)
	return p, nil
}

func (f *fields) resource(key string) Resource {
	if f.err != nil {
		return Resource{}
	}
	in := readFields(f.code, place(f.where, key), f.members[key])
	r := Resource{URL: in.nonEmpty("url"), Description: in.textOr("description"), MimeType: in.textOr("mimeType")}
	if in.err != nil {
		f.adopt(in.err)
	}
	return r
}

// EncodePaymentRequired writes the JSON of a PAYMENT-REQUIRED header: Raw as it
// is when set, else the members in the official order.
func EncodePaymentRequired(p PaymentRequired) ([]byte, error) {
	if p.Raw != nil {
		return rawStill(p.Raw, p, ParsePaymentRequired)
	}
	wire := requiredWire{
		X402Version: p.X402Version, Error: p.Error, Resource: resourceWire(p.Resource),
		Accepts: []json.RawMessage{}, Extensions: p.Extensions,
	}
	for i, offer := range p.Accepts {
		raw, err := EncodeRequirements(offer)
		if err != nil {
			return nil, fmt.Errorf("encode accepts[%d]: %w", i, err)
		}
		wire.Accepts = append(wire.Accepts, raw)
	}
	text, err := marshal(wire)
	return checked(text, err, ParsePaymentRequired)
}
