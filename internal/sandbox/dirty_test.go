package sandbox

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/meter"
)

// TestWhatTheHostWritesIsPutBack calls every host function on far places of a memory, across the ends of chunks.
func TestWhatTheHostWritesIsPutBack(t *testing.T) {
	p := install(t, openHost(t, Config{}), "echo_policy")
	i, err := p.instantiate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.close(); err != nil {
			t.Error(err)
		}
	})
	if _, ok := i.memory.Grow(80); !ok {
		t.Fatal("a policy can have 256 pages, and this one cannot grow by 80")
	}
	const a, b, c = 7*meter.DirtyChunkBytes - 3, 20*meter.DirtyChunkBytes - 2, 70*meter.DirtyChunkBytes + 9
	arguments := map[string][]uint64{
		"args_get": {a, b}, "args_sizes_get": {a, b}, "environ_get": {a, b}, "environ_sizes_get": {a, b}, "clock_time_get": {0, 0, a},
		"fd_write": {1, c, 1, a}, "poll_oneoff": {c, a, 2, b}, "random_get": {a, 60_000}, "sched_yield": {0}, "log": {1, a, 4},
	}
	for at := range 200 { // no zeros, for what is written would be lost among them
		for _, place := range []uint32{a, b, c} {
			i.memory.WriteByte(place-50+uint32(at), 0xee)
		}
	}
	i.memory.WriteUint32Le(c, c+100)
	i.memory.WriteUint32Le(c+4, 5)
	image, err := i.capture()
	if err != nil {
		t.Fatal(err)
	}
	writes := 0
	for _, f := range hostFunctions {
		stack, known := arguments[f.name]
		if !known {
			if f.name != "proc_exit" {
				t.Errorf("%s is not tried", f.name)
			}
			continue
		}
		i.allow(p.limits.Fuel)
		i.state.begin(1700000000, p.limits)
		f.call(i.ctx, i.module, stack)
		memory, _ := i.memory.Read(0, i.memory.Size())
		if !bytes.Equal(memory, image.memory) {
			writes++
		}
		if !i.restore(image) || !bytes.Equal(memory, image.memory) {
			t.Errorf("%s: what it wrote was not put back", f.name)
		}
	}
	if writes != 6 {
		t.Errorf("%d host functions wrote, not 6", writes)
	}
}

func TestAMemoryIsPutBackWhereItIsMarkedAndNearby(t *testing.T) {
	random := rand.New(rand.NewChaCha8([32]byte{5}))
	for _, chunks := range []int{0, 1, 2, 37, 63, 64, 65, 130} {
		clean := make([]byte, chunks*meter.DirtyChunkBytes)
		for at := range clean {
			clean[at] = byte(at ^ at>>9)
		}
		memory := bytes.Clone(clean)
		for round := range 40 {
			dirty := random.Uint64() & random.Uint64() & random.Uint64() & random.Uint64()
			if round == 0 {
				dirty = 1<<63 | 1
			}
			for range 200 {
				if chunks == 0 {
					break
				}
				// A place that the marks speak for: in a chunk, or beside it.
				chunk := random.IntN(chunks + 1)
				if dirty>>(chunk%dirtyBits)&1 == 0 {
					continue
				}
				at := chunk*meter.DirtyChunkBytes - meter.DirtyMarginBytes + random.IntN(meter.DirtyChunkBytes+2*meter.DirtyMarginBytes)
				if at < 0 || at >= len(memory) {
					at = random.IntN(meter.DirtyMarginBytes)
				}
				memory[at] ^= 0x55
			}
			putBack(memory, clean, dirty)
			if !bytes.Equal(memory, clean) {
				t.Fatalf("%d chunks, marks %#x: not put back", chunks, dirty)
			}
		}
	}
}
