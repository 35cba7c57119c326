package preimage

import (
	"encoding/hex"
	"math/big"

	"github.com/purserhq/purser/abi"
	"golang.org/x/crypto/sha3"
)

const (
	wordBytes             = 32
	addressBytes          = 20
	addressText           = 2 + 2*addressBytes
	uncompressedKeyBytes  = 1 + 2*wordBytes
	uncompressedKeyPrefix = 0x04
)

// Keccak256 returns the legacy Keccak-256 (not SHA3-256) of the concatenated parts, as Ethereum uses it.
func Keccak256(parts ...[]byte) [32]byte {
	hash := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		hash.Write(part) // a hash.Hash never returns an error
	}
	var sum [32]byte
	hash.Sum(sum[:0])
	return sum
}

// fieldPrime is secp256k1's p (SEC 2, section 2.4.1).
var fieldPrime, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)

// EVMAddress returns the address (0x, lower case) of a secp256k1 public key in its 65-byte uncompressed form. It
// refuses, with code public_key_invalid, a point that is not on the curve: money sent to the address of such a
// "key" is nobody's.
func EVMAddress(uncompressedPublicKey []byte) (string, error) {
	key := uncompressedPublicKey
	if len(key) != uncompressedKeyBytes || key[0] != uncompressedKeyPrefix {
		return "", &abi.Error{Code: "public_key_invalid", Message: "want the 65-byte uncompressed form, 0x04 then X and Y"}
	}
	x, y := new(big.Int).SetBytes(key[1:1+wordBytes]), new(big.Int).SetBytes(key[1+wordBytes:])
	if x.Cmp(fieldPrime) >= 0 || y.Cmp(fieldPrime) >= 0 || !onCurve(x, y) {
		return "", &abi.Error{Code: "public_key_invalid", Message: "the public key is not a point of secp256k1"}
	}
	hash := Keccak256(key[1:])
	return "0x" + hex.EncodeToString(hash[wordBytes-addressBytes:]), nil
}

// onCurve tells whether y^2 = x^3 + 7 modulo the field prime. Public keys are public: variable time is fine.
func onCurve(x, y *big.Int) bool {
	left := new(big.Int).Mul(y, y)
	right := new(big.Int).Mul(x, x)
	right.Mul(right, x).Add(right, big.NewInt(7))
	return left.Mod(left, fieldPrime).Cmp(right.Mod(right, fieldPrime)) == 0
}

// Checksum returns the EIP-55 spelling of an address given in any case, or "" when it is not 0x and 40 hex digits.
func Checksum(address string) string {
	raw, ok := parseAddress(address)
	if !ok {
		return ""
	}
	text := []byte(hex.EncodeToString(raw[:]))
	hash := Keccak256(text)
	for i, c := range text {
		nibble := hash[i/2] >> 4
		if i%2 == 1 {
			nibble = hash[i/2] & 0x0f
		}
		if c >= 'a' && nibble >= 8 {
			text[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(text)
}

func parseAddress(text string) (raw [addressBytes]byte, ok bool) {
	if len(text) != addressText || text[:2] != "0x" {
		return raw, false
	}
	_, err := hex.Decode(raw[:], []byte(text[2:]))
	return raw, err == nil
}

func formatAddress(raw []byte) string { return "0x" + hex.EncodeToString(raw) }
