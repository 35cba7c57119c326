package preimage

import (
	"bytes"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
)

// Transfer is a decoded TransferWithAuthorization (EIP-3009): whoever holds its signature can move the amount
// from payer to payee once, strictly between ValidAfter and ValidBefore (unix seconds of the chain's clock).
type Transfer struct {
	Token        pinned.Token
	Payer, Payee string // 0x, lower case
	Amount       abi.Amount
	ValidAfter   uint64
	ValidBefore  uint64
	Nonce        [32]byte
}

// Decode reads a transfer preimage of the given signing kind. It returns an *abi.Error with code
// signing_kind_unknown, token_unknown, or preimage_invalid (Where names the first bad field). A cancel preimage
// is not a payment and is refused here; see DecodeCancel. The result re-encodes to exactly the same bytes.
func Decode(kind string, preimage []byte, tokens pinned.Table) (Transfer, error) {
	structType, err := structTypeOf(kind, preimage)
	if err != nil {
		return Transfer{}, err
	}
	if structType != typeHashTransfer {
		return Transfer{}, invalid("type_hash", "this preimage cancels an authorization, it does not pay")
	}
	token, err := decodeDomain(preimage, tokens)
	if err != nil {
		return Transfer{}, err
	}
	t := Transfer{Token: token, Amount: abi.AmountFromWord(word(preimage, domainWords+3)), Nonce: word(preimage, domainWords+6)}
	for _, field := range []struct {
		name  string
		index int
		into  *string
	}{{"payer", 1, &t.Payer}, {"payee", 2, &t.Payee}} {
		address, ok := addressOf(word(preimage, domainWords+field.index))
		if !ok {
			return Transfer{}, invalid(field.name, "an address has bits above its 160")
		}
		*field.into = address
	}
	for _, field := range []struct {
		name  string
		index int
		into  *uint64
	}{{"valid_after", 4, &t.ValidAfter}, {"valid_before", 5, &t.ValidBefore}} {
		seconds, ok := uintOf(word(preimage, domainWords+field.index), secondsMax)
		if !ok {
			return Transfer{}, invalid(field.name, "a timestamp is above 2^53-1 seconds")
		}
		*field.into = seconds
	}
	if !bytes.Equal(t.Encode(), preimage) {
		return Transfer{}, invalid("encoding", "the preimage does not re-encode to the same bytes")
	}
	return t, nil
}

// Encode returns the preimage of the transfer. Payer and Payee must be addresses, as Decode returns them.
func (t Transfer) Encode() []byte {
	out := append(encodeDomain(t.Token), typeHashTransfer[:]...)
	out = appendAddress(out, t.Payer)
	out = appendAddress(out, t.Payee)
	amount := t.Amount.Word()
	out = append(out, amount[:]...)
	out = appendUint(out, t.ValidAfter)
	out = appendUint(out, t.ValidBefore)
	return append(out, t.Nonce[:]...)
}
