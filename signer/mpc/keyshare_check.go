package mpc

import "math/big"

// check accepts a keyshare only if its numbers fit each other. A share that was mixed up, truncated or tampered
// with would otherwise fail late, in a signing session, and look like the peer's fault; or it would sign with a
// modulus whose factors somebody else knows.
func (s *keyshareSecret) check() error {
	if err := s.sharing().check(); err != nil {
		return err
	}
	if err := s.checkModuli(); err != nil {
		return err
	}
	return s.checkOwnPaillier()
}

func (s *keyshareSecret) sharing() sharing {
	out := sharing{group: secpGroup{}, role: s.role, key: s.key, xi: s.xi}
	for i, p := range s.parties {
		out.ids[i], out.public[i] = p.id, p.share
	}
	return out
}

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
