package facilitator

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/crypto"
)

var (
	selectorPlain = crypto.Keccak256([]byte(
		"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"))[:4]
	selectorBytes = crypto.Keccak256([]byte(
		"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"))[:4]
)

// callData encodes the token call. The form follows what the payer is, not how long
// the signature is: an account with code is asked by ERC-1271 and only the bytes form
// carries what its wallet expects.
func (o order) callData(payerHasCode bool) []byte {
	value := o.value.Word()
	words := slices.Concat(addressWord(o.payer), addressWord(o.payee), value[:], uintWord(o.validAfter), uintWord(o.validBefore), o.nonce[:])
	if !payerHasCode && len(o.signature) == plainSignatureBytes {
		return slices.Concat(selectorPlain, words, uintWord(uint64(o.signature[64])), o.signature[:32], o.signature[32:64])
	}
	const signatureOffset = 7 * 32
	padding := bytes.Repeat([]byte{0}, (32-len(o.signature)%32)%32)
	return slices.Concat(selectorBytes, words, uintWord(signatureOffset), uintWord(uint64(len(o.signature))), o.signature, padding)
}
