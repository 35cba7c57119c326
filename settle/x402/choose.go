package x402

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// The payment flows a payer can follow without doing anything different: in both
// it presents one signed payment once. Offers that name another flow are dropped,
// because what they expect of the payer is unknown (specification of version 2).
const (
	// FlowAuthorization: verify, work, settle. The default when nothing is named.
	FlowAuthorization = "authorization"
	// FlowUpfront: settle, then work.
	FlowUpfront = "upfront"
)

// Flow returns the payment flow an offer announces: extra.paymentFlow, or
// FlowAuthorization when it names none. A value that is no string is returned as
// it stands in the JSON, so it is never a known flow.
func (r Requirements) Flow() string {
	if r.Extra == nil {
		return FlowAuthorization
	}
	f := openFields(CodeRequirements, r.Extra, documentBytesMax)
	if f.err != nil {
		return "unreadable"
	}
	value, ok := f.members["paymentFlow"]
	switch {
	case !ok:
		return FlowAuthorization
	case value[0] != '"':
		return string(value)
	default:
		return f.text("paymentFlow")
	}
}

// Choose picks the offer to pay: of those supported accepts and whose flow is
// known, the first with FlowAuthorization, else the first. The error has code
// offer_unsupported and counts what was dropped.
func Choose(required PaymentRequired, supported func(Requirements) bool) (Requirements, error) {
	var fallback *Requirements
	unknownFlow := 0
	for i, offer := range required.Accepts {
		if !supported(offer) {
			continue
		}
		switch offer.Flow() {
		case FlowAuthorization:
			return offer, nil
		case FlowUpfront:
			if fallback == nil {
				fallback = &required.Accepts[i]
			}
		default:
			unknownFlow++
		}
	}
	if fallback != nil {
		return *fallback, nil
	}
	return Requirements{}, &abi.Error{
		Code: "offer_unsupported", Message: fmt.Sprintf(
			"none of %d offers can be paid: %d unreadable, %d with an unknown payment flow, the rest on schemes, networks or assets that are not set up",
			len(required.Accepts)+len(required.Skipped), len(required.Skipped), unknownFlow),
		Fix: "set up one of the networks and assets the merchant accepts",
	}
}
