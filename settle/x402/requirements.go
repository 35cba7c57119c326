package x402

import (
	"encoding/json"

	"github.com/purserhq/purser/abi"
)

// Requirements is one way to pay: an offer of the merchant, or the payer's echo
// of it (PaymentRequirements of the specification).
type Requirements struct {
	// Scheme is how value moves, such as "exact".
	Scheme string
	// Network is the CAIP-2 chain id.
	Network abi.Network
	// Amount is in the asset's smallest unit.
	Amount abi.Amount
	// Asset is the token contract or mint, spelled as received.
	Asset string
	// PayTo is who receives, spelled as received.
	PayTo string
	// MaxTimeoutSeconds is how long a payment may stay valid; above zero.
	MaxTimeoutSeconds int64
	// Extra is the scheme's own object, or nil.
	Extra json.RawMessage
	// Raw is the text this was parsed from; nil for a value built in code.
	Raw json.RawMessage
}

type requirementsWire struct {
	Scheme            string          `json:"scheme"`
	Network           abi.Network     `json:"network"`
	Amount            abi.Amount      `json:"amount"`
	Asset             string          `json:"asset"`
	PayTo             string          `json:"payTo"`
	MaxTimeoutSeconds int64           `json:"maxTimeoutSeconds"`
	Extra             json.RawMessage `json:"extra,omitempty"`
}

// ParseRequirements reads one offer. Members it does not know stay in Raw.
// Errors have code x402_requirements_invalid, x402_json_invalid or x402_too_large.
func ParseRequirements(text []byte) (Requirements, error) {
	f := openFields(CodeRequirements, text, documentBytesMax)
	return requirementsFrom(f, text)
}

// parseRequirementsAt reads an offer inside a document checkJSON has accepted.
func parseRequirementsAt(where string, raw []byte) (Requirements, error) {
	return requirementsFrom(readFields(CodeRequirements, where, raw), raw)
}

func requirementsFrom(f *fields, raw []byte) (Requirements, error) {
	r := Requirements{
		Scheme:            f.nonEmpty("scheme"),
		Network:           f.network("network"),
		Amount:            f.amount("amount"),
		Asset:             f.nonEmpty("asset"),
		PayTo:             f.nonEmpty("payTo"),
		MaxTimeoutSeconds: f.integer("maxTimeoutSeconds"),
		Extra:             f.object("extra"),
	}
	if f.err != nil {
		return Requirements{}, f.err
	}
	r.Raw = clip(raw)
	return r, nil
}

// EncodeRequirements writes the offer: Raw as it is when set (an echo), else the
// members in the official order. Raw that disagrees with the members is an error
// with code x402_raw_stale.
func EncodeRequirements(r Requirements) ([]byte, error) {
	if r.Raw != nil {
		return rawStill(r.Raw, r, ParseRequirements)
	}
	text, err := marshal(requirementsWire{r.Scheme, r.Network, r.Amount, r.Asset, r.PayTo, r.MaxTimeoutSeconds, r.Extra})
	return checked(text, err, ParseRequirements)
}

// Matches reports whether echo is an echo of offer: every member but extra
// deep-equal and none added, and echo's extra holding everything of offer's
// (specification of version 2, measured against the official merchant).
// Values built in code are compared as they would be written.
func Matches(offer, echo Requirements) bool {
	offerText, err := EncodeRequirements(offer)
	if err != nil {
		return false
	}
	echoText, err := EncodeRequirements(echo)
	if err != nil {
		return false
	}
	offerRest, offerExtra := cutExtra(offerText)
	echoRest, echoExtra := cutExtra(echoText)
	if len(offerRest) != len(echoRest) {
		return false
	}
	for key, value := range offerRest {
		if other, ok := echoRest[key]; !ok || !equalJSON(value, other) {
			return false
		}
	}
	return offerExtra == nil || containsJSON(echoExtra, offerExtra)
}

func cutExtra(text []byte) (rest map[string]json.RawMessage, extra json.RawMessage) {
	f := readFields(CodeRequirements, "", text)
	if f.has("extra") {
		extra = f.members["extra"]
	}
	delete(f.members, "extra")
	return f.members, extra
}
