package x402

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/purserhq/purser/abi"
)

// The reasons a merchant gives in the error member of a 402, as the official
// packages spell them.
const (
	reasonNone        = "Payment required"
	reasonNoMatch     = "No matching payment requirements"
	reasonEcho        = "extension_echo_mismatch"
	reasonShape       = "invalid_payload"
	reasonSignature   = "invalid_exact_evm_signature"
	reasonValidBefore = "invalid_exact_evm_payload_authorization_valid_before"
	reasonNonceUsed   = "invalid_exact_evm_nonce_already_used"
	reasonAllowance   = "permit2_allowance_required"
)

// admitted is a payment that has the right shape for one of the offers. Nothing
// says yet that it is worth anything.
type admitted struct {
	request FacilitatorRequest
	claim   Claim
}

// admit reads the payment header without asking anybody. reason is set when the
// answer is a 402.
func (m *Merchant) admit(h http.Header) (a admitted, reason string) {
	payment, reason := readPayment(h)
	if reason != "" {
		return admitted{}, reason
	}
	for i, offer := range m.offers {
		if !Matches(offer, payment.Accepted) {
			continue
		}
		if !extensionsEcho(m.config.Extensions, payment.Extensions) {
			return admitted{}, reasonEcho
		}
		return m.admitExact(payment, offer, m.assets[i])
	}
	return admitted{}, reasonNoMatch
}

// readPayment answers every malformed header as the official merchant does: like
// no header at all, unless the version or the echo is what is wrong.
func readPayment(h http.Header) (PaymentPayload, string) {
	value, present, err := OneHeader(h, HeaderSignature)
	if err != nil || !present {
		return PaymentPayload{}, reasonNone
	}
	text, err := DecodeHeader(value)
	if err != nil {
		return PaymentPayload{}, reasonNone
	}
	payment, err := ParsePaymentPayload(text)
	var refused *abi.Error
	if err == nil {
		return payment, ""
	}
	if !errors.As(err, &refused) {
		return PaymentPayload{}, reasonNone
	}
	switch refused.Code {
	case CodeVersion:
		if strings.HasSuffix(refused.Message, ": 1") {
			return PaymentPayload{}, reasonNoMatch
		}
		return PaymentPayload{}, refused.Message
	case CodeRequirements:
		return PaymentPayload{}, reasonNoMatch
	case CodePayload:
		if refused.Where != "" {
			return PaymentPayload{}, reasonShape
		}
		// Not an object at all: null reads like no header, other values like an object
		// without a version.
		if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
			return PaymentPayload{}, reasonNone
		}
		return PaymentPayload{}, "Unsupported x402 version: undefined"
	default:
		return PaymentPayload{}, reasonNone
	}
}

func (m *Merchant) admitExact(payment PaymentPayload, offer Requirements, asset abi.Asset) (admitted, string) {
	exact, err := ParseExactEVM(payment.Payload)
	switch {
	case abi.CodeOf(err) == CodeSignature:
		return admitted{}, reasonSignature
	case err != nil:
		return admitted{}, reasonShape
	}
	now := m.config.Now()
	// Official merchants take a validBefore ten years ahead. Such a signature stays
	// a cheque on the payer's account long after this request is forgotten.
	latest := now.Unix() + offer.MaxTimeoutSeconds + int64(m.config.ClockSkew.Seconds())
	if latest < 0 || exact.Authorization.ValidBefore > uint64(latest) {
		return admitted{}, reasonValidBefore
	}
	return admitted{
		request: FacilitatorRequest{X402Version: Version, PaymentPayload: payment, PaymentRequirements: offer},
		claim: Claim{
			Key: ClaimKey{
				Asset: asset, Payer: strings.ToLower(exact.Authorization.From),
				Nonce: exact.Authorization.Nonce,
			},
			Payment:     sha256.Sum256(payment.Raw),
			ValidBefore: exact.Authorization.ValidBefore,
			At:          now,
		},
	}, ""
}

// extensionsEcho reports whether every advertised extension the payer sends back
// holds the merchant's info. Keys never advertised are ignored.
func extensionsEcho(advertised, sent []byte) bool {
	if advertised == nil || sent == nil {
		return true
	}
	ours := readFields(CodePayload, "extensions", advertised)
	theirs := readFields(CodePayload, "extensions", sent)
	for key := range theirs.members {
		if !ours.has(key) {
			continue
		}
		want := readFields(CodePayload, key, ours.members[key]).object("info")
		echo := readFields(CodePayload, key, theirs.members[key])
		if want != nil && (echo.err != nil || !containsJSON(echo.members["info"], want)) {
			return false
		}
	}
	return true
}

// requestHash binds a payment to method, URL and body. Every part is preceded by
// its length, so that moving a byte from one part to the next changes the hash.
func requestHash(method, url string, body []byte) (sum [32]byte) {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(method), []byte(url), body} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	h.Sum(sum[:0])
	return sum
}

// resourceURL is the public address of a request, with its query.
func (m *Merchant) resourceURL(r *http.Request) string { return m.config.Origin + r.URL.RequestURI() }

// requiredHeader writes the PAYMENT-REQUIRED header for one address.
func (m *Merchant) requiredHeader(uri, reason string) (string, error) {
	text, err := EncodePaymentRequired(PaymentRequired{
		X402Version: Version, Error: reason,
		Resource: Resource{URL: m.config.Origin + uri, Description: m.config.Description, MimeType: m.config.MimeType},
		Accepts:  m.offers, Extensions: m.config.Extensions,
	})
	if err != nil {
		return "", fmt.Errorf("write the offer: %w", err)
	}
	return EncodeHeader(text)
}
