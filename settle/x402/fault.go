package x402

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// The codes of what this package refuses to decode or encode. They are stable;
// the facilitator and the merchant map them to the reasons of the protocol.
const (
	// CodeHeader: a header is not padded standard base64, is too long or comes twice.
	CodeHeader = "x402_header_invalid"
	// CodeJSON: the text is not one strict JSON object within the limits.
	CodeJSON = "x402_json_invalid"
	// CodeVersion: x402Version is not the number 2.
	CodeVersion = "x402_version_unsupported"
	// CodeRequirements: an offer, or the echo of one, has a missing or malformed member.
	CodeRequirements = "x402_requirements_invalid"
	// CodePayload: a payment has a missing or malformed member.
	CodePayload = "x402_payload_invalid"
	// CodeSignature: the signature of a payment is not 0x-prefixed hex of a sane length.
	CodeSignature = "x402_signature_invalid"
	// CodeIncomplete: a facilitator request lacks paymentPayload or paymentRequirements.
	CodeIncomplete = "x402_request_incomplete"
	// CodeResponse: a facilitator's answer, or a receipt, has the wrong shape.
	CodeResponse = "x402_response_invalid"
	// CodeTooLarge: the peer sent, or would be sent, more bytes than the limit.
	CodeTooLarge = "x402_too_large"
	// CodeStaleRaw: the typed members of an object no longer say what its Raw says.
	CodeStaleRaw = "x402_raw_stale"
)

// fault builds the error of one malformed place.
func fault(code, where, format string, args ...any) *abi.Error {
	return &abi.Error{Code: code, Message: fmt.Sprintf(format, args...), Where: where}
}

// place joins a path and a member name: accepts[0] and amount.
func place(where, key string) string {
	switch "" {
	case where:
		return key
	case key:
		return where
	}
	return where + "." + key
}
