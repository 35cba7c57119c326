package abi

import (
	"bytes"
	"math/big"
	"testing"
)

func FuzzAmountAgreesWithBigIntegers(f *testing.F) {
	ones := bytes.Repeat([]byte{255}, 32)
	two256 := new(big.Int).Lsh(big.NewInt(1), 256)
	f.Add([]byte{}, []byte{1}, uint64(10))
	f.Add(ones, ones, uint64(1<<64-1))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{138, 199, 35, 4, 137, 232, 0, 0}, uint64(19))
	f.Fuzz(func(t *testing.T, left, right []byte, factor uint64) {
		x := new(big.Int).SetBytes(left[:min(len(left), 32)])
		y := new(big.Int).SetBytes(right[:min(len(right), 32)])
		a, err := ParseAmount(x.String())
		b, err2 := AmountFromBytes(y.Bytes())
		if err != nil || err2 != nil {
			t.Fatalf("%s, %s: %v, %v", x, y, err, err2)
		}
		if a.String() != x.String() || b.String() != y.String() || !bytes.Equal(a.Bytes(), x.Bytes()) {
			t.Fatalf("%s reads as %s, %s as %s", x, a, y, b)
		}
		if a.Cmp(b) != x.Cmp(y) {
			t.Fatalf("Cmp(%s, %s) = %d", x, y, a.Cmp(b))
		}
		check := func(name string, want *big.Int) func(Amount, bool) {
			return func(got Amount, ok bool) {
				fits := want.Sign() >= 0 && want.Cmp(two256) < 0
				if ok != fits || ok && got.String() != want.String() || !ok && !got.IsZero() {
					t.Fatalf("%s: %s, %t, want %s", name, got, ok, want)
				}
			}
		}
		check("add", new(big.Int).Add(x, y))(a.Add(b))
		check("sub", new(big.Int).Sub(x, y))(a.Sub(b))
		check("mul", new(big.Int).Mul(x, new(big.Int).SetUint64(factor)))(a.MulSmall(factor))
	})
}

func TestParseAmountRefusesOtherSpellings(t *testing.T) {
	for _, s := range []string{
		"", "00", "01", "+1", "-1", "1e4", "1.0", " 1", "1_000", "0x1", "٣",
		new(big.Int).Lsh(big.NewInt(1), 256).String(),
	} {
		if a, err := ParseAmount(s); err == nil {
			t.Errorf("%q reads as %s", s, a)
		}
	}
	for _, b := range [][]byte{{0}, {0, 1}, make([]byte, 33)} {
		if a, err := AmountFromBytes(b); err == nil {
			t.Errorf("%x reads as %s", b, a)
		}
	}
}

func TestOutcomesFailClosed(t *testing.T) {
	var o Outcome
	if o != Deny || Outcome(7).String() != "deny" {
		t.Error("the zero or an unknown outcome does not read as deny")
	}
	if got, err := ParseOutcome("yes"); err == nil || got != Deny {
		t.Errorf("an unknown name reads as %s", got)
	}
}

// The last word's worth of digits can be one digit longer than the others.
func TestAmountsAroundEveryPowerOfTenAreSpelledRight(t *testing.T) {
	power := big.NewInt(1)
	for ; power.BitLen() <= 256; power.Mul(power, big.NewInt(10)) {
		for _, factor := range []int64{1, 2, 9} {
			for _, off := range []int64{-1, 0, 1} {
				want := new(big.Int).Add(new(big.Int).Mul(power, big.NewInt(factor)), big.NewInt(off))
				if want.BitLen() > 256 {
					continue
				}
				a, err := ParseAmount(want.String())
				if err != nil || a.String() != want.String() || new(big.Int).SetBytes(a.Bytes()).Cmp(want) != 0 {
					t.Errorf("%s is read and written as %s, %v", want, a, err)
				}
			}
		}
	}
}
