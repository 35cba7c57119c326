package mpc

import (
	"crypto/elliptic"
	"math/big"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"

	"github.com/bnb-chain/tss-lib/v2/tss"
)

// group is the prime-order group of a signature scheme. The guard and the keyshares compute in it with code that is
// not the protocol library's, so that one of the two notices when the other is wrong.
type group interface {
	// order is the number of members, field the prime below which coordinates are.
	order() *big.Int
	field() *big.Int
	// member is whether p is in the group and not its neutral element.
	member(p curvePoint) bool
	add(a, b curvePoint) curvePoint
	times(p curvePoint, k *big.Int) curvePoint
	baseTimes(k *big.Int) curvePoint
	// library is the protocol library's name for it.
	library() elliptic.Curve
}

var (
	_ group = secpGroup{}
	_ group = edGroup{}
)

// secpGroup is secp256k1 (SEC 2, section 2.4.1), where every point but infinity is in the group.
type secpGroup struct{}

func (secpGroup) order() *big.Int         { return curveOrder }
func (secpGroup) field() *big.Int         { return fieldPrime }
func (secpGroup) library() elliptic.Curve { return curve }

func (secpGroup) member(p curvePoint) bool { return curve.IsOnCurve(p.x, p.y) }

func (secpGroup) add(a, b curvePoint) curvePoint {
	x, y := curve.Add(a.x, a.y, b.x, b.y)
	return curvePoint{x, y}
}

func (secpGroup) times(p curvePoint, k *big.Int) curvePoint {
	x, y := curve.ScalarMult(p.x, p.y, k.Bytes())
	return curvePoint{x, y}
}

func (secpGroup) baseTimes(k *big.Int) curvePoint {
	x, y := curve.ScalarBaseMult(k.Bytes())
	return curvePoint{x, y}
}

// edGroup is the subgroup of order L of edwards25519 (RFC 8032, section 5.1). Seven of eight points of the curve are
// outside it. The library takes them, and drops the part of small order from some and not from others; here a point
// that is not a member is refused, so that every point means one thing.
type edGroup struct{}

var (
	edCurve = tss.Edwards()
	edOrder = edCurve.Params().N
	edField = edCurve.Params().P
)

func (edGroup) order() *big.Int         { return edOrder }
func (edGroup) field() *big.Int         { return edField }
func (edGroup) library() elliptic.Curve { return edCurve }

func (edGroup) member(p curvePoint) bool {
	q, ok := edPoint(p)
	neutral := edwards25519.NewIdentityPoint()
	if !ok || q.Equal(neutral) == 1 {
		return false
	}
	// L times q as (L-1) times q plus q: the package reduces scalars, so that L itself would be zero.
	last := edScalar(new(big.Int).Sub(edOrder, bigOne))
	multiple := new(edwards25519.Point).ScalarMult(last, q)
	return multiple.Add(multiple, q).Equal(neutral) == 1
}

// add, times and baseTimes are for members, which the caller has made sure of.
func (edGroup) add(a, b curvePoint) curvePoint {
	p, _ := edPoint(a)
	q, _ := edPoint(b)
	return edAffine(new(edwards25519.Point).Add(p, q))
}

func (edGroup) times(p curvePoint, k *big.Int) curvePoint {
	q, _ := edPoint(p)
	return edAffine(new(edwards25519.Point).ScalarMult(edScalar(k), q))
}

func (edGroup) baseTimes(k *big.Int) curvePoint {
	return edAffine(new(edwards25519.Point).ScalarBaseMult(edScalar(k)))
}

// edPoint reports false, with the neutral element, for coordinates that are on no curve.
func edPoint(p curvePoint) (*edwards25519.Point, bool) {
	if p.x.Sign() < 0 || p.y.Sign() < 0 || p.x.Cmp(edField) >= 0 || p.y.Cmp(edField) >= 0 {
		return edwards25519.NewIdentityPoint(), false
	}
	x, errX := new(field.Element).SetBytes(littleEndian(p.x))
	y, errY := new(field.Element).SetBytes(littleEndian(p.y))
	if errX != nil || errY != nil {
		return edwards25519.NewIdentityPoint(), false
	}
	q, err := new(edwards25519.Point).SetExtendedCoordinates(x, y, new(field.Element).One(), new(field.Element).Multiply(x, y))
	if err != nil {
		return edwards25519.NewIdentityPoint(), false
	}
	return q, true
}

func edAffine(p *edwards25519.Point) curvePoint {
	x, y, z, _ := p.ExtendedCoordinates()
	inverse := new(field.Element).Invert(z)
	return curvePoint{
		x: fromLittleEndian(x.Multiply(x, inverse).Bytes()), y: fromLittleEndian(y.Multiply(y, inverse).Bytes()),
	}
}

// edDecode reads the 32-byte form of a point (RFC 8032, section 5.1.3), which may lie outside the group.
func edDecode(data []byte) (curvePoint, error) {
	p, err := new(edwards25519.Point).SetBytes(data)
	if err != nil {
		return curvePoint{}, errNotOnCurve
	}
	return edAffine(p), nil
}

// edScalar is k modulo the order.
func edScalar(k *big.Int) *edwards25519.Scalar {
	scalar, err := new(edwards25519.Scalar).SetCanonicalBytes(littleEndian(new(big.Int).Mod(k, edOrder)))
	if err != nil {
		return edwards25519.NewScalar() // cannot be: the number is reduced and has 32 bytes
	}
	return scalar
}

func littleEndian(x *big.Int) []byte { return reversed(x.FillBytes(make([]byte, scalarBytes))) }

func fromLittleEndian(data []byte) *big.Int { return new(big.Int).SetBytes(reversed(data)) }

func reversed(data []byte) []byte {
	out := make([]byte, len(data))
	for i, b := range data {
		out[len(data)-1-i] = b
	}
	return out
}
