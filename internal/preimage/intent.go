package preimage

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// EntropyBytes is the length of the entropy behind a nonce.
const EntropyBytes = 32

const (
	nonceDomain = "purser.nonce.v1"
	schemeExact = "exact"
)

// Nonce returns the EIP-3009 nonce of a payment: SHA-256 over "purser.nonce.v1", the payment id's length as 8
// bytes big-endian, the payment id, and the entropy. It ties the authorization to one payment, so that both sides
// can check it, and stays unguessable to those who only know the payment id.
func Nonce(payment string, entropy []byte) [32]byte {
	data := binary.BigEndian.AppendUint64([]byte(nonceDomain), uint64(len(payment)))
	data = append(data, payment...)
	return sha256.Sum256(append(data, entropy...))
}

// Matches reports whether the transfer is what the intent asks for, and nothing more: every field, the nonce rule,
// and a validity that has begun at nowUnixS and ends within validityMaxS seconds after it. The error has code
// preimage_mismatch and names the first differing field in Where. payer is the wallet's own address.
func Matches(t Transfer, intent *abi.Intent, payer string, entropy []byte, nowUnixS, validityMaxS uint64) error {
	if intent == nil || intent.Payment == "" {
		return mismatch("payment", "a named payment", "none")
	}
	for _, field := range []struct{ name, signed, intended string }{
		{"scheme", schemeExact, intent.Scheme},
		{"network", string(t.Token.Asset.Network()), intent.Network},
		{"asset", string(t.Token.Asset), intent.Asset},
		{"payer", t.Payer, payer},
		{"payee", t.Payee, intent.Payee},
		{"amount", t.Amount.String(), intent.Amount.String()},
	} {
		if field.signed == "" || field.signed != field.intended {
			return mismatch(field.name, field.intended, field.signed)
		}
	}
	// The agent's own ceiling binds what is signed even when the intent's amount was raised to match the quote.
	if !intent.AmountMax.IsZero() && t.Amount.Cmp(intent.AmountMax) > 0 {
		return mismatch("amount_max", "at most "+intent.AmountMax.String(), t.Amount.String())
	}
	if len(entropy) != EntropyBytes {
		return mismatch("entropy", fmt.Sprintf("%d bytes", EntropyBytes), fmt.Sprintf("%d bytes", len(entropy)))
	}
	if want := Nonce(intent.Payment, entropy); t.Nonce != want {
		return mismatch("nonce", fmt.Sprintf("%x", want), fmt.Sprintf("%x", t.Nonce))
	}
	return validNow(t, nowUnixS, validityMaxS)
}

// validNow checks the window with subtractions that cannot wrap. An authorization that begins later would outlive
// the exposure it was reserved for; one that has ended would burn the payment's only digest.
func validNow(t Transfer, nowUnixS, validityMaxS uint64) error {
	if t.ValidAfter >= nowUnixS {
		return mismatch("valid_after", fmt.Sprintf("before %d", nowUnixS), fmt.Sprint(t.ValidAfter))
	}
	if t.ValidBefore <= nowUnixS || t.ValidBefore-nowUnixS > validityMaxS {
		return mismatch("valid_before", fmt.Sprintf("after %d, at most %d s later", nowUnixS, validityMaxS), fmt.Sprint(t.ValidBefore))
	}
	return nil
}

func mismatch(field, want, got string) *abi.Error {
	return &abi.Error{
		Code: "preimage_mismatch", Where: field,
		Message: fmt.Sprintf("what would be signed is not what was decided: %s is %.80q, want %.80q", field, got, want),
		Fix:     "nothing was signed; check the chain adapter, it built something else than it was asked for",
	}
}
