package preimage

import (
	"encoding/binary"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
)

// secondsMax is the largest timestamp the ABI can carry exactly (2^53-1).
const secondsMax = 1<<53 - 1

// encodeDomain returns the 160-byte encodeData of a pinned token's EIP-712 domain.
func encodeDomain(token pinned.Token) []byte {
	name, version := Keccak256([]byte(token.Name)), Keccak256([]byte(token.Version))
	out := make([]byte, 0, TransferBytes)
	out = append(out, typeHashDomain[:]...)
	out = append(out, name[:]...)
	out = append(out, version[:]...)
	out = appendUint(out, token.ChainID())
	return appendAddress(out, token.Contract())
}

// decodeDomain finds the pinned token of a domain. A chain or contract that is not pinned, or another name or
// version than the pinned one, is refused: such a signature would be for another contract than the intent's.
func decodeDomain(preimage []byte, tokens pinned.Table) (pinned.Token, error) {
	chainID, ok := uintOf(word(preimage, 3), 1<<63-1)
	if !ok {
		return pinned.Token{}, invalid("domain.chain_id", "chain id is not below 2^63")
	}
	contract, ok := addressOf(word(preimage, 4))
	if !ok {
		return pinned.Token{}, invalid("domain.verifying_contract", "an address has bits above its 160")
	}
	token, ok := tokens.ByContract(chainID, contract)
	if !ok {
		return pinned.Token{}, &abi.Error{
			Code: "token_unknown", Message: "the signing domain names a token that is not pinned",
			Where: pinnedPlace(chainID, contract), Fix: "pay with a built-in token, or have the operator declare this one on both sides",
		}
	}
	if word(preimage, 1) != Keccak256([]byte(token.Name)) {
		return pinned.Token{}, invalid("domain.name", "the domain's name is not the pinned %q", token.Name)
	}
	if word(preimage, 2) != Keccak256([]byte(token.Version)) {
		return pinned.Token{}, invalid("domain.version", "the domain's version is not the pinned %q", token.Version)
	}
	return token, nil
}

func pinnedPlace(chainID uint64, contract string) string {
	return "eip155:" + abi.NewAmount(chainID).String() + "/erc20:" + contract
}

// uintOf reads a word as a number of at most limit; ok is false above it.
func uintOf(w [wordBytes]byte, limit uint64) (uint64, bool) {
	n, ok := abi.AmountFromWord(w).Uint64()
	return n, ok && n <= limit
}

// addressOf reads an address word. Solidity ignores the upper 12 bytes in some places and reverts on them in
// others; either way they would be a second spelling of one transfer, so they must be zero.
func addressOf(w [wordBytes]byte) (string, bool) {
	if [wordBytes - addressBytes]byte(w[:wordBytes-addressBytes]) != ([wordBytes - addressBytes]byte{}) {
		return "", false
	}
	return formatAddress(w[wordBytes-addressBytes:]), true
}

func appendUint(out []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(out, make([]byte, wordBytes-8)...), n)
}

// appendAddress appends an address word; text that is no address becomes the zero address, which no decoded
// preimage of a payment equals.
func appendAddress(out []byte, text string) []byte {
	raw, _ := parseAddress(text)
	return append(append(out, make([]byte, wordBytes-addressBytes)...), raw[:]...)
}
