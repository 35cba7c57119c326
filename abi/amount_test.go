package abi

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

var two256 = new(big.Int).Lsh(big.NewInt(1), 256)

func amountOf(t *testing.T, n *big.Int) Amount {
	t.Helper()
	a, err := ParseAmount(n.String())
	if err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	return a
}

// FuzzAmountAgreesWithBigIntegers checks every operation against math/big, over
// operands of the whole range.
func FuzzAmountAgreesWithBigIntegers(f *testing.F) {
	ones := bytes.Repeat([]byte{255}, 32)
	f.Add([]byte{}, []byte{1}, uint64(10))
	f.Add(ones, ones, uint64(1<<64-1))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{138, 199, 35, 4, 137, 232, 0, 0}, uint64(19))
	f.Add(ones[:16], ones[:24], uint64(1))
	f.Fuzz(func(t *testing.T, left, right []byte, factor uint64) {
		x := new(big.Int).SetBytes(left[:min(len(left), 32)])
		y := new(big.Int).SetBytes(right[:min(len(right), 32)])
		a, b := amountOf(t, x), amountOf(t, y)
		if a.String() != x.String() || !bytes.Equal(a.Bytes(), x.Bytes()) {
			t.Fatalf("%s reads as %s, bytes %x", x, a, a.Bytes())
		}
		word := a.Word()
		if !bytes.Equal(word[:], x.FillBytes(make([]byte, 32))) || AmountFromWord(word) != a {
			t.Fatalf("%s has the word %x", x, word)
		}
		if back, err := AmountFromBytes(a.Bytes()); err != nil || back != a {
			t.Fatalf("%s came back from bytes as %s, %v", x, back, err)
		}
		if a.Cmp(b) != x.Cmp(y) {
			t.Fatalf("Cmp(%s, %s) = %d", x, y, a.Cmp(b))
		}
		if n, ok := a.Uint64(); ok != x.IsUint64() || ok && n != x.Uint64() {
			t.Fatalf("Uint64(%s) = %d, %t", x, n, ok)
		}
		checkResult(t, "add", new(big.Int).Add(x, y), "amount_overflow")(a.Add(b))
		checkResult(t, "sub", new(big.Int).Sub(x, y), "amount_underflow")(a.Sub(b))
		checkResult(t, "mul", new(big.Int).Mul(x, new(big.Int).SetUint64(factor)), "amount_overflow")(a.Mul(factor))
		decimals := uint8(factor % 30)
		if back, err := ParseDecimal(a.FormatDecimal(decimals), decimals); err != nil || back != a {
			t.Fatalf("%s with %d decimals is %s and reads as %s, %v", x, decimals, a.FormatDecimal(decimals), back, err)
		}
	})
}

func checkResult(t *testing.T, name string, want *big.Int, code string) func(Amount, error) {
	return func(got Amount, err error) {
		t.Helper()
		if want.Sign() < 0 || want.Cmp(two256) >= 0 {
			if CodeOf(err) != code || got != (Amount{}) {
				t.Fatalf("%s: %s, %v; want %s for %s", name, got, err, code, want)
			}
			return
		}
		if err != nil || got.String() != want.String() {
			t.Fatalf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

// FuzzParseAmountTakesOneSpellingOnly: what is read is written back the same.
func FuzzParseAmountTakesOneSpellingOnly(f *testing.F) {
	for _, seed := range []string{"0", "1", "01", "", "+1", "-1", "1e4", "1.0", " 1", "1_000", "٣", two256.String()} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAmount(s)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != "amount_invalid" && e.Code != "amount_overflow" {
				t.Fatalf("%q: error %v", s, err)
			}
			return
		}
		if a.String() != s {
			t.Fatalf("%q reads as %s", s, a)
		}
	})
}

func TestParseAmountRefusesOtherSpellings(t *testing.T) {
	for _, s := range []string{
		"", "00", "01", "+1", "-1", "1e4", "1.0", " 1", "1 ", "1_000", "0x1", "٣",
		two256.String(), strings.Repeat("9", 79),
	} {
		if a, err := ParseAmount(s); err == nil {
			t.Errorf("%q reads as %s", s, a)
		}
	}
}

func TestParseDecimalNeverRounds(t *testing.T) {
	for s, want := range map[string]string{"0.05": "50000", "0": "0", "1": "1000000", "0.000001": "1", "12.340000": "12340000"} {
		if a, err := ParseDecimal(s, 6); err != nil || a.String() != want {
			t.Errorf("%q is %s, %v, want %s", s, a, err, want)
		}
	}
	for _, s := range []string{"", ".", ".5", "5.", "0.0000001", "01", "-1", "+1", "1e3", "1.2.3", "1,5", "1.-5", "0. 1"} {
		if a, err := ParseDecimal(s, 6); err == nil {
			t.Errorf("%q reads as %s", s, a)
		}
	}
}

func TestAmountIsAStringInJSON(t *testing.T) {
	text, err := json.Marshal(NewAmount(10000))
	if err != nil || string(text) != `"10000"` {
		t.Fatalf("%s, %v", text, err)
	}
	a := NewAmount(7)
	if err := json.Unmarshal([]byte(`"1e4"`), &a); err == nil || a != NewAmount(7) {
		t.Fatalf("a wrong spelling changed the amount to %s, %v", a, err)
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
