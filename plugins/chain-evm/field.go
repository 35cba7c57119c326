package main

// The limbs of an element have 29 bits, so that the nine products of a column add up in 64 bits without a carry.
const (
	limbBits = 29
	limbMask = 1<<limbBits - 1
	limbs    = 9

	// 2^261 is foldLow + foldHigh·2^29 modulo p = 2^256 - 2^32 - 977.
	foldLow  = 32 * 977
	foldHigh = 256

	topBits = 24 // of limb 8, which begins at bit 232, below 2^256
)

// element is a number modulo p, least significant limb first. It may be p or more, up to 2^261 and a little: each limb is
// below limbMax, and whatever takes elements relies on no more than that. Everything here handles public data: time may
// vary with it.
//
// Methods set their receiver, which may also be an operand, like those of math/big: passing elements by value would cost
// a guest more than the arithmetic.
type element [limbs]uint64

// limbMax leaves room for what the last carries put on top of 29 bits: 9·limbMax² is below 2^62.
const limbMax = 1<<limbBits + 1<<22

// prime is p.
var prime = number{0xfffffffefffffc2f, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff}

func elementOf(n number) element {
	return element{
		n.w0 & limbMask, n.w0 >> 29 & limbMask, (n.w0>>58 | n.w1<<6) & limbMask,
		n.w1 >> 23 & limbMask, (n.w1>>52 | n.w2<<12) & limbMask,
		n.w2 >> 17 & limbMask, (n.w2>>46 | n.w3<<18) & limbMask,
		n.w3 >> 11 & limbMask, n.w3 >> 40,
	}
}

// number returns the one number below p.
func (z *element) number() number {
	top := z[8] >> topBits // times 2^256, which is 977 + 2^32
	r0 := z[0] + top*977
	r1 := z[1] + top<<3 + r0>>limbBits
	r2 := z[2] + r1>>limbBits
	r3 := z[3] + r2>>limbBits
	r4 := z[4] + r3>>limbBits
	r5 := z[5] + r4>>limbBits
	r6 := z[6] + r5>>limbBits
	r7 := z[7] + r6>>limbBits
	r8 := z[8]&(1<<topBits-1) + r7>>limbBits
	n := number{
		r0&limbMask | r1&limbMask<<29 | r2<<58, r2&limbMask>>6 | r3&limbMask<<23 | r4<<52,
		r4&limbMask>>12 | r5&limbMask<<17 | r6<<46, r6&limbMask>>18 | r7&limbMask<<11 | r8<<40,
	}
	if r8>>topBits != 0 { // once, because little more than 2^256 can be left
		n, _ = add(n, number{w0: 1<<32 + 977})
	}
	if reduced, borrow := subtract(n, prime); borrow == 0 {
		return reduced
	}
	return n
}

func (z *element) isZero() bool { return z.number().isZero() }

// The limbs of bias are those of 2^10·p, each lent 2^34 by the one above, which is more than 8·limbMax.
const (
	bias0 = 1<<34 - 977<<10
	bias1 = 1<<34 - 1<<5 - 1<<13
	bias  = 1<<34 - 1<<5 // limbs 2 to 8
)

// difference sets z to m·a - k·b; m and k are 8 at most.
func (z *element) difference(m uint64, a *element, k uint64, b *element) {
	r0 := m*a[0] + bias0 - k*b[0]
	r1 := m*a[1] + bias1 - k*b[1] + r0>>limbBits
	r2 := m*a[2] + bias - k*b[2] + r1>>limbBits
	r3 := m*a[3] + bias - k*b[3] + r2>>limbBits
	r4 := m*a[4] + bias - k*b[4] + r3>>limbBits
	r5 := m*a[5] + bias - k*b[5] + r4>>limbBits
	r6 := m*a[6] + bias - k*b[6] + r5>>limbBits
	r7 := m*a[7] + bias - k*b[7] + r6>>limbBits
	r8 := m*a[8] + bias - k*b[8] + r7>>limbBits
	h9 := r8 >> limbBits
	z[0], z[1], z[2] = r0&limbMask+h9*foldLow, r1&limbMask+h9*foldHigh, r2&limbMask
	z[3], z[4], z[5] = r3&limbMask, r4&limbMask, r5&limbMask
	z[6], z[7], z[8] = r6&limbMask, r7&limbMask, r8&limbMask
}

// multiple sets z to m·a; m is 8 at most.
func (z *element) multiple(m uint64, a *element) { z.difference(m, a, 0, a) }

// squares sets z to a^(2^n); n is not 0.
func (z *element) squares(n int, a *element) {
	z.square(a)
	for range n - 1 {
		z.square(z)
	}
}

// ones returns z to the powers whose exponents are 2, 22 and 223 ones in binary: the exponents of inverse and root are
// made of them, because p begins with 223 ones.
func (z *element) ones() (x2, x22, x223 element) {
	join := func(x *element, n int, y *element) (joined element) {
		joined.squares(n, x)
		joined.product(&joined, y)
		return joined
	}
	x2 = join(z, 1, z)
	x3 := join(&x2, 1, z)
	x6 := join(&x3, 3, &x3)
	x9 := join(&x6, 3, &x3)
	x11 := join(&x9, 2, &x2)
	x22 = join(&x11, 11, &x11)
	x44 := join(&x22, 22, &x22)
	x88 := join(&x44, 44, &x44)
	x176 := join(&x88, 88, &x88)
	x220 := join(&x176, 44, &x44)
	return x2, x22, join(&x220, 3, &x3)
}

// inverse sets z to a^(p-2), which is 1/a (Fermat), and 0 for 0.
func (z *element) inverse(a *element) {
	x1 := *a // z may be a
	x2, x22, x223 := x1.ones()
	z.squares(23, &x223)
	z.product(z, &x22)
	z.squares(5, z)
	z.product(z, &x1)
	z.squares(3, z)
	z.product(z, &x2)
	z.squares(2, z)
	z.product(z, &x1)
}

// root sets z to a^((p+1)/4), whose square is a if a has a root at all: p is 3 modulo 4.
func (z *element) root(a *element) {
	x2, x22, x223 := a.ones()
	z.squares(23, &x223)
	z.product(z, &x22)
	z.squares(6, z)
	z.product(z, &x2)
	z.squares(2, z)
}
