package meter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// pointers writes run(n) guests of few stores through few pointers, far apart, so that a mark that is missing shows:
// after many stores all is marked anyway. Locals 0 to 2 are numbers that decide the branches and count the loops, 3 and
// 4 pointers of 32 bits, 5 and 6 of 64.
type pointers struct {
	*generator
	stores, depth int
}

const (
	pointerPages  = 24
	pointerDepth  = 3
	pointerStores = 6
)

func generatePointers(data []byte, pages uint32) []byte {
	p := &pointers{generator: &generator{data: data, pages: pages}}
	b := newBuilder()
	b.memory = [][]byte{wasm.AppendU32([]byte{0}, pages)}
	code := [][]byte{p.move(3), p.move(4), p.move(5), p.move(6)}
	for p.pos < len(p.data) && p.stores < pointerStores {
		code = append(code, p.statement())
	}
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, []byte{tI32, tI32, tI32, tI32, tI64, tI64}, code...))
	b.function(nil, nil, nil)
	b.export("memory", wasm.KindMemory, 0)
	return b.build()
}

func (p *pointers) statement() []byte {
	switch choice := p.pick(12); {
	case choice < 4:
		return p.store()
	case choice < 7 || p.depth == pointerDepth:
		return p.move(uint32(3 + p.pick(4)))
	case choice == 7:
		return join(p.condition(), ops(wasm.OpIf, wasm.TypeEmpty), p.inside(), ops(wasm.OpElse), p.inside(), ops(wasm.OpEnd))
	case choice == 8:
		return join(p.condition(), ops(wasm.OpIf, wasm.TypeEmpty), p.inside(), ops(wasm.OpEnd))
	case choice == 9: // twice
		return join(index(wasm.OpLocalGet, 0), i32(int32(1+p.pick(4))), ops(0x71), index(wasm.OpLocalSet, 1), ops(wasm.OpLoop, wasm.TypeEmpty), p.inside(),
			index(wasm.OpLocalGet, 1), i32(0), index(wasm.OpLocalSet, 1), index(wasm.OpBrIf, 0), ops(wasm.OpEnd))
	case choice == 10:
		return join(ops(wasm.OpBlock, wasm.TypeEmpty), p.inside(), p.condition(), index(wasm.OpBrIf, uint32(p.pick(p.depth+1))), p.inside(), ops(wasm.OpEnd))
	default:
		return index(wasm.OpCall, 1)
	}
}

func (p *pointers) condition() []byte {
	return join(index(wasm.OpLocalGet, 0), i32(1<<p.pick(4)), ops(0x71))
}

// inside must not branch to a loop around it, which would go round for ever: branches out are to blocks and ifs, and a
// loop's own counter ends it.
func (p *pointers) inside() []byte {
	p.depth++
	defer func() { p.depth-- }()
	var code []byte
	for range 1 + p.pick(3) {
		code = append(code, p.statement()...)
	}
	return code
}

func (p *pointers) far() int32 {
	return int32(p.pick(int(p.pages)))<<16 + []int32{0, 1, 0x8000, 0xfff0, 0xfffd, 0xffff}[p.pick(6)]
}

func (p *pointers) near() int32 {
	d := []int32{8, 16, 100, 2000, dirtyReach - 1, dirtyReach, dirtyReach + 1, DirtyMarginBytes, 3 * DirtyMarginBytes, DirtyChunkBytes}[p.pick(10)]
	if p.pick(2) == 0 {
		return -d
	}
	return d
}

// value is a pointer of 32 bits.
func (p *pointers) value() []byte {
	if p.pick(2) == 0 {
		return index(wasm.OpLocalGet, uint32(3+p.pick(2)))
	}
	return join(index(wasm.OpLocalGet, uint32(5+p.pick(2))), ops(wasm.OpI32Wrap))
}

// move sets a pointer: far away, or to where another is, or near to it.
func (p *pointers) move(pointer uint32) []byte {
	wide := pointer >= 5
	to := i32(p.far())
	switch p.pick(4) {
	case 0:
		to = p.value()
	case 1:
		to = join(p.value(), i32(p.near()), ops([]byte{wasm.OpI32Add, wasm.OpI32Sub}[p.pick(2)]))
	case 2:
		to = join(i32(p.near()), p.value(), ops(wasm.OpI32Add))
	}
	if wide {
		to = append(to, []byte{wasm.OpI64ExtendS, wasm.OpI64ExtendU}[p.pick(2)])
	}
	if wide && p.pick(2) == 0 {
		to = join(to, i64(int64(p.near())), ops([]byte{wasm.OpI64Add, wasm.OpI64Sub}[p.pick(2)]))
	}
	return join(to, index(wasm.OpLocalSet, pointer))
}

func (p *pointers) store() []byte {
	p.stores++
	address, offset := p.value(), p.near()
	switch p.pick(8) {
	case 0:
		address = i32(p.far())
	case 1:
		address = join(p.value(), i32(p.near()), ops(wasm.OpI32Add))
	case 2:
		address = join(p.value(), index(wasm.OpLocalTee, uint32(3+p.pick(2))))
	case 3: // an address that is in no local
		address = join(p.value(), p.value(), p.condition(), ops(wasm.OpSelect))
	}
	var moved []byte
	if p.pick(6) == 0 { // the local changes under the operand
		moved = p.move(uint32(3 + p.pick(4)))
	}
	if p.pick(3) == 0 {
		offset = 0
	}
	offset = max(offset, 0)
	all := [][]byte{
		join(i32(-1), ops(0x36)), join(i64(-1), ops(0x37)), join(f32(-1.5), ops(0x38)), join(f64(-1.5), ops(0x39)), join(i32(-1), ops(0x3a)),
		join(i32(-1), ops(0x3b)), join(i64(-1), ops(0x3c)), join(i64(-1), ops(0x3d)), join(i64(-1), ops(0x3e)),
	}
	return join(address, moved, all[p.pick(len(all))], ops(0), wasm.AppendU32(nil, uint32(offset)))
}

// checkPointers runs one guest with every way through its branches, and looks at its marks.
func checkPointers(t *testing.T, r wazero.Runtime, data []byte, pages uint32) {
	t.Helper()
	module := generatePointers(data, pages)
	rewritten, err := Rewrite(module)
	if err != nil {
		t.Fatalf("%v: %x", err, module)
	}
	m, err := r.InstantiateWithConfig(context.Background(), rewritten.Wasm, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatalf("%v: %x", err, module)
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	before := make([]byte, len(memory))
	for n := range uint64(16) {
		setLimits(t, m, limits{fuel: 5000, stack: StackSlotsMax})
		m.ExportedGlobal(DirtyGlobal).(api.MutableGlobal).Set(0)
		_, _ = m.ExportedFunction("run").Call(context.Background(), n) //nolint:errcheck // it may trap: what it wrote before is marked
		checkMarks(t, before, memory, m.ExportedGlobal(DirtyGlobal).Get())
		if t.Failed() {
			t.Fatalf("run(%d) of %x", n, module)
		}
		clear(memory)
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestEveryChangeOfMemoryIsMarked(t *testing.T) {
	rounds := 800
	if testing.Short() {
		rounds = 400
	}
	for _, engine := range []string{"compiler", "interpreter"} {
		t.Run(engine, func(t *testing.T) {
			r := newRuntime(t, engine)
			for seed := range rounds {
				source := rand.NewChaCha8([32]byte{2, byte(seed), byte(seed >> 8)})
				data := make([]byte, 150)
				_, _ = source.Read(data) //nolint:errcheck // never fails
				checkPointers(t, r, data, pointerPages)
			}
			for seed := range rounds / 400 {
				data := make([]byte, 150)
				_, _ = rand.NewChaCha8([32]byte{3, byte(seed)}).Read(data) //nolint:errcheck // never fails
				for _, pages := range []uint32{65, 130, 256} {
					checkPointers(t, r, data, pages)
				}
			}
		})
	}
}

func FuzzMarks(f *testing.F) {
	for seed := range 8 {
		data := make([]byte, 150)
		_, _ = rand.NewChaCha8([32]byte{4, byte(seed)}).Read(data) //nolint:errcheck // never fails
		f.Add(data)
	}
	r := newRuntime(f, "interpreter")
	f.Fuzz(func(t *testing.T, data []byte) { checkPointers(t, r, data, pointerPages) })
}

func TestBulkWritesAreMarkedWhereverTheyBeginAndEnd(t *testing.T) {
	const pages = 512
	b := newBuilder()
	b.memory = [][]byte{wasm.AppendU32([]byte{0}, pages)}
	get := func(i uint32) []byte { return index(wasm.OpLocalGet, i) }
	three := []byte{tI32, tI32, tI32}
	b.export("fill", wasm.KindFunction, b.function(three, nil, nil, get(0), i32(7), get(2), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0)))
	b.export("copy", wasm.KindFunction, b.function(three, nil, nil, get(0), get(1), get(2), ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0)))
	b.export("init", wasm.KindFunction, b.function(three, nil, nil, get(0), get(1), get(2), ops(wasm.OpPrefix, wasm.PrefixMemoryInit, 0, 0)))
	b.export("memory", wasm.KindMemory, 0)
	segment := make([]byte, 3*DirtyChunkBytes)
	for i := range segment {
		segment[i] = byte(i%251) + 1
	}
	b.dataCount = [][]byte{{1}}
	b.data = append(b.data, append([]byte{1}, vector(segment)...))
	rewritten, err := Rewrite(b.build())
	if err != nil {
		t.Fatal(err)
	}
	r := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigCompiler())
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	m, err := r.InstantiateWithConfig(context.Background(), rewritten.Wasm, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		t.Fatal(err)
	}
	memory, _ := m.Memory().Read(0, m.Memory().Size())
	const chunk, all = DirtyChunkBytes, pages * DirtyChunkBytes
	for _, c := range []struct {
		export         string
		to, from, size uint64
		traps          bool
	}{
		{"fill", 5*chunk - 1, 0, 2, false},
		{"fill", 5 * chunk, 0, 0, false},
		{"fill", 62 * chunk, 0, 5 * chunk, false},
		{"fill", 3*chunk + 9, 0, 63 * chunk, false},
		{"fill", 70 * chunk, 0, 64*chunk - 1, false},
		{"fill", 70*chunk + 1, 0, 64 * chunk, false},
		{"fill", 0, 0, all, false},
		{"fill", all - 3, 0, 3, false},
		{"fill", all - 3, 0, 4, true},
		{"fill", 100, 0, 1<<32 - 1, true},
		{"copy", 9*chunk - 7, 2 * chunk, 20, false},
		{"copy", 2*chunk + 100, 2 * chunk, 3 * chunk, false},
		{"copy", 2 * chunk, 2*chunk + 100, 3 * chunk, false},
		{"copy", 500*chunk - 2, 1, 12 * chunk, false},
		{"init", 127*chunk - 1, 5, 2 * chunk, false},
		{"init", 127 * chunk, 2 * chunk, chunk, false},
		{"init", 127 * chunk, 2*chunk + 1, chunk, true},
	} {
		name := fmt.Sprintf("%s(%#x, %#x, %#x)", c.export, c.to, c.from, c.size)
		for i := range memory {
			memory[i] = byte(i*7 + i>>13)
		}
		before := append([]byte{}, memory...)
		setLimits(t, m, plenty)
		m.ExportedGlobal(DirtyGlobal).(api.MutableGlobal).Set(0)
		_, err := m.ExportedFunction(c.export).Call(context.Background(), c.to, c.from, c.size)
		if (err != nil) != c.traps {
			t.Fatalf("%s: %v", name, err)
		}
		checkMarks(t, before, memory, m.ExportedGlobal(DirtyGlobal).Get())
	}
}

// TestAMarkIsFollowedThroughArithmetic stores where only a wrong sign or a wrong sum could take an earlier mark for one.
func TestAMarkIsFollowedThroughArithmetic(t *testing.T) {
	get, set := func(i uint32) []byte { return index(wasm.OpLocalGet, i) }, func(i uint32) []byte { return index(wasm.OpLocalSet, i) }
	put := func(offset uint32) []byte { return join(i32(-1), ops(0x36, 0), wasm.AppendU32(nil, offset)) }
	const edge = 6 * DirtyChunkBytes
	for name, code := range map[string][]byte{
		"a sum in another local":       join(i32(edge-16), set(0), get(0), put(0), get(0), i32(4000), ops(wasm.OpI32Add), set(1), get(1), put(4090)),
		"a sum the other way round":    join(i32(edge-16), set(0), get(0), put(0), i32(4000), get(0), ops(wasm.OpI32Add), set(1), get(1), put(4090)),
		"a sum on the stack":           join(i32(edge-16), set(0), get(0), put(0), get(0), i32(4000), ops(wasm.OpI32Add), put(4090)),
		"a difference":                 join(i32(edge-8000), set(0), get(0), put(8000), get(0), i32(4000), ops(wasm.OpI32Sub), put(0)),
		"a difference of 64 bits":      join(i32(edge-8000), set(0), get(0), put(8000), get(0), ops(wasm.OpI64ExtendU), i64(4000), ops(wasm.OpI64Sub, wasm.OpI32Wrap), put(0)),
		"a constant less a local":      join(i32(-edge), set(0), get(0), i32(2*edge), ops(wasm.OpI32Add), put(0), i32(4000), get(0), ops(wasm.OpI32Sub), put(0)),
		"a sum that wraps":             join(i32(-8), set(0), get(0), i32(4000), ops(wasm.OpI32Add), put(200)),
		"a sum that wraps far":         join(i32(-8), set(0), get(0), i32(edge), ops(wasm.OpI32Add), put(0)),
		"a step in the local itself":   join(i32(edge-16), set(0), get(0), put(0), get(0), i32(4000), ops(wasm.OpI32Add), index(wasm.OpLocalTee, 0), put(4090)),
		"a constant beside a constant": join(i32(edge-16), put(0), i32(edge), put(5000)),
		"a constant that wraps":        join(i32(-16), i32(edge), ops(wasm.OpI32Add), put(20)),
		"beside code never reached": join(i32(edge), set(0), get(0), put(0), ops(wasm.OpLoop, wasm.TypeEmpty, wasm.OpBlock, wasm.TypeEmpty, wasm.OpBr, 0),
			i32(0), ops(wasm.OpIf, wasm.TypeEmpty, wasm.OpElse, wasm.OpEnd, wasm.OpEnd), get(0), put(0), ops(wasm.OpEnd), i32(9*edge/2), set(0), get(0), put(0)),
		"an address that a loop moves": join(i32(edge), set(0), i32(2), set(1), get(0), put(0), ops(wasm.OpLoop, wasm.TypeEmpty), get(0), put(0),
			i32(3*edge), set(0), get(1), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 1), index(wasm.OpBrIf, 0), ops(wasm.OpEnd)),
		"both halves of a straddle":     join(i32(edge-4), set(0), get(0), i64(-1), ops(0x37, 0, 0)),
		"an address kept over the loop": join(i32(edge), set(0), get(0), i32(2), set(1), ops(wasm.OpLoop, wasm.TypeEmpty), i32(3*edge), set(0), get(1), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 1), index(wasm.OpBrIf, 0), ops(wasm.OpEnd), put(0)),
	} {
		b := newBuilder()
		b.memory = [][]byte{{0, 40}}
		b.export("run", wasm.KindFunction, b.function(nil, nil, []byte{tI32, tI32}, code))
		b.export("memory", wasm.KindMemory, 0)
		if o := runMetered(t, "compiler", b.build(), plenty, "run"); o.trap != "" {
			t.Errorf("%s: %s", name, o.trap)
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestAGuestCannotReachItsMarks: the index behind the module's own globals is the meter's, and so are its names.
func TestAGuestCannotReachItsMarks(t *testing.T) {
	for global := range uint32(injectedGlobals) {
		b := newBuilder()
		b.export("run", wasm.KindFunction, b.function(nil, nil, nil, i64(0), index(wasm.OpGlobalSet, global)))
		if _, err := Rewrite(b.build()); err == nil {
			t.Errorf("global %d is not the guest's", global)
		}
	}
	b := newBuilder()
	b.export(DirtyGlobal, wasm.KindGlobal, b.global(tI64, true, i64(0)...))
	b.function(nil, nil, nil)
	if _, err := Rewrite(b.build()); err == nil {
		t.Error("a guest named a global of its own as the meter's")
	}
}
