package abi

import (
	"errors"
	"math/bits"
	"strconv"
)

// amountDigitsMax is the number of decimal digits in the largest uint256.
const amountDigitsMax = 78

// amountChunkDigits is the number of decimal digits that always fit in a word.
const amountChunkDigits = 19

// Amount is a number of the smallest unit of an asset (for USDC: millionths of
// a dollar), a uint256. It is comparable with ==, immutable, cannot hold a
// fraction and cannot be negative. The zero value is zero.
type Amount struct {
	// words holds the value, least significant word first.
	words [4]uint64
}

var (
	errAmountSpelling = errors.New("amount is not a plain decimal integer below 2^256 without leading zeros")
	errAmountBytes    = errors.New("amount is not the shortest big-endian form of a uint256")
)

// NewAmount returns an Amount of n smallest units.
func NewAmount(n uint64) Amount { return Amount{words: [4]uint64{n}} }

// ParseAmount reads a decimal integer: "10000". It refuses signs, exponents,
// leading zeros, the empty string and anything above 2^256-1.
func ParseAmount(s string) (Amount, error) {
	if s == "" || len(s) > amountDigitsMax || s[0] == '0' && len(s) > 1 {
		return Amount{}, errAmountSpelling
	}
	var a Amount
	for rest := s; rest != ""; {
		// Digits go into one word as far as they fit, and from there into the four.
		part, scale := uint64(0), uint64(1)
		digits := rest[:min(len(rest), amountChunkDigits)]
		for i := range len(digits) {
			digit := digits[i] - '0'
			if digit > 9 {
				return Amount{}, errAmountSpelling
			}
			part, scale = part*10+uint64(digit), scale*10
		}
		rest = rest[len(digits):]
		if a.IsZero() {
			a = NewAmount(part)
			continue
		}
		var fits bool
		if a, fits = a.mulAdd(scale, part); !fits {
			return Amount{}, errAmountSpelling
		}
	}
	return a, nil
}

// AmountFromBytes reads a big-endian number of at most 32 bytes without a
// leading zero byte; zero is the empty slice.
func AmountFromBytes(b []byte) (Amount, error) {
	if len(b) > 32 || len(b) > 0 && b[0] == 0 {
		return Amount{}, errAmountBytes
	}
	var a Amount
	for i, c := range b {
		place := len(b) - 1 - i
		a.words[place/8] |= uint64(c) << (8 * (place % 8))
	}
	return a, nil
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

// Word returns the 32-byte big-endian form, as the EVM stores it.
func (a Amount) Word() [32]byte {
	var word [32]byte
	for i := range word {
		place := len(word) - 1 - i
		word[i] = byte(a.words[place/8] >> (8 * (place % 8))) // #nosec G115 -- one byte of the word
	}
	return word
}

func (a Amount) mulAdd(factor, term uint64) (sum Amount, fits bool) {
	carry := term
	for i, w := range a.words {
		hi, lo := bits.Mul64(w, factor)
		var c uint64
		sum.words[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
	return sum, carry == 0
}

// Add returns a+b; ok is false, and the sum zero, when it is above 2^256-1. It
// never wraps.
func (a Amount) Add(b Amount) (sum Amount, ok bool) {
	var carry uint64
	for i := range a.words {
		sum.words[i], carry = bits.Add64(a.words[i], b.words[i], carry)
	}
	if carry != 0 {
		return Amount{}, false
	}
	return sum, true
}

// Sub returns a-b; ok is false, and the difference zero, when b is larger.
func (a Amount) Sub(b Amount) (difference Amount, ok bool) {
	var borrow uint64
	for i := range a.words {
		difference.words[i], borrow = bits.Sub64(a.words[i], b.words[i], borrow)
	}
	if borrow != 0 {
		return Amount{}, false
	}
	return difference, true
}

// MulSmall returns a*factor; ok is false, and the product zero, when it is above
// 2^256-1.
func (a Amount) MulSmall(factor uint64) (product Amount, ok bool) {
	if product, ok = a.mulAdd(factor, 0); !ok {
		return Amount{}, false
	}
	return product, true
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
func (a Amount) Uint64() (n uint64, ok bool) {
	return a.words[0], a.words[1]|a.words[2]|a.words[3] == 0
}

// appendDecimal appends the digits of String to b.
func (a Amount) appendDecimal(b []byte) []byte {
	if small, ok := a.Uint64(); ok {
		return strconv.AppendUint(b, small, 10)
	}
	// From the right, a word's worth of digits at a time.
	const tenTo19 = 10_000_000_000_000_000_000
	var digits [5 * amountChunkDigits]byte
	at := len(digits)
	for {
		chunk, small := a.Uint64()
		if !small {
			chunk = 0
			for i := len(a.words) - 1; i >= 0; i-- {
				a.words[i], chunk = bits.Div64(chunk, a.words[i], tenTo19)
			}
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
	var digits [amountDigitsMax]byte
	return string(a.appendDecimal(digits[:0]))
}

// MarshalText writes the decimal digits.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAmount takes.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	*a = parsed
	return err
}
