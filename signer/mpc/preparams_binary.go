package mpc

import (
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/crypto/paillier"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
)

const (
	preParamsMagic   = "purser preparams"
	preParamsVersion = 1
	// PreParamsBytes is the size of all encoded pre-parameters.
	PreParamsBytes = len(preParamsMagic) + 1 + 4*primeBytes + 2*modulusBytes
)

// MarshalBinary writes unused pre-parameters in the clear, so that finding primes can be done ahead: seal them before
// they touch a disk, and delete them durably before they are used. The layout, all numbers big endian, is
//
//	magic(16) version(1)=1  Paillier p(128) q(128)  ring p(128) q(128)  h1(256)  alpha(256)
//
// where the ring's primes are safe ones and h2 is h1 to the power of alpha; everything else follows from these.
func (p PreParams) MarshalBinary() ([]byte, error) {
	if err := p.usable(); err != nil {
		return nil, err
	}
	s := &p.secret.numbers
	w := keyshareWriter{data: make([]byte, 0, PreParamsBytes)}
	w.data = append(w.data, preParamsMagic...)
	w.data = append(w.data, preParamsVersion)
	w.number(s.PaillierSK.P, primeBytes)
	w.number(s.PaillierSK.Q, primeBytes)
	w.number(safePrime(s.P), primeBytes)
	w.number(safePrime(s.Q), primeBytes)
	w.number(s.H1i, modulusBytes)
	w.number(s.Alpha, modulusBytes)
	return w.data, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and checks it: four distinct primes of 1024 bits, safe ones for the
// ring, products of 2048 bits, and bases that are units. On error p is unchanged.
func (p *PreParams) UnmarshalBinary(data []byte) error {
	if len(data) != PreParamsBytes || string(data[:len(preParamsMagic)]) != preParamsMagic || data[len(preParamsMagic)] != preParamsVersion {
		return keyshareError("these are no pre-parameters of a known version")
	}
	r := keyshareReader{data: data[len(preParamsMagic)+1:]}
	primes := [4]*big.Int{r.number(primeBytes), r.number(primeBytes), r.number(primeBytes), r.number(primeBytes)}
	h1, alpha := r.number(modulusBytes), r.number(modulusBytes)
	if err := checkPreParamsPrimes(primes); err != nil {
		return err
	}
	numbers, err := preParamsFrom(primes, h1, alpha)
	if err != nil {
		return err
	}
	p.secret = &preParamsSecret{numbers: numbers}
	return nil
}

func checkPreParamsPrimes(primes [4]*big.Int) error {
	for i, prime := range primes {
		// Baillie-PSW only: the file is authenticated where it is stored, this catches accidents.
		if prime.BitLen() != primeBits || !prime.ProbablyPrime(0) {
			return keyshareError("a pre-parameter is no prime of 1024 bits")
		}
		if i >= 2 && !germain(prime).ProbablyPrime(0) {
			return keyshareError("a prime of the ring is not a safe one")
		}
		for _, other := range primes[:i] {
			if prime.Cmp(other) == 0 {
				return keyshareError("two pre-parameters are equal")
			}
		}
	}
	return nil
}

func preParamsFrom(primes [4]*big.Int, h1, alpha *big.Int) (keygen.LocalPreParams, error) {
	n, ring := new(big.Int).Mul(primes[0], primes[1]), new(big.Int).Mul(primes[2], primes[3])
	for _, m := range []*big.Int{n, ring} {
		if _, err := modulus(m.Bytes()); err != nil {
			return keygen.LocalPreParams{}, keyshareError("a modulus has the wrong size or a small factor")
		}
	}
	if _, err := unit(h1.Bytes(), ring); err != nil {
		return keygen.LocalPreParams{}, keyshareError("the ring-Pedersen base is no unit of its ring")
	}
	p, q := germain(primes[2]), germain(primes[3])
	beta := new(big.Int).ModInverse(alpha, new(big.Int).Mul(p, q))
	h2 := new(big.Int).Exp(h1, alpha, ring)
	if beta == nil || h2.Cmp(h1) == 0 || h2.Cmp(bigOne) == 0 {
		return keygen.LocalPreParams{}, keyshareError("the exponent between the ring-Pedersen bases is trivial")
	}
	p1, q1 := new(big.Int).Sub(primes[0], bigOne), new(big.Int).Sub(primes[1], bigOne)
	phi := new(big.Int).Mul(p1, q1)
	lambda := new(big.Int).Div(phi, new(big.Int).GCD(nil, nil, p1, q1))
	return keygen.LocalPreParams{
		PaillierSK: &paillier.PrivateKey{PublicKey: paillier.PublicKey{N: n}, LambdaN: lambda, PhiN: phi, P: primes[0], Q: primes[1]},
		NTildei:    ring, H1i: h1, H2i: h2, Alpha: alpha, Beta: beta, P: p, Q: q,
	}, nil
}

// safePrime is 2p+1, germain its inverse.
func safePrime(p *big.Int) *big.Int {
	double := new(big.Int).Lsh(p, 1)
	return double.Add(double, bigOne)
}

func germain(safe *big.Int) *big.Int { return new(big.Int).Rsh(safe, 1) }
