package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// payloadJSON writes the x402 `payload` member as the official client does: addresses in EIP-55 spelling, numbers
// as decimal strings, the nonce as 32 bytes of hex.
func payloadJSON(a authorization, signature []byte) []byte {
	return []byte(`{"signature":"` + hexText(signature) +
		`","authorization":{"from":"` + a.from.checksum() +
		`","to":"` + a.to.checksum() +
		`","value":"` + a.value.String() +
		`","validAfter":"` + decimal(a.validAfter) +
		`","validBefore":"` + decimal(a.validBefore) +
		`","nonce":"` + hexText(a.nonce[:]) + `"}}`)
}

// payload is a payer's claim.
type payload struct {
	authorization authorization
	signature     []byte
}

// parsePayload reads a payload from anybody. Members it does not know are left alone, as the official facilitator
// does, but nothing it needs may be missing, repeated or of another type.
func parsePayload(document []byte) (payload, *abi.Rejection) {
	root, ok := parseJSON(document)
	if !ok || root.kind != jsonObject {
		return payload{}, chain.Reject("payload_invalid", "payload", "the payload is not a JSON object of plain size")
	}
	var p payload
	if p.signature, ok = parseHex(root.member("signature").text()); !ok {
		return payload{}, chain.Reject("payload_invalid", "payload.signature", "want 0x and hex digits in a string")
	}
	fields := root.member("authorization")
	a := &p.authorization
	for _, field := range []struct {
		name string
		read func(string) bool
	}{
		{"from", func(s string) (ok bool) { a.from, ok = parseAddress(s); return ok }},
		{"to", func(s string) (ok bool) { a.to, ok = parseAddress(s); return ok }},
		{"value", func(s string) bool { return parseDecimal(s, &a.value) }},
		{"validAfter", func(s string) bool { return parseSeconds(s, &a.validAfter) }},
		{"validBefore", func(s string) bool { return parseSeconds(s, &a.validBefore) }},
		{"nonce", func(s string) (ok bool) { a.nonce, ok = parseWord(s); return ok }},
	} {
		if !field.read(fields.member(field.name).text()) {
			return payload{}, chain.Reject("payload_invalid", "payload.authorization."+field.name, "missing, not a string, or out of range")
		}
	}
	return p, nil
}

func parseDecimal(text string, into *abi.Amount) bool {
	amount, err := abi.ParseAmount(text)
	*into = amount
	return err == nil
}

// secondsMax is the largest number the ABI carries. A later validBefore would be legal on chain; nobody honest
// asks for it.
const secondsMax = 1<<53 - 1

func parseSeconds(text string, into *uint64) bool {
	var amount abi.Amount
	if !parseDecimal(text, &amount) {
		return false
	}
	seconds, fits := amount.Uint64()
	*into = seconds
	return fits && seconds <= secondsMax
}
