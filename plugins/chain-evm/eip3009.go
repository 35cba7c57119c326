package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
)

const (
	schemeExact    = "exact"
	kindEIP712     = "eip712"
	curveSecp256k1 = "secp256k1"

	wordBytes     = 32
	domainBytes   = 5 * wordBytes
	preimageBytes = 12 * wordBytes
)

var (
	typeHashDomain   = keccak256([]byte("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"))
	typeHashTransfer = keccak256([]byte("TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"))

	topicTransfer = keccak256([]byte("Transfer(address,address,uint256)"))
	topicUsed     = keccak256([]byte("AuthorizationUsed(address,bytes32)"))
	topicCanceled = keccak256([]byte("AuthorizationCanceled(address,bytes32)"))
)

// selector is the first four bytes of a function's hash (Solidity ABI).
func selector(signature string) []byte {
	hash := keccak256([]byte(signature))
	return hash[:4]
}

// token is what the signing domain is made of.
type token struct {
	network       string
	chainID       uint64
	contract      address
	name, version string
}

// authorization is the message of EIP-3009's TransferWithAuthorization.
type authorization struct {
	from, to                address
	value                   abi.Amount
	validAfter, validBefore uint64
	nonce                   [32]byte
}

func appendAmount(b []byte, a abi.Amount) []byte {
	word := a.Word()
	return append(b, word[:]...)
}

func appendUint(b []byte, n uint64) []byte {
	var word [wordBytes]byte
	putBigEndian(word[:], n)
	return append(b, word[:]...)
}

func appendAddress(b []byte, a address) []byte {
	return append(append(b, make([]byte, wordBytes-len(a))...), a[:]...)
}

// appendFields appends the six words that the signed struct and the contract call have in common.
func (a authorization) appendFields(b []byte) []byte {
	b = appendAddress(appendAddress(b, a.from), a.to)
	b = appendUint(appendUint(appendAmount(b, a.value), a.validAfter), a.validBefore)
	return append(b, a.nonce[:]...)
}

// preimage returns EIP-712's encodeData of the domain, then of the struct: what the digest is made of, in a form
// that a signer can decode.
func preimage(t token, a authorization) []byte {
	name, version := keccak256([]byte(t.name)), keccak256([]byte(t.version))
	b := make([]byte, 0, preimageBytes)
	b = append(append(append(b, typeHashDomain[:]...), name[:]...), version[:]...)
	b = appendAddress(appendUint(b, t.chainID), t.contract)
	return a.appendFields(append(b, typeHashTransfer[:]...))
}

func digestOf(preimage []byte) [32]byte {
	domain, message := keccak256(preimage[:domainBytes]), keccak256(preimage[domainBytes:])
	return keccak256([]byte{0x19, 0x01}, domain[:], message[:])
}

// signedBy reports whether the signature is the payer's, in the only form every such token takes.
func (a authorization) signedBy(t token, signature []byte) bool {
	signer, ok := recoverSigner(digestOf(preimage(t, a)), signature)
	return ok && signer == a.from
}
