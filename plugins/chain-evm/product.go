package main

// variables hold constants that the compiler must not know: it would merge all uses of one, schedule it at the last, and
// with it everything that waits for the first: a quarter more instructions, which spill and reload half-made columns.
var variables = struct{ mask, low, high uint64 }{limbMask, foldLow, foldHigh}

// A product is spelled out by columns, h and r, so that the compiler keeps their sums in locals. First come the columns
// from 2^261 on, carried into limbs of 29 bits, then the nine below, into which they fold. What the last column carries
// is below 2^39 and folds once more, after which a carry from limb 1 is below 2^18.

// product sets z to a·b.
func (z *element) product(a, b *element) {
	mask, low, high := variables.mask, variables.low, variables.high
	a0, a1, a2, a3, a4, a5, a6, a7, a8 := a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]
	b0, b1, b2, b3, b4, b5, b6, b7, b8 := b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8]
	h9 := a1*b8 + a2*b7 + a3*b6 + a4*b5 + a5*b4 + a6*b3 + a7*b2 + a8*b1
	h10 := h9>>limbBits + a2*b8 + a3*b7 + a4*b6 + a5*b5 + a6*b4 + a7*b3 + a8*b2
	h9 &= mask
	h11 := h10>>limbBits + a3*b8 + a4*b7 + a5*b6 + a6*b5 + a7*b4 + a8*b3
	h10 &= mask
	h12 := h11>>limbBits + a4*b8 + a5*b7 + a6*b6 + a7*b5 + a8*b4
	h11 &= mask
	h13 := h12>>limbBits + a5*b8 + a6*b7 + a7*b6 + a8*b5
	h12 &= mask
	h14 := h13>>limbBits + a6*b8 + a7*b7 + a8*b6
	h13 &= mask
	h15 := h14>>limbBits + a7*b8 + a8*b7
	h14 &= mask
	h16 := h15>>limbBits + a8*b8
	h15 &= mask
	h17 := h16 >> limbBits
	h16 &= mask
	r0 := a0*b0 + h9*low
	r1 := r0>>limbBits + a0*b1 + a1*b0 + h10*low + h9*high
	r0 &= mask
	r2 := r1>>limbBits + a0*b2 + a1*b1 + a2*b0 + h11*low + h10*high
	r1 &= mask
	r3 := r2>>limbBits + a0*b3 + a1*b2 + a2*b1 + a3*b0 + h12*low + h11*high
	r2 &= mask
	r4 := r3>>limbBits + a0*b4 + a1*b3 + a2*b2 + a3*b1 + a4*b0 + h13*low + h12*high
	r3 &= mask
	r5 := r4>>limbBits + a0*b5 + a1*b4 + a2*b3 + a3*b2 + a4*b1 + a5*b0 + h14*low + h13*high
	r4 &= mask
	r6 := r5>>limbBits + a0*b6 + a1*b5 + a2*b4 + a3*b3 + a4*b2 + a5*b1 + a6*b0 + h15*low + h14*high
	r5 &= mask
	r7 := r6>>limbBits + a0*b7 + a1*b6 + a2*b5 + a3*b4 + a4*b3 + a5*b2 + a6*b1 + a7*b0 + h16*low + h15*high
	r6 &= mask
	r8 := r7>>limbBits + a0*b8 + a1*b7 + a2*b6 + a3*b5 + a4*b4 + a5*b3 + a6*b2 + a7*b1 + a8*b0 + h17*low + h16*high
	r7 &= mask
	h9 = r8>>limbBits + h17*high
	r0 += h9 * low
	r1 += h9*high + r0>>limbBits
	z[0], z[1], z[2], z[3], z[4] = r0&mask, r1&mask, r2+r1>>limbBits, r3, r4
	z[5], z[6], z[7], z[8] = r5, r6, r7, r8&mask
}

// square sets z to a·a. The product of two different limbs counts twice, so one of them is doubled first.
func (z *element) square(a *element) {
	mask, low, high := variables.mask, variables.low, variables.high
	a0, a1, a2, a3, a4, a5, a6, a7, a8 := a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]
	d0, d1, d2, d3, d4, d5, d6, d7 := 2*a0, 2*a1, 2*a2, 2*a3, 2*a4, 2*a5, 2*a6, 2*a7
	h9 := d1*a8 + d2*a7 + d3*a6 + d4*a5
	h10 := h9>>limbBits + d2*a8 + d3*a7 + d4*a6 + a5*a5
	h9 &= mask
	h11 := h10>>limbBits + d3*a8 + d4*a7 + d5*a6
	h10 &= mask
	h12 := h11>>limbBits + d4*a8 + d5*a7 + a6*a6
	h11 &= mask
	h13 := h12>>limbBits + d5*a8 + d6*a7
	h12 &= mask
	h14 := h13>>limbBits + d6*a8 + a7*a7
	h13 &= mask
	h15 := h14>>limbBits + d7*a8
	h14 &= mask
	h16 := h15>>limbBits + a8*a8
	h15 &= mask
	h17 := h16 >> limbBits
	h16 &= mask
	r0 := a0*a0 + h9*low
	r1 := r0>>limbBits + d0*a1 + h10*low + h9*high
	r0 &= mask
	r2 := r1>>limbBits + d0*a2 + a1*a1 + h11*low + h10*high
	r1 &= mask
	r3 := r2>>limbBits + d0*a3 + d1*a2 + h12*low + h11*high
	r2 &= mask
	r4 := r3>>limbBits + d0*a4 + d1*a3 + a2*a2 + h13*low + h12*high
	r3 &= mask
	r5 := r4>>limbBits + d0*a5 + d1*a4 + d2*a3 + h14*low + h13*high
	r4 &= mask
	r6 := r5>>limbBits + d0*a6 + d1*a5 + d2*a4 + a3*a3 + h15*low + h14*high
	r5 &= mask
	r7 := r6>>limbBits + d0*a7 + d1*a6 + d2*a5 + d3*a4 + h16*low + h15*high
	r6 &= mask
	r8 := r7>>limbBits + d0*a8 + d1*a7 + d2*a6 + d3*a5 + a4*a4 + h17*low + h16*high
	r7 &= mask
	h9 = r8>>limbBits + h17*high
	r0 += h9 * low
	r1 += h9*high + r0>>limbBits
	z[0], z[1], z[2], z[3], z[4] = r0&mask, r1&mask, r2+r1>>limbBits, r3, r4
	z[5], z[6], z[7], z[8] = r5, r6, r7, r8&mask
}
