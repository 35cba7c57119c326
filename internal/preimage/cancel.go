package preimage

import (
	"bytes"

	"github.com/purserhq/purser/internal/pinned"
)

// Cancel is a decoded CancelAuthorization (EIP-3009): it makes one unused nonce of the authorizer unusable.
type Cancel struct {
	Token      pinned.Token
	Authorizer string // 0x, lower case
	Nonce      [32]byte
}

// DecodeCancel reads a cancel preimage, with the errors of Decode. The caller still has to know the nonce: only
// an authorization that this side armed may be cancelled.
func DecodeCancel(kind string, preimage []byte, tokens pinned.Table) (Cancel, error) {
	structType, err := structTypeOf(kind, preimage)
	if err != nil {
		return Cancel{}, err
	}
	if structType != typeHashCancel {
		return Cancel{}, invalid("type_hash", "this preimage pays, it does not cancel an authorization")
	}
	token, err := decodeDomain(preimage, tokens)
	if err != nil {
		return Cancel{}, err
	}
	authorizer, ok := addressOf(word(preimage, domainWords+1))
	if !ok {
		return Cancel{}, invalid("authorizer", "an address has bits above its 160")
	}
	c := Cancel{Token: token, Authorizer: authorizer, Nonce: word(preimage, domainWords+2)}
	if !bytes.Equal(c.Encode(), preimage) {
		return Cancel{}, invalid("encoding", "the preimage does not re-encode to the same bytes")
	}
	return c, nil
}

// Encode returns the preimage of the cancellation. Authorizer must be an address, as DecodeCancel returns it.
func (c Cancel) Encode() []byte {
	out := append(encodeDomain(c.Token), typeHashCancel[:]...)
	out = appendAddress(out, c.Authorizer)
	return append(out, c.Nonce[:]...)
}

// CancelOf returns the cancellation of a transfer: same token, payer and nonce.
func CancelOf(t Transfer) Cancel { return Cancel{Token: t.Token, Authorizer: t.Payer, Nonce: t.Nonce} }
