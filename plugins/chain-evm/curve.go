package main

// point is a point of secp256k1 in Jacobian coordinates (X/Z², Y/Z³); Z is 0 modulo p for the point at infinity only.
type point struct{ x, y, z element }

// generator is G (SEC 2, section 2.4.1).
var generator = pointOf(
	number{0x59f2815b16f81798, 0x029bfcdb2dce28d9, 0x55a06295ce870b07, 0x79be667ef9dcbbac},
	number{0x9c47d08ffb10d4b8, 0xfd17b448a6855419, 0x5da4fbfc0e1108a8, 0x483ada7726a3c465},
)

func pointOf(x, y number) point { return point{elementOf(x), elementOf(y), element{1}} }

// double sets p to 2·q. No point but infinity doubles to infinity, because the order is odd; its Z stays 0.
func (p *point) double(q *point) {
	var y2, y4, s, m, t element
	y2.square(&q.y)
	y4.square(&y2)
	s.product(&q.x, &y2) // x·y²
	m.square(&q.x)
	m.multiple(3, &m) // 3·x²
	p.z.product(&q.y, &q.z)
	p.z.multiple(2, &p.z)
	p.x.square(&m)
	p.x.difference(1, &p.x, 8, &s)
	t.difference(4, &s, 1, &p.x)
	p.y.product(&m, &t)
	p.y.difference(1, &p.y, 8, &y4)
}

// add sets p to p + q by the textbook formulas; equal points double, opposite ones are infinity.
func (p *point) add(q *point) {
	if q.z.isZero() {
		return
	}
	if p.z.isZero() {
		*p = *q
		return
	}
	var pz2, qz2, u1, u2, s1, s2, h, r element
	pz2.square(&p.z)
	qz2.square(&q.z)
	u1.product(&p.x, &qz2)
	u2.product(&q.x, &pz2)
	s1.product(&p.y, &q.z)
	s1.product(&s1, &qz2)
	s2.product(&q.y, &p.z)
	s2.product(&s2, &pz2)
	h.difference(1, &u2, 1, &u1)
	r.difference(1, &s2, 1, &s1)
	if h.isZero() {
		if r.isZero() {
			p.double(p)
		} else {
			*p = point{}
		}
		return
	}
	var h2, h3, v, t element
	h2.square(&h)
	h3.product(&h, &h2)
	v.product(&u1, &h2)
	p.x.square(&r)
	p.x.difference(1, &p.x, 1, &h3)
	p.x.difference(1, &p.x, 2, &v)
	t.difference(1, &v, 1, &p.x)
	p.y.product(&r, &t)
	s1.product(&s1, &h3)
	p.y.difference(1, &p.y, 1, &s1)
	p.z.product(&p.z, &q.z)
	p.z.product(&p.z, &h)
}

// negated returns -p.
func (p *point) negated() point {
	n := *p
	n.y.difference(0, &n.y, 1, &n.y)
	return n
}

// affine returns the coordinates of a point that is not infinity.
func (p *point) affine() (x, y number) {
	var inverse, power, coordinate element
	inverse.inverse(&p.z)
	power.square(&inverse)
	coordinate.product(&p.x, &power)
	x = coordinate.number()
	power.product(&power, &inverse)
	coordinate.product(&p.y, &power)
	return x, coordinate.number()
}
