package meter

import (
	"bytes"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// BenchmarkCost prints the time of one unit of fuel for the instructions that could be far dearer than their price: each
// is repeated in a loop, on what it has just computed.
func BenchmarkCost(b *testing.B) {
	const repeats, rounds = 50, 1000
	// Locals: 0 the count, 1 an i32, 2 an i64, 3 an f64, 4 an f32.
	i32op := func(code ...byte) []byte {
		return join(index(wasm.OpLocalGet, 1), code, index(wasm.OpLocalSet, 1))
	}
	i64op := func(code ...[]byte) []byte {
		return join(index(wasm.OpLocalGet, 2), join(code...), index(wasm.OpLocalSet, 2))
	}
	f64op := func(code ...[]byte) []byte {
		return join(index(wasm.OpLocalGet, 3), join(code...), index(wasm.OpLocalSet, 3))
	}
	cases := []struct {
		name  string
		pages uint32
		code  []byte
	}{
		{"i64.add", 16, i64op(index(wasm.OpLocalGet, 2), ops(wasm.OpI64Add))},
		{"i64.mul", 16, i64op(index(wasm.OpLocalGet, 2), ops(wasm.OpI64Mul))},
		{"i64.div_s", 16, i64op(i64(-7), ops(0x7f), i64(1<<62), ops(0x84))},
		{"i64.rem_u", 16, i64op(i64(7), ops(0x82), i64(-1), ops(0x84))},
		{"f64.add", 16, f64op(f64(1.5), ops(0xa0))},
		{"f64.div", 16, f64op(f64(1.1), ops(0xa3))},
		{"f64.sqrt", 16, f64op(ops(0x9f))},
		{"f64.nearest", 16, f64op(ops(0x9e))},
		{"f64.min", 16, f64op(f64(1.5), ops(0xa4))},
		{"f64.convert", 16, join(index(wasm.OpLocalGet, 2), ops(0xba), index(wasm.OpLocalSet, 3))},
		{"i64.trunc_sat_u", 16, join(index(wasm.OpLocalGet, 3), ops(wasm.OpPrefix, 7), index(wasm.OpLocalSet, 2))},
		{"i32.load chasing 16 MiB", 256, i32op(0x28, 0, 0)},
		{"i32.load chasing 1 MiB", 16, i32op(0x28, 0, 0)},
		{"i64.store", 16, join(index(wasm.OpLocalGet, 1), index(wasm.OpLocalGet, 2), ops(0x37, 0, 0))},
		{"global.get and set", 16, join(index(wasm.OpGlobalGet, 0), i32(1), ops(wasm.OpI32Add), index(wasm.OpGlobalSet, 0))},
		{"call", 16, join(index(wasm.OpCall, 2))},
		{"call of the host", 16, join(i32(0), index(wasm.OpCall, 0))},
		{"call_indirect", 16, join(i32(1), ops(wasm.OpCallIndirect, 2, 0))},
		{"ref.func", 16, ops(wasm.OpRefFunc, 2, wasm.OpDrop)},
		{"table.get", 16, join(i32(1), ops(wasm.OpTableGet, 0, wasm.OpRefIsNull), index(wasm.OpLocalSet, 1))},
		{"table.set", 16, join(i32(0), ops(wasm.OpRefNull, wasm.TypeFuncref, wasm.OpTableSet, 0))},
		{"table.grow", 16, join(ops(wasm.OpRefNull, wasm.TypeFuncref), i32(0), ops(wasm.OpPrefix, wasm.PrefixTableGrow, 0, wasm.OpDrop))},
		{"memory.grow", 16, join(i32(0), ops(wasm.OpMemoryGrow, 0, wasm.OpDrop))},
		{"memory.fill of nothing", 16, join(i32(0), i32(0), i32(0), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))},
		{"memory.fill of 100", 16, join(i32(0), i32(0), i32(100), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))},
		{"memory.copy of 1", 16, join(i32(0), i32(0), i32(1), ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0))},
		{"memory.init of 8", 16, join(i32(0), i32(0), i32(8), ops(wasm.OpPrefix, wasm.PrefixMemoryInit, 0, 0))},
		{"br_table", 16, join(ops(wasm.OpBlock, wasm.TypeEmpty, wasm.OpBlock, wasm.TypeEmpty), index(wasm.OpLocalGet, 0), ops(wasm.OpBrTable, 1, 0, 1, wasm.OpEnd, wasm.OpEnd))},
		{"a branch nobody can foretell", 16, join(index(wasm.OpLocalGet, 2), i64(0x5851f42d4c957f2d), ops(wasm.OpI64Mul), i64(0x14057b7ef767814f), ops(wasm.OpI64Add), index(wasm.OpLocalTee, 2), i64(40), ops(0x88, 0xa7), i32(1), ops(0x71, wasm.OpIf, wasm.TypeEmpty), index(wasm.OpLocalGet, 1), i32(3), ops(0x73), index(wasm.OpLocalSet, 1), ops(wasm.OpEnd))},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			builder := newBuilder()
			builder.memory = [][]byte{wasm.AppendU32([]byte{0}, c.pages)}
			builder.types = append(builder.types, join(ops(wasm.TypeFunction), vector([]byte{tI32}), vector(nil)))
			builder.imports = append(builder.imports, join(vector([]byte("host")), vector([]byte("log")), ops(wasm.KindFunction, 0)))
			builder.tables = append(builder.tables, []byte{wasm.TypeFuncref, 0, 2})
			builder.elements = append(builder.elements, join(ops(0), i32(0), ops(wasm.OpEnd, 2, 2, 2)))
			builder.global(tI32, true, i32(0)...)
			builder.dataCount, builder.data = [][]byte{{1}}, [][]byte{append([]byte{1}, vector(make([]byte, 8))...)}
			run := builder.function([]byte{tI32}, nil, []byte{tI32, tI64, tF64, tF32}, ops(wasm.OpLoop, wasm.TypeEmpty), bytes.Repeat(c.code, repeats),
				index(wasm.OpLocalGet, 0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 0), index(wasm.OpBrIf, 0), ops(wasm.OpEnd),
				// Used, or the compiler leaves out what nobody uses.
				i32(0), index(wasm.OpLocalGet, 1), ops(0x36, 0, 8), i32(0), index(wasm.OpLocalGet, 2), ops(0x37, 0, 16), i32(0), index(wasm.OpLocalGet, 3), ops(0x39, 0, 24))
			builder.function(nil, nil, nil)
			builder.export("run", wasm.KindFunction, run+1)
			builder.export("memory", wasm.KindMemory, 0)
			rewritten, err := Rewrite(builder.build())
			if err != nil {
				b.Fatal(err)
			}
			benchmarkChase(b, rewritten.Wasm, rounds)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/repeats/rounds, "ns/each")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// benchmarkChase runs a guest whose memory is a chain of addresses, each far from the one before.
func benchmarkChase(b *testing.B, module []byte, n uint64) {
	m, err := instantiate(b, "compiler", module)
	if err != nil {
		b.Fatal(err)
	}
	size := m.Memory().Size()
	for at := uint32(0); at < size; at += 64 {
		m.Memory().WriteUint32Le(at, (at*5+64*1031)%size&^63)
	}
	b.ResetTimer()
	for range b.N {
		setLimits(b, m, plenty)
		if _, err := m.ExportedFunction("run").Call(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	}
	used := plenty.fuel - m.ExportedGlobal(FuelGlobal).Get()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(used), "ns/fuel")
}
