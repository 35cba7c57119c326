package x402

import (
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/purserhq/purser/abi"
)

const signatureBytesMax = 4096 // contract wallets wrap signatures; 65 is the plain case

// ExactEVMPayload is the payload of scheme "exact" on EVM networks with EIP-3009.
type ExactEVMPayload struct {
	// Signature is 65 bytes r, s, v for a plain account, more for a contract wallet.
	Signature []byte
	// Authorization is what was signed.
	Authorization Authorization
}

// Authorization is the message of EIP-3009 TransferWithAuthorization.
type Authorization struct {
	// From and To are 0x-prefixed 20-byte addresses, spelled as received.
	From, To string
	// Value is in the token's smallest unit.
	Value abi.Amount
	// ValidAfter and ValidBefore are Unix seconds, both exclusive.
	ValidAfter, ValidBefore uint64
	// Nonce is 32 bytes, chosen once per payment.
	Nonce [32]byte
}

type exactEVMWire struct {
	Signature     string            `json:"signature"`
	Authorization authorizationWire `json:"authorization"`
}

type authorizationWire struct {
	From        string     `json:"from"`
	To          string     `json:"to"`
	Value       abi.Amount `json:"value"`
	ValidAfter  abi.Amount `json:"validAfter"`
	ValidBefore abi.Amount `json:"validBefore"`
	Nonce       string     `json:"nonce"`
}

// ParseExactEVM reads PaymentPayload.Payload of scheme exact on EVM. Only the
// shape is checked: whether the signature is right is the facilitator's to say.
// Errors have code x402_signature_invalid for the signature and
// x402_payload_invalid for the rest.
func ParseExactEVM(payload json.RawMessage) (ExactEVMPayload, error) {
	f := openFields(CodePayload, payload, documentBytesMax)
	f.where = "payload"
	signature := f.text("signature")
	in := f
	if f.err == nil {
		in = readFields(CodePayload, "payload.authorization", f.members["authorization"])
	}
	a := Authorization{
		From:        in.address("from"),
		To:          in.address("to"),
		Value:       in.amount("value"),
		ValidAfter:  in.timestamp("validAfter"),
		ValidBefore: in.timestamp("validBefore"),
	}
	nonce := in.hexBytes("nonce", 32, 32)
	if in.err != nil {
		return ExactEVMPayload{}, in.err
	}
	copy(a.Nonce[:], nonce)
	decoded, ok := decodeHex(signature, 1, signatureBytesMax)
	if !ok {
		return ExactEVMPayload{}, fault(CodeSignature, "payload.signature",
			"want 0x and 1 to %d bytes in hex", signatureBytesMax)
	}
	return ExactEVMPayload{Signature: decoded, Authorization: a}, nil
}

// EncodeExactEVM writes the payload with its members in the official order.
func EncodeExactEVM(p ExactEVMPayload) (json.RawMessage, error) {
	a := p.Authorization
	text, err := marshal(exactEVMWire{"0x" + hex.EncodeToString(p.Signature), authorizationWire{
		a.From, a.To, a.Value,
		abi.NewAmount(a.ValidAfter), abi.NewAmount(a.ValidBefore), "0x" + hex.EncodeToString(a.Nonce[:]),
	}})
	return checked(text, err, func(b []byte) (ExactEVMPayload, error) { return ParseExactEVM(b) })
}

// address reads 0x and 40 hex digits and keeps the spelling, because a checksum
// is in the case of the letters.
func (f *fields) address(key string) string {
	f.hexBytes(key, 20, 20)
	return f.textOr(key)
}

func (f *fields) hexBytes(key string, bytesMin, bytesMax int) []byte {
	s := f.text(key)
	if f.err != nil {
		return nil
	}
	b, ok := decodeHex(s, bytesMin, bytesMax)
	if !ok {
		f.fail(key, "want 0x and hex digits of the right length")
	}
	return b
}

func decodeHex(s string, bytesMin, bytesMax int) ([]byte, bool) {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok || len(digits) < 2*bytesMin || len(digits) > 2*bytesMax {
		return nil, false
	}
	b, err := hex.DecodeString(digits)
	return b, err == nil
}
