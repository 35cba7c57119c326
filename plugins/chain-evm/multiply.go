package main

// A product of a point is a chain of doublings and, wherever the factor has a digit, an addition of that multiple of the
// point. The wider the digits, the fewer they are, and the more multiples must be at hand: those of the generator are
// computed once, when the guest starts.
const (
	digitsMax      = 257
	generatorWidth = 8
	pointWidth     = 5
)

var generatorMultiples = func() (multiples [1 << (generatorWidth - 2)]point) {
	oddMultiples(multiples[:], &generator)
	return multiples
}()

// oddMultiples sets 1·p, 3·p, 5·p and so on.
func oddMultiples(multiples []point, p *point) {
	multiples[0] = *p
	var twice point
	twice.double(p)
	for i := range multiples[1:] {
		multiples[i+1] = multiples[i]
		multiples[i+1].add(&twice)
	}
}

// digitsOf writes a number in its non-adjacent form: k is the sum of digits[i]·2^i, and each digit is 0 or odd, below
// 2^(width-1), and followed by at least width-1 zeros.
func digitsOf(k number, width int) (digits [digitsMax]int8) {
	words := [5]uint64{k.w0, k.w1, k.w2, k.w3}
	carry := uint64(0)
	for i := 0; i < 256; {
		at, shift := i/64, i%64
		window := words[at] >> shift
		if window&1 == carry {
			i++
			continue
		}
		window = (window|words[at+1]<<1<<(63-shift))&(1<<width-1) + carry
		carry = window >> (width - 1)
		digits[i] = int8(int(window) - int(carry)<<width) // #nosec G115 -- width is 8 at most
		i += width
	}
	digits[256] = int8(carry) // #nosec G115 -- 0 or 1
	return digits
}

// sumOfProducts returns a·G + b·p with one chain of doublings for both (Shamir's trick).
func sumOfProducts(a, b number, p *point) (sum point) {
	aDigits, bDigits := digitsOf(a, generatorWidth), digitsOf(b, pointWidth)
	var multiples [1 << (pointWidth - 2)]point
	oddMultiples(multiples[:], p)
	for i := digitsMax - 1; i >= 0; i-- {
		sum.double(&sum)
		sum.addDigit(aDigits[i], generatorMultiples[:])
		sum.addDigit(bDigits[i], multiples[:])
	}
	return sum
}

// addDigit adds digit times the point whose odd multiples these are.
func (p *point) addDigit(digit int8, multiples []point) {
	switch {
	case digit > 0:
		p.add(&multiples[digit/2])
	case digit < 0:
		negated := multiples[-digit/2].negated()
		p.add(&negated)
	}
}
