package sdktest

import (
	"math/rand/v2"
	"testing"

	"github.com/purserhq/purser/abi"
)

const cCalculationsMax = 4000

// edgeAmount is a number near the borders of words as often as one anywhere.
func edgeAmount(random *rand.Rand) abi.Amount {
	var word [32]byte
	for i := 32 - random.IntN(33); i < 32; i++ {
		switch random.IntN(3) {
		case 0:
			word[i] = 0xff
		case 1:
			word[i] = byte(random.IntN(256))
		}
	}
	return abi.AmountFromWord(word)
}

func provesTheCAmounts(t *testing.T, h *cHarness) {
	t.Helper()
	random := rand.New(rand.NewPCG(19, 53)) // #nosec G404 -- the same numbers each time
	fitting := 0
	for range cCalculationsMax {
		a, b := edgeAmount(random), edgeAmount(random)
		if random.IntN(4) == 0 {
			b = a
		}
		factor := edgeFactor(random)
		sum, sumErr := a.Add(b)
		difference, differenceErr := a.Sub(b)
		product, productErr := a.Mul(factor)
		for _, c := range []struct {
			operation string
			second    abi.Amount
			want      abi.Amount
			err       error
		}{
			{"add", b, sum, sumErr},
			{"subtract", b, difference, differenceErr},
			{"multiply", abi.NewAmount(factor), product, productErr},
			{"compare", b, abi.NewAmount(uint64(a.Cmp(b) + 1)), nil}, // #nosec G115 -- 0 to 2
		} {
			first, second := a.Word(), c.second.Word()
			got, ok := h.ask(t, 'm', c.operation, append(first[:], second[:]...))
			if ok != (c.err == nil) || ok && string(got) != c.want.String() {
				t.Errorf("%s %s %s: %s, %t; want %s, %v", a, c.operation, c.second, got, ok, c.want, c.err)
			}
			if ok {
				fitting++
			}
		}
	}
	if fitting < cCalculationsMax || fitting == 4*cCalculationsMax {
		t.Errorf("%d of %d results fit", fitting, 4*cCalculationsMax)
	}
	h.stop(t)
}

func edgeFactor(random *rand.Rand) uint64 {
	shift := random.IntN(64)
	return [...]uint64{0, 1, 1 << shift, 1<<shift - 1, ^uint64(0), random.Uint64() >> shift}[random.IntN(6)]
}

func provesTheCSpellings(t *testing.T, h *cHarness) {
	t.Helper()
	const largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	for _, text := range []string{
		"", "0", "00", "01", "1", "-1", "+1", "1e3", "1.0", " 1", "1 ", "1_0", "0x1", "\x00", "1\x00", "٣", "9", "10", "18446744073709551615",
		"18446744073709551616", largest, largest[:77] + "6", "2" + largest[1:], "0" + largest, largest + "0", "999999999", "1000000000",
	} {
		want, err := abi.ParseAmount(text)
		got, ok := h.ask(t, 'm', "parse", []byte(text))
		if ok != (err == nil) || ok && string(got) != want.String() {
			t.Errorf("%q: %s, %t; want %s, %v", text, got, ok, want, err)
		}
	}
	h.stop(t)
}
