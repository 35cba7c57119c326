package abi

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// AmountDigitsMax is the number of decimal digits in the largest uint256.
const AmountDigitsMax = 78

// amountChunkDigits is the number of decimal digits that always fit in a word.
const amountChunkDigits = 19

// Amount is a number of the smallest unit of an asset (for USDC: millionths of
// a dollar). It is a uint256: it is comparable with ==, immutable, cannot hold
// a fraction and cannot be negative. The zero value is zero.
type Amount struct {
	// words holds the value, least significant word first.
	words [4]uint64
}

// NewAmount returns an Amount of n smallest units.
func NewAmount(n uint64) Amount { return Amount{words: [4]uint64{n}} }

// errAmount is what every arithmetic and parsing failure of an Amount matches
// with errors.Is, whatever the message.
func errAmount(code, format string, args ...any) *Error {
	return &Error{
		Code: code, Message: fmt.Sprintf(format, args...),
		Fix: "write the amount as a plain decimal integer of the asset's smallest unit, below 2^256",
	}
}

// ParseAmount reads a decimal integer: "10000". It refuses signs, exponents,
// separators, leading zeros, the empty string and anything above 2^256-1, so
// that one number has exactly one spelling.
func ParseAmount(s string) (Amount, error) {
	if s == "" || len(s) > AmountDigitsMax {
		return Amount{}, errAmount("amount_invalid", "amount has %d digits, want 1 to %d", len(s), AmountDigitsMax)
	}
	if s[0] == '0' && len(s) > 1 {
		return Amount{}, errAmount("amount_invalid", "amount %q has a leading zero", s)
	}
	var a Amount
	for rest := s; rest != ""; {
		// Digits go into one word as far as they fit, and from there into the four.
		part, scale := uint64(0), uint64(1)
		digits := rest[:min(len(rest), amountChunkDigits)]
		for i := range len(digits) {
			digit := digits[i] - '0'
			if digit > 9 {
				return Amount{}, errAmount("amount_invalid", "amount %q holds %q, want digits only", s, digits[i])
			}
			part, scale = part*10+uint64(digit), scale*10
		}
		rest = rest[len(digits):]
		if a.IsZero() {
			a = NewAmount(part)
			continue
		}
		var overflow bool
		if a, overflow = a.mulAdd(scale, part); overflow {
			return Amount{}, errAmount("amount_overflow", "amount %q is above 2^256-1", s)
		}
	}
	return a, nil
}

// mulAdd returns a*factor + term and whether it went past 256 bits.
func (a Amount) mulAdd(factor, term uint64) (sum Amount, overflow bool) {
	carry := term
	for i, w := range a.words {
		hi, lo := bits.Mul64(w, factor)
		var c uint64
		sum.words[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
	return sum, carry != 0
}

// AmountFromBytes reads a big-endian number of at most 32 bytes without a
// leading zero byte; zero is the empty slice.
func AmountFromBytes(b []byte) (Amount, error) {
	if len(b) > 32 {
		return Amount{}, errAmount("amount_overflow", "amount has %d bytes, want at most 32", len(b))
	}
	if len(b) > 0 && b[0] == 0 {
		return Amount{}, errAmount("amount_invalid", "amount bytes start with a zero byte")
	}
	var full [32]byte
	copy(full[32-len(b):], b)
	return AmountFromWord(full), nil
}

// AmountFromWord reads a 32-byte big-endian word, as the EVM stores it.
func AmountFromWord(word [32]byte) Amount {
	var a Amount
	for i := range a.words {
		a.words[i] = binary.BigEndian.Uint64(word[24-8*i:])
	}
	return a
}

// Word returns the 32-byte big-endian form.
func (a Amount) Word() [32]byte {
	var word [32]byte
	for i, w := range a.words {
		binary.BigEndian.PutUint64(word[24-8*i:], w)
	}
	return word
}

// Bytes returns the shortest big-endian form; zero is the empty slice.
func (a Amount) Bytes() []byte {
	word := a.Word()
	for i, b := range word {
		if b != 0 {
			return word[i:]
		}
	}
	return nil
}

// Add returns a+b, or an error with code amount_overflow; it never wraps.
func (a Amount) Add(b Amount) (Amount, error) {
	var sum Amount
	var carry uint64
	for i := range a.words {
		sum.words[i], carry = bits.Add64(a.words[i], b.words[i], carry)
	}
	if carry != 0 {
		return Amount{}, errAmount("amount_overflow", "%s + %s is above 2^256-1", a, b)
	}
	return sum, nil
}

// Sub returns a-b, or an error with code amount_underflow when b is larger.
func (a Amount) Sub(b Amount) (Amount, error) {
	var diff Amount
	var borrow uint64
	for i := range a.words {
		diff.words[i], borrow = bits.Sub64(a.words[i], b.words[i], borrow)
	}
	if borrow != 0 {
		return Amount{}, errAmount("amount_underflow", "%s - %s is below zero", a, b)
	}
	return diff, nil
}

// Mul returns a*factor, or an error with code amount_overflow.
func (a Amount) Mul(factor uint64) (Amount, error) {
	product, overflow := a.mulAdd(factor, 0)
	if overflow {
		return Amount{}, errAmount("amount_overflow", "%s * %d is above 2^256-1", a, factor)
	}
	return product, nil
}

// Cmp returns -1, 0 or +1 as a is below, equal to or above b.
func (a Amount) Cmp(b Amount) int {
	for i := len(a.words) - 1; i >= 0; i-- {
		if a.words[i] != b.words[i] {
			if a.words[i] < b.words[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// IsZero reports whether the amount is zero.
func (a Amount) IsZero() bool { return a == Amount{} }

// Uint64 returns the amount and true when it fits.
func (a Amount) Uint64() (uint64, bool) {
	return a.words[0], a.words[1]|a.words[2]|a.words[3] == 0
}

// divMod10e19 divides in place by 10^19, the largest power of ten in a uint64,
// and returns the remainder.
func (a *Amount) divMod10e19() (remainder uint64) {
	const tenTo19 = 10_000_000_000_000_000_000
	for i := len(a.words) - 1; i >= 0; i-- {
		a.words[i], remainder = bits.Div64(remainder, a.words[i], tenTo19)
	}
	return remainder
}

// appendDecimal appends the digits of String to b.
func (a Amount) appendDecimal(b []byte) []byte {
	if small, ok := a.Uint64(); ok {
		return strconv.AppendUint(b, small, 10)
	}
	// From the right, a word's worth of digits at a time.
	var digits [5 * amountChunkDigits]byte
	at := len(digits)
	for {
		chunk, small := a.Uint64()
		if !small {
			chunk = a.divMod10e19()
		}
		for n := 0; small && chunk > 0 || !small && n < amountChunkDigits; n++ {
			at--
			digits[at] = byte('0' + chunk%10)
			chunk /= 10
		}
		if small {
			return append(b, digits[at:]...)
		}
	}
}

// String returns the decimal digits, the only spelling ParseAmount takes.
func (a Amount) String() string {
	var digits [AmountDigitsMax]byte
	return string(a.appendDecimal(digits[:0]))
}

// MarshalText writes the decimal digits; in JSON an Amount is a string.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAmount takes.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// ParseDecimal reads a human price such as "0.05" as smallest units of an asset
// with the given number of decimals: ParseDecimal("0.05", 6) is 50000. It
// refuses more fractional digits than the asset has: money is never rounded.
func ParseDecimal(s string, decimals uint8) (Amount, error) {
	whole, fraction, hasPoint := strings.Cut(s, ".")
	if hasPoint && fraction == "" || len(fraction) > int(decimals) {
		return Amount{}, errAmount("amount_invalid", "%q needs at most %d digits after the point", s, decimals)
	}
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return Amount{}, errAmount("amount_invalid", "%q needs one plain integer before the point", s)
	}
	digits := strings.TrimLeft(whole+fraction+strings.Repeat("0", int(decimals)-len(fraction)), "0")
	if digits == "" {
		digits = "0"
	}
	return ParseAmount(digits)
}

// FormatDecimal writes the amount in whole units, without trailing zeros:
// 50000 with 6 decimals is "0.05".
func (a Amount) FormatDecimal(decimals uint8) string {
	digits := a.String()
	if missing := int(decimals) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(decimals)
	fraction := strings.TrimRight(digits[point:], "0")
	if fraction == "" {
		return digits[:point]
	}
	return digits[:point] + "." + fraction
}
