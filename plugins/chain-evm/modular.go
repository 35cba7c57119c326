package main

import "math/bits"

// number is an unsigned integer of 256 bits, least significant word first.
type number [4]uint64

// modulus is 2^256 - gap. Both secp256k1's field prime and its group order have a small gap, so one reduction,
// which replaces 2^256 by the gap, serves both. Everything here handles public data: time may vary with it.
type modulus struct{ value, gap number }

var (
	// field is p = 2^256 - 2^32 - 977 and order is n (SEC 2, section 2.4.1).
	field = modulusOf(number{0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff})
	order = modulusOf(number{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff})
)

func modulusOf(value number) modulus {
	gap, _ := subtract(number{}, value)
	return modulus{value, gap}
}

func numberFromBytes(b []byte) (n number) {
	for i := range n {
		n[i] = bigEndian(b[24-8*i : 32-8*i])
	}
	return n
}

func (n number) bytes() (b [32]byte) {
	for i, word := range n {
		putBigEndian(b[24-8*i:32-8*i], word)
	}
	return b
}

func (n number) isZero() bool { return n == number{} }

func (n number) bit(i int) bool { return n[i/64]>>(i%64)&1 == 1 }

func (n number) half() (h number) {
	for i := range n {
		h[i] = n[i] >> 1
		if i < 3 {
			h[i] |= n[i+1] << 63 // #nosec G602 -- the loop ends at the array
		}
	}
	return h
}

func add(a, b number) (sum number, carry uint64) {
	for i := range a {
		sum[i], carry = bits.Add64(a[i], b[i], carry)
	}
	return sum, carry
}

func subtract(a, b number) (difference number, borrow uint64) {
	for i := range a {
		difference[i], borrow = bits.Sub64(a[i], b[i], borrow)
	}
	return difference, borrow
}

// less reports a < b.
func less(a, b number) bool {
	_, borrow := subtract(a, b)
	return borrow == 1
}

// add, sub, mul, power take and return numbers below the modulus.
func (m modulus) add(a, b number) number {
	sum, carry := add(a, b)
	if reduced, borrow := subtract(sum, m.value); carry == 1 || borrow == 0 {
		return reduced
	}
	return sum
}

func (m modulus) sub(a, b number) number {
	difference, borrow := subtract(a, b)
	if borrow == 1 {
		difference, _ = add(difference, m.value)
	}
	return difference
}

func (m modulus) mul(a, b number) number {
	low, high := multiply(a, b)
	// Each turn replaces high·2^256 by high·gap, which is shorter by at least 127 bits; four turns suffice.
	for !high.isZero() {
		foldedLow, foldedHigh := multiply(m.gap, high) // in this order: the zero words of the gap cost nothing
		var carry uint64
		low, carry = add(low, foldedLow)
		high, _ = add(foldedHigh, number{carry})
	}
	if !less(low, m.value) {
		low, _ = subtract(low, m.value)
	}
	return low
}

func multiply(a, b number) (low, high number) {
	var product [8]uint64
	for i, x := range a {
		if x == 0 {
			continue
		}
		var carry uint64
		for j, y := range b {
			h, l := bits.Mul64(x, y)
			var c uint64
			l, c = bits.Add64(l, carry, 0)
			h += c
			product[i+j], c = bits.Add64(product[i+j], l, 0)
			carry = h + c
		}
		product[i+4] = carry
	}
	return number(product[:4]), number(product[4:])
}

func (m modulus) power(base, exponent number) number {
	result := number{1}
	for i := 255; i >= 0; i-- {
		result = m.mul(result, result)
		if exponent.bit(i) {
			result = m.mul(result, base)
		}
	}
	return result
}

// inverse is Fermat's: both moduli are prime. The inverse of zero is zero.
func (m modulus) inverse(a number) number {
	exponent, _ := subtract(m.value, number{2})
	return m.power(a, exponent)
}

// root returns a square root in the field, which exists only when its square is a again: p is 3 modulo 4.
func root(a number) number {
	exponent, _ := add(field.value, number{1})
	return field.power(a, exponent.half().half())
}
