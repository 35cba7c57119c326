package evm

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

// Address is a 20-byte account or contract. The zero value is nobody.
type Address [20]byte

// Hash is 32 bytes: a block hash, a transaction hash or an EIP-3009 nonce.
type Hash [32]byte

// ParseAddress reads 0x and 40 hex digits in any case. The EIP-55 checksum in
// the case of the letters is not checked: peers send all-lower-case addresses.
func ParseAddress(s string) (Address, error) {
	var a Address
	if err := decodeFixed(a[:], s); err != nil {
		return Address{}, &abi.Error{
			Code: "address_invalid", Message: fmt.Sprintf("%.64q is not an address", s),
			Fix: "write 0x and 40 hex digits", Cause: err,
		}
	}
	return a, nil
}

// ParseHash reads 0x and 64 hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if err := decodeFixed(h[:], s); err != nil {
		return Hash{}, &abi.Error{
			Code: "hash_invalid", Message: fmt.Sprintf("%.80q is not a 32-byte hash", s),
			Fix: "write 0x and 64 hex digits", Cause: err,
		}
	}
	return h, nil
}

// String returns 0x and lower-case hex, the spelling abi.Asset uses.
func (a Address) String() string { return "0x" + hex.EncodeToString(a[:]) }

// String returns 0x and lower-case hex.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// MarshalText writes what String returns.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAddress takes.
func (a *Address) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAddress(string(text))
	return err
}

// MarshalText writes what String returns.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHash takes.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// decodeFixed fills dst from 0x-prefixed hex of exactly its length.
func decodeFixed(dst []byte, s string) error {
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok || len(digits) != 2*len(dst) {
		return fmt.Errorf("want 0x and %d hex digits", 2*len(dst))
	}
	if _, err := hex.Decode(dst, []byte(digits)); err != nil {
		return fmt.Errorf("decode hex: %w", err)
	}
	return nil
}
