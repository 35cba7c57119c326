package mpc

import "math/big"

// check accepts a keyshare only if its numbers fit each other. A share that was mixed up, truncated or tampered
// with would otherwise fail late, in a signing session, and look like the peer's fault; or it would sign with a
// modulus whose factors somebody else knows.
func (s *keyshareSecret) check() error {
	if err := s.checkIDs(); err != nil {
		return err
	}
	if err := s.checkPoints(); err != nil {
		return err
	}
	if err := s.checkModuli(); err != nil {
		return err
	}
	return s.checkOwnPaillier()
}

func (s *keyshareSecret) checkIDs() error {
	for i, p := range s.parties {
		if p.id.Sign() <= 0 || p.id.Cmp(curveOrder) >= 0 {
			return keyshareError("a party id is out of range")
		}
		for _, other := range s.parties[:i] {
			if p.id.Cmp(other.id) == 0 {
				return keyshareError("two parties have the same id")
			}
		}
	}
	return nil
}

// checkPoints proves that the three public shares and the public key lie on one line, and that ours is the one our
// share makes. A degree above one would be a higher threshold than two.
func (s *keyshareSecret) checkPoints() error {
	points := []curvePoint{s.key}
	for _, p := range s.parties {
		points = append(points, p.share)
	}
	for _, p := range points {
		if point(p.x.Bytes(), p.y.Bytes()) != nil {
			return keyshareError("a point is not on the curve")
		}
	}
	if s.xi.Sign() <= 0 || s.xi.Cmp(curveOrder) >= 0 {
		return keyshareError("the share is out of range")
	}
	x, y := curve.ScalarBaseMult(s.xi.Bytes())
	if !s.parties[s.role.Index()].share.equal(curvePoint{x, y}) {
		return keyshareError("the share does not match its public share")
	}
	for _, other := range s.parties[1:] {
		if !interpolate(s.parties[0], other).equal(s.key) {
			return keyshareError("the public shares do not make the public key")
		}
	}
	return nil
}

// interpolate returns the value at zero, times the generator, of the line through two parties' shares.
func interpolate(a, b keyshareParty) curvePoint {
	ax, ay := scaled(a.share, lagrange(a.id, b.id))
	bx, by := scaled(b.share, lagrange(b.id, a.id))
	x, y := curve.Add(ax, ay, bx, by)
	return curvePoint{x, y}
}

// lagrange is other / (other - id) modulo the order. The ids are distinct, so the inverse exists.
func lagrange(id, other *big.Int) *big.Int {
	difference := new(big.Int).Sub(other, id)
	inverse := new(big.Int).ModInverse(difference.Mod(difference, curveOrder), curveOrder)
	return inverse.Mul(inverse, other).Mod(inverse, curveOrder)
}

func scaled(p curvePoint, k *big.Int) (x, y *big.Int) { return curve.ScalarMult(p.x, p.y, k.Bytes()) }

func (s *keyshareSecret) checkModuli() error {
	var seen []*big.Int
	for _, p := range s.parties {
		for _, n := range []*big.Int{p.paillier, p.ring} {
			if _, err := modulus(n.Bytes()); err != nil {
				return keyshareError("a modulus has the wrong size or a small factor")
			}
			for _, other := range seen {
				if n.Cmp(other) == 0 {
					return keyshareError("a modulus is used twice")
				}
			}
			seen = append(seen, n)
		}
		for _, h := range []*big.Int{p.h1, p.h2} {
			if _, err := unit(h.Bytes(), p.ring); err != nil {
				return keyshareError("a ring-Pedersen base is no unit of its ring")
			}
		}
		if p.h1.Cmp(p.h2) == 0 {
			return keyshareError("the ring-Pedersen bases are equal")
		}
	}
	return nil
}

func (s *keyshareSecret) checkOwnPaillier() error {
	product := new(big.Int).Mul(s.p, s.q)
	if s.p.Cmp(s.q) == 0 || product.Cmp(s.parties[s.role.Index()].paillier) != 0 {
		return keyshareError("the Paillier factors do not make the Paillier modulus")
	}
	// Baillie-PSW only: the file is authenticated where it is stored, this catches accidents.
	for _, prime := range []*big.Int{s.p, s.q} {
		if prime.BitLen() != primeBits || !prime.ProbablyPrime(0) {
			return keyshareError("a Paillier factor is no prime of 1024 bits")
		}
	}
	return nil
}
