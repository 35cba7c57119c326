package evm

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

const quantityDigitsMax = 64 // hex digits of a uint256

var errNotHex = errors.New("not a 0x-prefixed hex string")

// hexDigits returns the digits of a JSON string "0x…".
func hexDigits(raw json.RawMessage) (string, error) {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", errNotHex
	}
	digits, ok := strings.CutPrefix(s, "0x")
	if !ok {
		return "", errNotHex
	}
	return digits, nil
}

// amountOf reads a quantity: hex without leading zeros, at most 256 bits.
func amountOf(raw json.RawMessage) (abi.Amount, error) {
	digits, err := hexDigits(raw)
	if err != nil {
		return abi.Amount{}, err
	}
	if len(digits) == 0 || len(digits) > quantityDigitsMax || len(digits) > 1 && digits[0] == '0' {
		return abi.Amount{}, fmt.Errorf("quantity has %d digits, or leading zeros", len(digits))
	}
	if digits == "0" {
		return abi.Amount{}, nil
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return abi.Amount{}, errNotHex
	}
	return abi.AmountFromBytes(b)
}

// uint64Of reads a quantity that must fit 64 bits.
func uint64Of(raw json.RawMessage) (uint64, error) {
	a, err := amountOf(raw)
	if err != nil {
		return 0, err
	}
	n, ok := a.Uint64()
	if !ok {
		return 0, errors.New("quantity is above 64 bits")
	}
	return n, nil
}

// dataOf reads a byte string of any length the transport let through.
func dataOf(raw json.RawMessage) ([]byte, error) {
	digits, err := hexDigits(raw)
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errNotHex
	}
	return b, nil
}

// quantity writes a number the way nodes take it.
func quantity(n uint64) string { return fmt.Sprintf("0x%x", n) }

// isNull reports JSON null or nothing: a node's way of saying "no such thing".
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
