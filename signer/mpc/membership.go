package mpc

import (
	"errors"
	"math/big"
	"sync"

	"github.com/bnb-chain/tss-lib/v2/tss"
)

const (
	scalarBytes  = 32
	modulusBits  = 2048
	modulusBytes = modulusBits / 8
	primeBits    = modulusBits / 2
	primeBytes   = primeBits / 8
)

// The reasons a number is refused. None of them repeats the number: some are secrets.
var (
	errNotMinimal  = errors.New("a number is empty, has a leading zero byte or is too long")
	errRange       = errors.New("a number is out of its range")
	errNotUnit     = errors.New("a number is no unit of its group, or is one")
	errNotOnCurve  = errors.New("a point is not in the group")
	errPartCount   = errors.New("a list does not have the number of parts the protocol gives it")
	errTrivial     = errors.New("a proof has a trivial value")
	errModulus     = errors.New("a modulus is not odd with exactly 2048 bits, or has a small factor")
	errSameModulus = errors.New("a modulus is used twice")
)

var (
	bigOne     = big.NewInt(1)
	curve      = tss.S256()
	curveOrder = curve.Params().N
	fieldPrime = curve.Params().P
	orderCubed = new(big.Int).Exp(curveOrder, big.NewInt(3), nil)
	orderTo7   = new(big.Int).Exp(curveOrder, big.NewInt(7), nil)
)

// natural reads a number greater than zero in its only encoding. The length is looked at first, so that nobody
// makes us compute with a number of 256 KiB.
func natural(part []byte, bytesMax int) (*big.Int, error) {
	if len(part) == 0 || len(part) > bytesMax || part[0] == 0 {
		return nil, errNotMinimal
	}
	return new(big.Int).SetBytes(part), nil
}

// below reads a number with 0 < x < limit.
func below(part []byte, limit *big.Int) (*big.Int, error) {
	x, err := natural(part, (limit.BitLen()+7)/8)
	if err != nil {
		return nil, err
	}
	if x.Cmp(limit) >= 0 {
		return nil, errRange
	}
	return x, nil
}

// scalar reads a number with 0 < x < q, q the order of secp256k1.
func scalar(part []byte) (*big.Int, error) { return scalarOf(secpGroup{}, part) }

// scalarOf reads a number greater than zero and below the order. The library multiplies points by such numbers and
// panics on the point at infinity, so zero must not reach it.
func scalarOf(g group, part []byte) (*big.Int, error) { return below(part, g.order()) }

// within reads a number with low <= x <= high.
func within(part []byte, low, high *big.Int) (*big.Int, error) {
	x, err := natural(part, (high.BitLen()+7)/8)
	if err != nil {
		return nil, err
	}
	if x.Cmp(low) < 0 || x.Cmp(high) > 0 {
		return nil, errRange
	}
	return x, nil
}

// unit reads a member of the multiplicative group modulo n other than one.
func unit(part []byte, n *big.Int) (*big.Int, error) { return unitOf(part, n, n) }

// ciphertext reads a Paillier ciphertext: a member of the multiplicative group modulo n squared other than one. A
// number shares a factor with n squared exactly if it shares one with n, and the smaller gcd is cheaper.
func ciphertext(part []byte, n *big.Int) (*big.Int, error) {
	return unitOf(part, new(big.Int).Mul(n, n), n)
}

func unitOf(part []byte, limit, n *big.Int) (*big.Int, error) {
	x, err := below(part, limit)
	if err != nil {
		return nil, err
	}
	if x.Cmp(bigOne) == 0 || !coprime(x, n) {
		return nil, errNotUnit
	}
	return x, nil
}

func coprime(x, n *big.Int) bool { return new(big.Int).GCD(nil, nil, x, n).Cmp(bigOne) == 0 }

// point checks the coordinates of a point of secp256k1.
func point(x, y []byte) error { return pointOf(secpGroup{}, x, y) }

// pointOf checks coordinates. The library's own check reads only some bits of an over-long coordinate, and its
// arithmetic takes points that are on no curve.
func pointOf(g group, x, y []byte) error {
	bigX, err := below(x, g.field())
	if err != nil {
		return errNotOnCurve
	}
	bigY, err := below(y, g.field())
	if err != nil {
		return errNotOnCurve
	}
	if !g.member(curvePoint{bigX, bigY}) {
		return errNotOnCurve
	}
	return nil
}

// hash checks a commitment or the randomness of one: a SHA-512/256 value or 256 random bits.
func hash(part []byte) error {
	_, err := natural(part, scalarBytes)
	return err
}

// opening checks an opened commitment to points of secp256k1.
func opening(parts [][]byte, points int) error { return openingOf(secpGroup{}, parts, points) }

// openingOf checks an opened commitment: randomness and then exactly the given number of points. The library indexes
// into this list without looking at its length.
func openingOf(g group, parts [][]byte, points int) error {
	if len(parts) != 1+2*points {
		return errPartCount
	}
	if err := hash(parts[0]); err != nil {
		return err
	}
	for i := 1; i < len(parts); i += 2 {
		if err := pointOf(g, parts[i], parts[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// responseMax bounds the answers of the range proofs that are blinded modulo ring, a claim the library never checks
// from above: an exponent of 256 KiB costs it eight CPU-seconds.
func responseMax(ring *big.Int) *big.Int {
	squared := new(big.Int).Mul(curveOrder, curveOrder)
	return new(big.Int).Mul(new(big.Int).Add(orderCubed, squared), ring)
}

// modulus reads a Paillier or ring-Pedersen modulus: odd (the library's Jacobi symbol panics on an even one),
// exactly 2048 bits, and without a factor below 2^16.
func modulus(part []byte) (*big.Int, error) {
	n, err := natural(part, modulusBytes)
	if err != nil {
		return nil, err
	}
	if n.BitLen() != modulusBits || n.Bit(0) == 0 || hasSmallFactor(n) {
		return nil, errModulus
	}
	return n, nil
}

const smallFactorMax = 1 << 16

func hasSmallFactor(n *big.Int) bool {
	remainder, divisor := new(big.Int), new(big.Int)
	for _, p := range smallPrimes() {
		if remainder.Mod(n, divisor.SetInt64(p)).Sign() == 0 {
			return true
		}
	}
	return false
}

var smallPrimes = sync.OnceValue(func() []int64 {
	var primes []int64
	composite := make([]bool, smallFactorMax)
	for p := int64(2); p < smallFactorMax; p++ {
		if composite[p] {
			continue
		}
		primes = append(primes, p)
		for multiple := p * p; multiple < smallFactorMax; multiple += p {
			composite[multiple] = true
		}
	}
	return primes
})
