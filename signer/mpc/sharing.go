package mpc

import "math/big"

// sharing is what the keyshares of every scheme have in common: one party's Shamir share of a private key, and the
// public shares of all parties.
type sharing struct {
	group  group
	role   Role
	ids    [partyCount]*big.Int   // Shamir coordinates, by Role.index
	public [partyCount]curvePoint // each party's share times the generator
	key    curvePoint             // the wallet's public key
	xi     *big.Int               // our share
}

// check proves that the ids are usable, that the three public shares and the public key lie on one line, and that our
// public share is the one our share makes. A degree above one would be a higher threshold than two.
func (s sharing) check() error {
	if err := s.checkIDs(); err != nil {
		return err
	}
	for _, p := range append([]curvePoint{s.key}, s.public[:]...) {
		if pointOf(s.group, p.x.Bytes(), p.y.Bytes()) != nil {
			return keyshareError("a point is not on the curve")
		}
	}
	if s.xi.Sign() <= 0 || s.xi.Cmp(s.group.order()) >= 0 {
		return keyshareError("the share is out of range")
	}
	if !s.public[s.role.Index()].equal(s.group.baseTimes(s.xi)) {
		return keyshareError("the share does not match its public share")
	}
	for other := 1; other < partyCount; other++ {
		if !s.interpolate(0, other).equal(s.key) {
			return keyshareError("the public shares do not make the public key")
		}
	}
	return nil
}

func (s sharing) checkIDs() error {
	for i, id := range s.ids {
		if id.Sign() <= 0 || id.Cmp(s.group.order()) >= 0 {
			return keyshareError("a party id is out of range")
		}
		for _, other := range s.ids[:i] {
			if id.Cmp(other) == 0 {
				return keyshareError("two parties have the same id")
			}
		}
	}
	return nil
}

// interpolate returns the value at zero, times the generator, of the line through two parties' shares.
func (s sharing) interpolate(a, b int) curvePoint {
	return s.group.add(
		s.group.times(s.public[a], s.lagrange(a, b)),
		s.group.times(s.public[b], s.lagrange(b, a)))
}

// lagrange is other / (other - id) modulo the order. The ids are distinct, so the inverse exists.
func (s sharing) lagrange(id, other int) *big.Int {
	q := s.group.order()
	difference := new(big.Int).Sub(s.ids[other], s.ids[id])
	inverse := new(big.Int).ModInverse(difference.Mod(difference, q), q)
	return inverse.Mul(inverse, s.ids[other]).Mod(inverse, q)
}
