package main

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func toBig(n number) *big.Int { b := n.bytes(); return new(big.Int).SetBytes(b[:]) }

func fromBig(t testing.TB, x *big.Int) number {
	t.Helper()
	if x.Sign() < 0 || x.BitLen() > 256 {
		t.Fatalf("%x has no 256 bits", x)
	}
	var b [32]byte
	return numberFromBytes(x.FillBytes(b[:]))
}

// randomNumber favours the edges: words of all zeros or all ones are where carries go wrong.
func randomNumber(r *rand.Rand) number {
	word := func() uint64 {
		switch r.IntN(4) {
		case 0:
			return 0
		case 1:
			return ^uint64(0)
		}
		return r.Uint64()
	}
	return number{word(), word(), word(), word()}
}

// edges are the numbers around zero, both primes and the end.
func edges(t testing.TB) (numbers []number) {
	t.Helper()
	for _, base := range []*big.Int{new(big.Int), toBig(order.value), toBig(prime), new(big.Int).Lsh(big.NewInt(1), 256)} {
		for offset := int64(-3); offset <= 3; offset++ {
			if x := new(big.Int).Add(base, big.NewInt(offset)); x.Sign() >= 0 && x.BitLen() <= 256 {
				numbers = append(numbers, fromBig(t, x))
			}
		}
	}
	return append(numbers, order.value.half(), prime.half())
}

// pairs calls with every pair of edges, then with random numbers, the same each time.
func pairs(t testing.TB, random int, check func(a, b number)) {
	t.Helper()
	for _, a := range edges(t) {
		for _, b := range edges(t) {
			check(a, b)
		}
	}
	r := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- a test wants the same numbers each time
	for range random {
		check(randomNumber(r), randomNumber(r))
	}
}

func TestNumbersAgreeWithMathBig(t *testing.T) {
	end := new(big.Int).Lsh(big.NewInt(1), 256)
	pairs(t, 10_000, func(a, b number) {
		x, y := toBig(a), toBig(b)
		sum, carry := add(a, b)
		difference, borrow := subtract(a, b)
		low, high := multiply(a, b)
		full := func(high uint64, low number) *big.Int {
			return new(big.Int).Add(new(big.Int).Mul(end, new(big.Int).SetUint64(high)), toBig(low))
		}
		if full(carry, sum).Cmp(new(big.Int).Add(x, y)) != 0 {
			t.Fatalf("%x + %x = %d, %x", x, y, carry, sum)
		}
		if full(0, difference).Cmp(new(big.Int).Add(new(big.Int).Sub(x, y), full(borrow, number{}))) != 0 || less(a, b) != (x.Cmp(y) < 0) {
			t.Fatalf("%x - %x = -%d, %x", x, y, borrow, difference)
		}
		if new(big.Int).Add(new(big.Int).Mul(end, toBig(high)), toBig(low)).Cmp(new(big.Int).Mul(x, y)) != 0 {
			t.Fatalf("%x · %x = %x, %x", x, y, high, low)
		}
		if toBig(a.half()).Cmp(new(big.Int).Rsh(x, 1)) != 0 || a.isOdd() != (x.Bit(0) == 1) || a.isZero() != (x.Sign() == 0) {
			t.Fatalf("half of %x = %x", x, a.half())
		}
	})
}

func TestModularArithmeticAgreesWithMathBig(t *testing.T) {
	n := toBig(order.value)
	if !n.ProbablyPrime(20) {
		t.Fatalf("%x is not prime", n)
	}
	count := 0
	pairs(t, 10_000, func(a, b number) {
		a, b = order.reduce(a), order.reduce(b)
		x, y := toBig(a), toBig(b)
		for name, got := range map[string][2]*big.Int{
			"sub":  {toBig(order.sub(a, b)), new(big.Int).Sub(x, y)},
			"mul":  {toBig(order.mul(a, b)), new(big.Int).Mul(x, y)},
			"half": {toBig(order.mul(order.half(a), number{w0: 2})), x},
		} {
			if got[0].Cmp(new(big.Int).Mod(got[1], n)) != 0 {
				t.Fatalf("%s(%x, %x) = %x", name, x, y, got[0])
			}
		}
		want := new(big.Int)
		if count++; count%10 == 0 && x.Sign() != 0 {
			want.ModInverse(x, n)
			if toBig(order.inverse(a)).Cmp(want) != 0 {
				t.Fatalf("inverse of %x", x)
			}
		}
	})
	for _, a := range edges(t) {
		a = order.reduce(a)
		if got := order.mul(a, order.inverse(a)); got != (number{w0: 1}) && !a.isZero() || a.isZero() && !order.inverse(a).isZero() {
			t.Errorf("%x times its inverse is %x", a, got)
		}
	}
}
