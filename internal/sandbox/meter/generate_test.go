package meter

import (
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// generator writes valid modules whose shape a byte string decides. Every call of "run" ends: function entries and loop
// heads take from a budget kept in a global and trap when it is gone.
type generator struct {
	data []byte
	pos  int
	// guarded makes the guest canonicalise NaNs itself wherever their bits can be seen, so that the original module has
	// only one right answer too.
	guarded bool

	b          *builder
	pages      uint32
	signatures []shapeOf
	locals     []byte
	// labels are the result types of the open blocks; loops take nothing.
	labels []label
	size   int
}

type shapeOf struct{ params, results []byte }

type label struct {
	result byte
	loop   bool
}

const (
	generatedFunctions  = 5
	generatedDepthMax   = 6
	generatedBytesMax   = 3000
	generatedBudget     = 200
	generatedTableSize  = 8
	generatedDataLength = 64
	generatedReserved   = 3 // locals
	// Globals: one of each number type, a reference, and the budget.
	globalI32, globalI64, globalF32, globalF64, globalRef, globalBudget = 0, 1, 2, 3, 4, 5
)

var numberTypes = []byte{tI32, tI64, tF32, tF64}

func (g *generator) next() int {
	if g.pos >= len(g.data) {
		return 0
	}
	g.pos++
	return int(g.data[g.pos-1])
}

func (g *generator) pick(n int) int { return g.next() % n }

func (g *generator) numberType() byte { return numberTypes[g.pick(4)] }

// generate returns a module with an exported run: (i32, i64, f32, f64) -> (i64, f64), a memory that can grow by three pages, a
// table, and the names of its mutable number globals.
func generate(data []byte, guarded bool) (module []byte, globals []string) {
	g := &generator{data: data, guarded: guarded, b: newBuilder()}
	b := g.b
	// Now and then as large that two chunks share a bit.
	g.pages = 2
	if g.pick(8) == 7 {
		g.pages = 66
	}
	b.memory = [][]byte{wasm.AppendU32(wasm.AppendU32([]byte{1}, g.pages), g.pages+3)}
	b.types = append(b.types, join(ops(wasm.TypeFunction), vector([]byte{tI32}), vector(nil)))
	b.imports = append(b.imports, join(vector([]byte("host")), vector([]byte("log")), ops(wasm.KindFunction, 0)))
	b.tables = append(b.tables, []byte{wasm.TypeFuncref, 0, generatedTableSize})
	b.global(tI32, true, i32(7)...)
	b.global(tI64, true, i64(-7)...)
	b.global(tF32, true, f32(1.5)...)
	b.global(tF64, true, f64(-0.25)...)
	b.global(wasm.TypeFuncref, true, wasm.OpRefNull, wasm.TypeFuncref)
	b.global(tI32, true, i32(generatedBudget)...)
	g.signatures = []shapeOf{{[]byte{tI32, tI64, tF32, tF64}, []byte{tI64, tF64}}}
	for range generatedFunctions - 1 {
		var s shapeOf
		for range g.pick(4) {
			s.params = append(s.params, g.numberType())
		}
		for range g.pick(3) {
			s.results = append(s.results, g.numberType())
		}
		g.signatures = append(g.signatures, s)
	}
	for _, s := range g.signatures {
		g.function(s)
	}
	elements := join(ops(0), i32(0), ops(wasm.OpEnd, generatedTableSize))
	for i := range generatedTableSize {
		elements = append(elements, byte(i%generatedFunctions+1))
	}
	b.elements = append(b.elements, elements)
	// A passive segment for table.init.
	b.elements = append(b.elements, []byte{1, 0, 2, 1, 2})
	b.dataCount = [][]byte{{1}}
	content := make([]byte, generatedDataLength)
	for i := range content {
		content[i] = byte(g.next())
	}
	b.data = append(b.data, append([]byte{1}, vector(content)...))
	b.export("run", wasm.KindFunction, 1)
	b.export("memory", wasm.KindMemory, 0)
	for i, name := range []string{"gi32", "gi64", "gf32", "gf64"} {
		b.export(name, wasm.KindGlobal, uint32(i))
		globals = append(globals, name)
	}
	b.export("budget", wasm.KindGlobal, globalBudget)
	return b.build(), append(globals, "budget")
}

func (g *generator) function(s shapeOf) {
	var locals []byte
	for range 2 + g.pick(4) {
		locals = append(locals, g.numberType())
	}
	// The last locals are two pointers, mostly into the memory, and one that counts loops.
	locals = append(locals, tI32, tI64, tI32)
	g.locals = append(append([]byte{}, s.params...), locals...)
	g.labels = nil
	g.size = 0
	code := [][]byte{g.budget()}
	for range 1 + g.pick(5) {
		code = append(code, g.statement(0))
	}
	for i, t := range s.results {
		code = append(code, g.guard(t, g.expression(t, 1)))
		if i == len(s.results)-1 && g.pick(4) == 0 {
			code = append(code, ops(wasm.OpReturn))
		}
	}
	g.b.function(s.params, s.results, locals, code...)
}

// budget takes one from the budget, or traps.
func (g *generator) budget() []byte {
	return join(index(wasm.OpGlobalGet, globalBudget), i32(1), ops(wasm.OpI32Sub), index(wasm.OpGlobalSet, globalBudget),
		index(wasm.OpGlobalGet, globalBudget), i32(0), ops(wasm.OpI32LtS, wasm.OpIf, wasm.TypeEmpty, wasm.OpUnreachable, wasm.OpEnd))
}

// guard makes any NaN on top of the stack the same one.
func (g *generator) guard(t byte, code []byte) []byte {
	if !g.guarded || (t != tF32 && t != tF64) {
		return code
	}
	local, ok := g.localOf(t)
	if !ok {
		// Without a local to keep it in, drop the value for a fixed one.
		return join(code, ops(wasm.OpDrop), g.constant(t))
	}
	nan, eq := []byte{wasm.OpF32Const, 1, 0, 0xc0, 0x7f}, byte(wasm.OpF32Eq)
	if t == tF64 {
		nan, eq = []byte{wasm.OpF64Const, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f}, wasm.OpF64Eq
	}
	return join(code, index(wasm.OpLocalTee, local), nan, index(wasm.OpLocalGet, local), index(wasm.OpLocalGet, local), ops(eq, wasm.OpSelect))
}

// localOf picks a local of a type, the last three excepted.
func (g *generator) localOf(t byte) (uint32, bool) {
	var all []uint32
	for i, have := range g.locals[:len(g.locals)-generatedReserved] {
		if have == t {
			all = append(all, uint32(i))
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return all[g.pick(len(all))], true
}

func (g *generator) constant(t byte) []byte {
	v := g.next()
	switch t {
	case tI32:
		return i32([]int32{0, 1, -1, 8, 64, 65_530, -1 << 31, int32(v) << 8}[v%8])
	case tI64:
		return i64([]int64{0, 1, -1, 63, 1 << 62, -1 << 63, int64(v) << 40, int64(v)}[v%8])
	case tF32:
		return [][]byte{f32(0), f32(-1.5), f32(1e30), {wasm.OpF32Const, 1, 0, 0xa0, 0xff}, f32(float32(v))}[v%5]
	default:
		return [][]byte{f64(0), f64(-1.5), f64(1e300), {wasm.OpF64Const, 9, 0, 0, 0, 0, 0, 0xf4, 0xff}, f64(float64(v))}[v%5]
	}
}

func (g *generator) full(depth int) bool {
	return depth >= generatedDepthMax || g.size > generatedBytesMax
}

// count keeps the size of what was written.
func (g *generator) count(code []byte) []byte {
	g.size += len(code)
	return code
}
