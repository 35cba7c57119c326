package main

// point is a point of secp256k1 in Jacobian coordinates (X/Z², Y/Z³); Z = 0 is the point at infinity.
type point struct{ x, y, z number }

// generator is G (SEC 2, section 2.4.1).
var generator = point{
	x: number{0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac},
	y: number{0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465},
	z: number{1},
}

// double uses dbl-2009-l of the Explicit-Formulas Database (curve parameter a = 0).
func (p point) double() point {
	a := field.mul(p.x, p.x)
	b := field.mul(p.y, p.y)
	c := field.mul(b, b)
	sum := field.add(p.x, b)
	d := field.sub(field.sub(field.mul(sum, sum), a), c)
	d = field.add(d, d)
	e := field.add(field.add(a, a), a)
	x := field.sub(field.mul(e, e), field.add(d, d))
	c2 := field.add(c, c)
	c4 := field.add(c2, c2)
	y := field.sub(field.mul(e, field.sub(d, x)), field.add(c4, c4))
	yz := field.mul(p.y, p.z)
	return point{x, y, field.add(yz, yz)}
}

// plus uses the textbook addition; equal points double, opposite ones are infinity.
func (p point) plus(q point) point {
	if p.z.isZero() {
		return q
	}
	if q.z.isZero() {
		return p
	}
	pz2, qz2 := field.mul(p.z, p.z), field.mul(q.z, q.z)
	u1, u2 := field.mul(p.x, qz2), field.mul(q.x, pz2)
	s1, s2 := field.mul(p.y, field.mul(qz2, q.z)), field.mul(q.y, field.mul(pz2, p.z))
	if u1 == u2 {
		if s1 == s2 {
			return p.double()
		}
		return point{}
	}
	h, r := field.sub(u2, u1), field.sub(s2, s1)
	h2 := field.mul(h, h)
	h3, v := field.mul(h2, h), field.mul(u1, h2)
	x := field.sub(field.sub(field.mul(r, r), h3), field.add(v, v))
	y := field.sub(field.mul(r, field.sub(v, x)), field.mul(s1, h3))
	return point{x, y, field.mul(h, field.mul(p.z, q.z))}
}

// twoProducts returns a·P + b·Q with one chain of doublings (Shamir's trick).
func twoProducts(a number, p point, b number, q point) point {
	both := p.plus(q)
	var sum point
	for i := 255; i >= 0; i-- {
		sum = sum.double()
		switch {
		case a.bit(i) && b.bit(i):
			sum = sum.plus(both)
		case a.bit(i):
			sum = sum.plus(p)
		case b.bit(i):
			sum = sum.plus(q)
		}
	}
	return sum
}

// affine returns the coordinates of a point that is not infinity.
func (p point) affine() (x, y number) {
	inverse := field.inverse(p.z)
	square := field.mul(inverse, inverse)
	return field.mul(p.x, square), field.mul(p.y, field.mul(square, inverse))
}
