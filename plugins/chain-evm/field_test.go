package main

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// value returns the limbs' sum, which may be p or more.
func (z *element) value() *big.Int {
	sum := new(big.Int)
	for i := limbs - 1; i >= 0; i-- {
		sum.Add(sum.Lsh(sum, limbBits), new(big.Int).SetUint64(z[i]))
	}
	return sum
}

// expect checks a result: its limbs are in their bounds, and it is want modulo p, also in its one spelling.
func (z *element) expect(t *testing.T, want *big.Int, what string, of ...any) {
	t.Helper()
	p := toBig(prime)
	for i, limb := range z {
		if limb >= limbMax {
			t.Fatalf("%s%x: limb %d is %x", what, of, i, limb)
		}
	}
	want = new(big.Int).Mod(want, p)
	if toBig(z.number()).Cmp(want) != 0 || new(big.Int).Mod(z.value(), p).Cmp(want) != 0 || z.isZero() != (want.Sign() == 0) {
		t.Fatalf("%s%x = %x, want %x", what, of, z.number(), want)
	}
}

// extremes are elements that no number is written as: with the largest limbs, at one place or everywhere.
func extremes() (elements []element) {
	var all element
	for i := range all {
		var one element
		one[i], all[i] = limbMax-1, limbMax-1
		elements = append(elements, one, all)
	}
	return append(elements, element{})
}

func someElements(t *testing.T, random int) []element {
	t.Helper()
	elements := extremes()
	for _, n := range edges(t) {
		elements = append(elements, elementOf(n))
	}
	r := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- a test wants the same numbers each time
	for range random {
		elements = append(elements, elementOf(randomNumber(r)))
		var e element
		for i := range e {
			e[i] = []uint64{0, limbMask, limbMax - 1, r.Uint64N(limbMax)}[r.IntN(4)]
		}
		elements = append(elements, e)
	}
	return elements
}

func TestFieldArithmeticAgreesWithMathBig(t *testing.T) {
	if !toBig(prime).ProbablyPrime(20) {
		t.Fatal("p is not prime")
	}
	for _, a := range someElements(t, 100) {
		x := a.value()
		a.expectReadable(t)
		var square element
		square.square(&a)
		square.expect(t, new(big.Int).Mul(x, x), "square", a)
		for _, b := range someElements(t, 100) {
			y := b.value()
			var z element
			z.product(&a, &b)
			z.expect(t, new(big.Int).Mul(x, y), "product", a, b)
			for _, factors := range [][2]uint64{{1, 1}, {0, 1}, {1, 2}, {1, 8}, {4, 1}, {8, 8}, {0, 8}, {8, 0}} {
				z.difference(factors[0], &a, factors[1], &b)
				want := new(big.Int).Mul(x, new(big.Int).SetUint64(factors[0]))
				want.Sub(want, new(big.Int).Mul(y, new(big.Int).SetUint64(factors[1])))
				z.expect(t, want, "difference", a, b, factors)
			}
		}
	}
}

// expectReadable checks that an operand is read as the number it is.
func (z *element) expectReadable(t *testing.T) {
	t.Helper()
	z.expect(t, z.value(), "the element itself", *z)
}

func TestAReceiverMayBeAnOperand(t *testing.T) {
	elements := someElements(t, 5)
	for i, a := range elements {
		b := elements[(i*7+3)%len(elements)]
		var want element
		for name, call := range map[string]func(z, x, y *element){
			"product":    func(z, x, y *element) { z.product(x, y) },
			"square":     func(z, x, _ *element) { z.square(x) },
			"difference": func(z, x, y *element) { z.difference(1, x, 2, y) },
			"inverse":    func(z, x, _ *element) { z.inverse(x) },
			"root":       func(z, x, _ *element) { z.root(x) },
		} {
			x, y := a, b
			call(&want, &a, &b)
			call(&x, &x, &b)
			if name == "inverse" || name == "root" {
				y = want // they take one operand
			} else {
				call(&y, &a, &y)
			}
			if x != want || y != want {
				t.Fatalf("%s(%x, %x) depends on where it is put", name, a, b)
			}
		}
	}
}

func TestInversesAndRootsAgreeWithMathBig(t *testing.T) {
	p := toBig(prime)
	for _, a := range someElements(t, 40) {
		x := new(big.Int).Mod(a.value(), p)
		var z element
		inverse := new(big.Int)
		if x.Sign() != 0 {
			inverse.ModInverse(x, p)
		}
		z.inverse(&a)
		z.expect(t, inverse, "inverse", a)
		z.root(&a)
		z.square(&z)
		if isSquare := big.Jacobi(x, p) >= 0; isSquare != (toBig(z.number()).Cmp(x) == 0) {
			t.Fatalf("the root of %x, a square: %v, is one of %x", x, isSquare, z.number())
		}
	}
}
