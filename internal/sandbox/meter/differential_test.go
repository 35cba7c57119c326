package meter

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// checkGenerated runs one generated module every way there is.
func checkGenerated(t *testing.T, data []byte) {
	t.Helper()
	args := []uint64{5, 1 << 33, 0x3fc00000, 0xc002000000000000}
	for _, guarded := range []bool{true, false} {
		module, globals := generate(data, guarded)
		rewritten, err := Rewrite(module)
		if err != nil {
			t.Fatalf("%v: %x", err, module)
		}
		var metered [2]outcome
		for i, engine := range []string{"compiler", "interpreter"} {
			m, err := instantiate(t, engine, rewritten.Wasm)
			if err != nil {
				t.Fatalf("%s refuses the rewritten module: %v\n%x", engine, err, module)
			}
			metered[i] = call(t, m, true, plenty, "run", globals, args...)
			// The stack is even again unless the guest trapped.
			if metered[i].trap == "" && metered[i].stack != StackSlotsMax {
				t.Errorf("%s: %d stack slots left of %d", engine, metered[i].stack, StackSlotsMax)
			}
			if !guarded {
				continue
			}
			original, err := instantiate(t, engine, module)
			if err != nil {
				t.Fatalf("the generator wrote an invalid module: %v\n%x", err, module)
			}
			if want := call(t, original, false, limits{}, "run", globals, args...); !want.sameAs(metered[i]) {
				t.Errorf("%s: original %v, rewritten %v\n%x", engine, want, metered[i], module)
			}
		}
		c, i := metered[0], metered[1]
		if !c.sameAs(i) || c.fuel != i.fuel || c.stack != i.stack || c.taint != i.taint {
			t.Errorf("compiler %v, interpreter %v\n%x", c, i, module)
		}
	}
}

func TestRewrittenModulesDoWhatTheOriginalsDo(t *testing.T) {
	rounds := uint64(300)
	if testing.Short() {
		rounds = 40
	}
	for seed := range rounds {
		data := make([]byte, 400)
		source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
		for i := 0; i < len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], source.Uint64())
		}
		checkGenerated(t, data)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzGenerated(f *testing.F) {
	for seed := range uint64(8) {
		data := make([]byte, 200)
		source := rand.NewChaCha8([32]byte{1, byte(seed)})
		for i := 0; i < len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], source.Uint64())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkGenerated(t, data) })
}
