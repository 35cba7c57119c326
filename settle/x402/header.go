package x402

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Version is the only protocol version this package reads and writes.
const Version = 2

// The headers of protocol version 2 (x402 specification, HTTP transport).
const (
	// HeaderRequired carries a PaymentRequired from merchant to payer on 402 and 412.
	HeaderRequired = "PAYMENT-REQUIRED"
	// HeaderSignature carries a PaymentPayload from payer to merchant.
	HeaderSignature = "PAYMENT-SIGNATURE"
	// HeaderResponse carries a SettleResponse from merchant to payer.
	HeaderResponse = "PAYMENT-RESPONSE"
	// headerV1Payment is the payment header of version 1, refused on requests that should be unpaid.
	headerV1Payment = "X-PAYMENT"
)

const (
	headerInBytesMax  = 16 << 10 // what Node servers answer 431 above
	headerOutBytesMax = 8 << 10  // what common proxies still pass
	documentBytesMax  = headerInBytesMax / 4 * 3
)

// DecodeHeader reads the JSON text of a header value: base64 in the standard
// alphabet, padding optional. It refuses the URL-safe alphabet, white space
// (which Go's decoder would skip), commas (two headers folded into one), non-zero
// trailing bits and more than 16 KiB, all with code x402_header_invalid.
// The result is not yet checked as JSON.
func DecodeHeader(value string) ([]byte, error) {
	if value == "" || len(value) > headerInBytesMax {
		return nil, fault(CodeHeader, "", "header of %d bytes, want 1 to %d", len(value), headerInBytesMax)
	}
	body := strings.TrimRight(value, "=")
	if body == "" || len(value)-len(body) > 2 || strings.ContainsFunc(body, notBase64) {
		return nil, fault(CodeHeader, "", "header is not standard base64")
	}
	text, err := base64.RawStdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, fault(CodeHeader, "", "header is not standard base64")
	}
	return text, nil
}

func notBase64(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '+' && r != '/'
}

// EncodeHeader writes JSON text as a header value: padded standard base64 of at
// most 8 KiB. Larger is an error with code x402_too_large, because a proxy on the
// way would drop the header and with it the payment.
func EncodeHeader(text []byte) (string, error) {
	if n := base64.StdEncoding.EncodedLen(len(text)); n > headerOutBytesMax {
		return "", fault(CodeTooLarge, "", "header of %d bytes, at most %d are sent", n, headerOutBytesMax)
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

// OneHeader returns the only value of a header; present is false when there is
// none. Two lines are an error with code x402_header_invalid: proxies and servers
// disagree on which of them counts.
func OneHeader(h http.Header, name string) (value string, present bool, err error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", true, fault(CodeHeader, name, "%d header lines, want one", len(values))
	}
}
