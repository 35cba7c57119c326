package x402

import (
	"encoding/json"

	"github.com/purserhq/purser/abi"
)

const responseBytesMax = 64 << 10 // one facilitator answer

// VerifyResponse is a facilitator's opinion of a payment. Nothing has moved yet.
type VerifyResponse struct {
	// IsValid is the opinion.
	IsValid bool
	// InvalidReason is a code such as "invalid_exact_evm_signature"; empty when valid.
	InvalidReason string
	// InvalidMessage explains it to a person.
	InvalidMessage string
	// Payer is who would pay, as far as it could be read.
	Payer string
	// Extensions and Extra are objects kept as received, or nil.
	Extensions, Extra json.RawMessage
}

type verifyWire struct {
	IsValid        bool            `json:"isValid"`
	InvalidReason  string          `json:"invalidReason,omitempty"`
	InvalidMessage string          `json:"invalidMessage,omitempty"`
	Payer          string          `json:"payer,omitempty"`
	Extensions     json.RawMessage `json:"extensions,omitempty"`
	Extra          json.RawMessage `json:"extra,omitempty"`
}

// ParseVerifyResponse reads a facilitator's answer to /verify. Optional members
// may be null. Errors have code x402_response_invalid, x402_json_invalid or
// x402_too_large.
func ParseVerifyResponse(text []byte) (VerifyResponse, error) {
	f := openFields(CodeResponse, text, responseBytesMax)
	r := VerifyResponse{
		IsValid: f.boolean("isValid"), InvalidReason: f.textOr("invalidReason"),
		InvalidMessage: f.textOr("invalidMessage"), Payer: f.textOr("payer"),
		Extensions: f.object("extensions"), Extra: f.object("extra"),
	}
	if f.err != nil {
		return VerifyResponse{}, f.err
	}
	return r, nil
}

// EncodeVerifyResponse writes the answer with its members in the official order.
func EncodeVerifyResponse(r VerifyResponse) ([]byte, error) {
	text, err := marshal(verifyWire(r))
	return checked(text, err, ParseVerifyResponse)
}

// SettleResponse is the outcome of a settlement: a facilitator's answer and the
// payer's receipt. It is a claim; only the chain proves that value moved.
type SettleResponse struct {
	// Success says that the transfer is confirmed.
	Success bool
	// ErrorReason is a code such as "settlement_pending"; empty on success.
	ErrorReason string
	// ErrorMessage explains it to a person.
	ErrorMessage string
	// Payer is who paid.
	Payer string
	// Transaction is the transaction's hash, "" when nothing was broadcast. It is
	// filled for settlement_pending although Success is false.
	Transaction string
	// Network is where; "" when the answering party could not tell.
	Network abi.Network
	// Amount is what was charged in smallest units, "" when the scheme does not say.
	Amount string
	// Extensions and Extra are objects kept as received, or nil.
	Extensions, Extra json.RawMessage
}

type settleWire struct {
	Success      bool            `json:"success"`
	ErrorReason  string          `json:"errorReason,omitempty"`
	ErrorMessage string          `json:"errorMessage,omitempty"`
	Payer        string          `json:"payer,omitempty"`
	Transaction  string          `json:"transaction"`
	Network      abi.Network     `json:"network"`
	Amount       string          `json:"amount,omitempty"`
	Extensions   json.RawMessage `json:"extensions,omitempty"`
	Extra        json.RawMessage `json:"extra,omitempty"`
}

// ParseSettleResponse reads a facilitator's answer to /settle or the JSON of a
// PAYMENT-RESPONSE header.
func ParseSettleResponse(text []byte) (SettleResponse, error) {
	f := openFields(CodeResponse, text, responseBytesMax)
	r := SettleResponse{
		Success: f.boolean("success"), ErrorReason: f.textOr("errorReason"),
		ErrorMessage: f.textOr("errorMessage"), Payer: f.textOr("payer"), Transaction: f.text("transaction"),
		Extensions: f.object("extensions"), Extra: f.object("extra"),
	}
	if f.text("network") != "" {
		r.Network = f.network("network")
	}
	if f.textOr("amount") != "" {
		r.Amount = f.amount("amount").String()
	}
	if f.err != nil {
		return SettleResponse{}, f.err
	}
	return r, nil
}

// EncodeSettleResponse writes the outcome with its members in the official order.
func EncodeSettleResponse(r SettleResponse) ([]byte, error) {
	text, err := marshal(settleWire(r))
	return checked(text, err, ParseSettleResponse)
}
