package main

import "math/bits"

// number is an unsigned integer of 256 bits, least significant word first. Its words are fields, not an array, because
// the compiler keeps the fields of a struct this small in locals, and a guest pays for each load and store.
type number struct{ w0, w1, w2, w3 uint64 }

// modulus is a prime of the form 2^256 - gap with a small gap, so that a reduction may replace 2^256 by the gap.
// Everything here handles public data: time may vary with it.
type modulus struct{ value, gap number }

// order is n, the number of points (SEC 2, section 2.4.1).
var order = modulusOf(number{0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff})

func modulusOf(value number) modulus {
	gap, _ := subtract(number{}, value)
	return modulus{value, gap}
}

func numberFromBytes(b []byte) number {
	return number{bigEndian(b[24:32]), bigEndian(b[16:24]), bigEndian(b[8:16]), bigEndian(b[:8])}
}

func (n number) bytes() (b [32]byte) {
	putBigEndian(b[24:], n.w0)
	putBigEndian(b[16:24], n.w1)
	putBigEndian(b[8:16], n.w2)
	putBigEndian(b[:8], n.w3)
	return b
}

func (n number) isZero() bool { return n.w0|n.w1|n.w2|n.w3 == 0 }

func (n number) isOdd() bool { return n.w0&1 == 1 }

func (n number) half() number {
	return number{n.w0>>1 | n.w1<<63, n.w1>>1 | n.w2<<63, n.w2>>1 | n.w3<<63, n.w3 >> 1}
}

func add(a, b number) (sum number, carry uint64) {
	sum.w0, carry = bits.Add64(a.w0, b.w0, 0)
	sum.w1, carry = bits.Add64(a.w1, b.w1, carry)
	sum.w2, carry = bits.Add64(a.w2, b.w2, carry)
	sum.w3, carry = bits.Add64(a.w3, b.w3, carry)
	return sum, carry
}

func subtract(a, b number) (difference number, borrow uint64) {
	difference.w0, borrow = bits.Sub64(a.w0, b.w0, 0)
	difference.w1, borrow = bits.Sub64(a.w1, b.w1, borrow)
	difference.w2, borrow = bits.Sub64(a.w2, b.w2, borrow)
	difference.w3, borrow = bits.Sub64(a.w3, b.w3, borrow)
	return difference, borrow
}

// less reports a < b.
func less(a, b number) bool {
	_, borrow := subtract(a, b)
	return borrow == 1
}

// reduce takes a number below twice the modulus, as every number is.
func (m modulus) reduce(a number) number {
	if reduced, borrow := subtract(a, m.value); borrow == 0 {
		return reduced
	}
	return a
}

// sub, mul, inverse take and return numbers below the modulus.
func (m modulus) sub(a, b number) number {
	difference, borrow := subtract(a, b)
	if borrow == 1 {
		difference, _ = add(difference, m.value)
	}
	return difference
}

func (m modulus) mul(a, b number) number {
	low, high := multiply(a, b)
	// Each turn replaces high·2^256 by high·gap, which is shorter by at least 126 bits; four turns suffice.
	for !high.isZero() {
		foldedLow, foldedHigh := multiply(high, m.gap)
		var carry uint64
		low, carry = add(low, foldedLow)
		high, _ = add(foldedHigh, number{w0: carry})
	}
	return m.reduce(low)
}

func multiply(a, b number) (low, high number) {
	low.w0, high = addProduct(number{}, a.w0, b)
	low.w1, high = addProduct(high, a.w1, b)
	low.w2, high = addProduct(high, a.w2, b)
	low.w3, high = addProduct(high, a.w3, b)
	return low, high
}

// addProduct returns sum + x·b: its lowest word and the four above.
func addProduct(sum number, x uint64, b number) (lowest uint64, above number) {
	var low, high [4]uint64
	high[0], low[0] = bits.Mul64(x, b.w0)
	high[1], low[1] = bits.Mul64(x, b.w1)
	high[2], low[2] = bits.Mul64(x, b.w2)
	high[3], low[3] = bits.Mul64(x, b.w3)
	sum, carry := add(sum, number{low[0], low[1], low[2], low[3]})
	above, _ = add(number{sum.w1, sum.w2, sum.w3, carry}, number{high[0], high[1], high[2], high[3]})
	return sum.w0, above
}

// half returns a/2.
func (m modulus) half(a number) number {
	if !a.isOdd() {
		return a.half()
	}
	sum, carry := add(a, m.value)
	sum = sum.half()
	sum.w3 |= carry << 63
	return sum
}

// inverse runs Euclid's algorithm on bits: x·a = u and y·a = v hold throughout, and u and v shrink until one is 1. The
// inverse of zero is zero.
func (m modulus) inverse(a number) number {
	if a.isZero() {
		return a
	}
	u, v := a, m.value
	x, y := number{w0: 1}, number{}
	for {
		for !u.isOdd() {
			u, x = u.half(), m.half(x)
		}
		for !v.isOdd() {
			v, y = v.half(), m.half(y)
		}
		difference, borrow := subtract(u, v)
		switch {
		case difference.isZero(): // u = v = 1, since m is prime
			return x
		case borrow == 0:
			u, x = difference, m.sub(x, y)
		default:
			v, _ = subtract(v, u)
			y = m.sub(y, x)
		}
	}
}
