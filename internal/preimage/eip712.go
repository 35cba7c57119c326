// Package preimage decodes, byte for byte, what a signer is asked to sign, and turns it back into the same bytes;
// it refuses every signing kind, type, token and spelling that it does not know.
//
// A chain adapter is a guest and its summary is a claim. What counts is what the signature will authorize, so
// both sides decode the preimage with this package, compare each field with the intent, and hash it themselves.
//
// # The eip712 preimage
//
// A digest cannot be decoded, so the adapter hands over what goes into it, EIP-712's two encodeData strings:
//
//	domain  keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
//	        ‖ keccak(name) ‖ keccak(version) ‖ chainId ‖ verifyingContract                     160 bytes
//	struct  TransferWithAuthorization: typeHash ‖ from ‖ to ‖ value ‖ validAfter ‖ validBefore ‖ nonce   224 bytes
//	   or   CancelAuthorization: typeHash ‖ authorizer ‖ nonce                                  96 bytes
//
// The digest is keccak(0x19 0x01 ‖ keccak(domain) ‖ keccak(struct)).
package preimage

import (
	"encoding/hex"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// KindEIP712 is the only signing kind of ABI 1: EIP-3009 authorizations under EIP-712.
const KindEIP712 = "eip712"

const (
	domainWords   = 5
	transferWords = 7
	cancelWords   = 3

	domainBytes = domainWords * wordBytes

	// TransferBytes and CancelBytes are the only two lengths an eip712 preimage can have.
	TransferBytes = domainBytes + transferWords*wordBytes
	CancelBytes   = domainBytes + cancelWords*wordBytes
)

var (
	// typeHashDomain is EIP-712's domain type with the four fields Circle's tokens use.
	typeHashDomain = mustWord("8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f")
	// typeHashTransfer and typeHashCancel are EIP-3009's; ReceiveWithAuthorization and every Permit are absent
	// because a signature over them is not a payment of the closed list.
	typeHashTransfer = mustWord("7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267")
	typeHashCancel   = mustWord("158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429")
)

func mustWord(text string) (word [wordBytes]byte) {
	if n, err := hex.Decode(word[:], []byte(text)); err != nil || n != wordBytes {
		panic("preimage: malformed constant " + text)
	}
	return word
}

// Digest returns the 32 bytes to be signed for a preimage. It checks kind, length and type hashes, so that it
// never hashes a format no signer can decode, but not the token: decode before signing.
func Digest(kind string, preimage []byte) ([32]byte, error) {
	if _, err := structTypeOf(kind, preimage); err != nil {
		return [32]byte{}, err
	}
	domain, message := Keccak256(preimage[:domainBytes]), Keccak256(preimage[domainBytes:])
	return Keccak256([]byte{0x19, 0x01}, domain[:], message[:]), nil
}

// structTypeOf returns the type hash of the struct part after checking all that does not need the token table.
func structTypeOf(kind string, preimage []byte) ([wordBytes]byte, error) {
	if kind != KindEIP712 {
		return [wordBytes]byte{}, &abi.Error{
			Code: "signing_kind_unknown", Message: fmt.Sprintf("no decoder for signing kind %.40q", kind),
			Fix: "this version of purser signs kind " + KindEIP712 + " only",
		}
	}
	if len(preimage) != TransferBytes && len(preimage) != CancelBytes {
		return [wordBytes]byte{}, invalid("length", "%d bytes, want %d (transfer) or %d (cancel)", len(preimage), TransferBytes, CancelBytes)
	}
	if got := word(preimage, 0); got != typeHashDomain {
		return [wordBytes]byte{}, invalid("domain.type_hash", "unknown type hash %x", got)
	}
	got := word(preimage, domainWords)
	want := typeHashTransfer
	if len(preimage) == CancelBytes {
		want = typeHashCancel
	}
	if got != want {
		return [wordBytes]byte{}, invalid("type_hash", "unknown type hash %x for %d bytes", got, len(preimage))
	}
	return want, nil
}

func invalid(field, format string, args ...any) *abi.Error {
	return &abi.Error{Code: "preimage_invalid", Message: fmt.Sprintf(format, args...), Where: field}
}

// word returns the preimage's 32-byte word with that index; the length is checked before.
func word(preimage []byte, index int) [wordBytes]byte {
	return [wordBytes]byte(preimage[index*wordBytes : (index+1)*wordBytes])
}
