package main

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigPoint is a point by the textbook: affine, one inversion for each addition. A nil x is infinity.
type bigPoint struct{ x, y *big.Int }

func bigOf(p *point) bigPoint {
	if p.z.isZero() {
		return bigPoint{}
	}
	x, y := p.affine()
	return bigPoint{toBig(x), toBig(y)}
}

func (p bigPoint) equals(q bigPoint) bool {
	if p.x == nil || q.x == nil {
		return p.x == q.x
	}
	return p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0
}

func (p bigPoint) plus(q bigPoint) bigPoint {
	m := toBig(prime)
	switch {
	case p.x == nil:
		return q
	case q.x == nil:
		return p
	}
	over, under := new(big.Int).Sub(q.y, p.y), new(big.Int).Sub(q.x, p.x)
	if under.Sign() == 0 {
		if over.Sign() != 0 {
			return bigPoint{}
		}
		over.Mul(p.x, p.x).Mul(over, big.NewInt(3))
		under.Lsh(p.y, 1)
	}
	slope := new(big.Int).Mul(over, under.ModInverse(under.Mod(under, m), m))
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.x).Sub(x, q.x).Mod(x, m)
	y := new(big.Int).Sub(p.x, x)
	return bigPoint{x, y.Mul(y, slope).Sub(y, p.y).Mod(y, m)}
}

func (p bigPoint) times(k *big.Int) (sum bigPoint) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		if sum = sum.plus(sum); k.Bit(i) == 1 {
			sum = sum.plus(p)
		}
	}
	return sum
}

// scaled is the same point with another Z.
func (p *point) scaled(z uint64) (q point) {
	factor := element{z}
	var power element
	q.z.product(&p.z, &factor)
	power.square(&factor)
	q.x.product(&p.x, &power)
	power.product(&power, &factor)
	q.y.product(&p.y, &power)
	return q
}

func TestPointsAreAddedAsInTheTextbook(t *testing.T) {
	points := []point{{}, generator}
	for i := range uint64(4) {
		next := points[len(points)-1]
		next.double(&next)
		points = append(points, next, next.negated(), next.scaled(i+2))
	}
	infinity := generator
	opposite := generator.negated()
	infinity.add(&opposite)
	points = append(points, infinity, opposite)
	for i := range points {
		p := points[i]
		p.double(&p)
		if want := bigOf(&points[i]).plus(bigOf(&points[i])); !bigOf(&p).equals(want) {
			t.Errorf("twice point %d is %v, want %v", i, bigOf(&p), want)
		}
		for j := range points {
			p := points[i]
			p.add(&points[j])
			if want := bigOf(&points[i]).plus(bigOf(&points[j])); !bigOf(&p).equals(want) {
				t.Errorf("points %d and %d add to %v, want %v", i, j, bigOf(&p), want)
			}
		}
	}
}

func TestDigitsAddUpAndStandApart(t *testing.T) {
	pairs(t, 200, func(a, b number) {
		for _, k := range []number{a, b} {
			for _, width := range []int{pointWidth, generatorWidth} {
				digits := digitsOf(k, width)
				sum, last := new(big.Int), digitsMax+width
				for i := digitsMax - 1; i >= 0; i-- {
					digit := int(digits[i])
					sum.Add(sum.Lsh(sum, 1), big.NewInt(int64(digit)))
					if digit == 0 {
						continue
					}
					if digit%2 == 0 || max(digit, -digit) >= 1<<(width-1) || last-i < width {
						t.Fatalf("%x in width %d: digit %d at %d", k, width, digit, i)
					}
					last = i
				}
				if sum.Cmp(toBig(k)) != 0 {
					t.Fatalf("%x in width %d adds up to %x", k, width, sum)
				}
			}
		}
	})
}

func TestSumsOfProductsAgreeWithTheTextbook(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6)) // #nosec G404 -- a test wants the same numbers each time
	one, largest := number{w0: 1}, order.sub(number{}, number{w0: 1})
	factors := [][2]number{
		{},
		{one},
		{{}, one},
		{one, one},
		{largest, one},
		{one, largest},
		{largest, largest},
		{order.value, {}},
		{{}, order.value},
		{order.half(one), order.half(one)},
	}
	for range 12 {
		factors = append(factors, [2]number{order.reduce(randomNumber(r)), order.reduce(randomNumber(r))})
	}
	opposite := generator.negated()
	other := sumOfProducts(number{w0: 0xdecade, w3: 7}, number{}, &generator)
	x, y := other.affine()
	other = pointOf(x, y)
	for name, p := range map[string]*point{"G": &generator, "-G": &opposite, "another": &other, "another, scaled": {}, "infinity": {}} {
		if name == "another, scaled" {
			*p = other.scaled(5)
		}
		for _, f := range factors {
			got := sumOfProducts(f[0], f[1], p)
			want := bigOf(&generator).times(toBig(f[0])).plus(bigOf(p).times(toBig(f[1])))
			if !bigOf(&got).equals(want) {
				t.Errorf("%x·G + %x·P, P is %s: %v, want %v", f[0], f[1], name, bigOf(&got), want)
			}
		}
	}
}

func TestTheCurveHasItsOrder(t *testing.T) {
	sum := sumOfProducts(order.value, number{}, &generator)
	if !sum.z.isZero() {
		t.Error("n·G is not the point at infinity")
	}
	for i := range generatorMultiples {
		x, y := generatorMultiples[i].affine()
		if again, ok := curveY(x, y.isOdd()); !ok || again != y {
			t.Errorf("%d·G is not on the curve", 2*i+1)
		}
	}
}
