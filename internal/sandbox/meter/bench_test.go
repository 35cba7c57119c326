package meter

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// goGuest is a policy built by Go, which `make plugins` leaves here.
const goGuest = "../../../plugins/bundle/dist/price-sanity.wasm"

func readGoGuest(tb testing.TB) []byte {
	tb.Helper()
	module, err := os.ReadFile(goGuest)
	if err != nil {
		tb.Skipf("no Go guest, run make plugins: %v", err)
	}
	return module
}

func BenchmarkRewrite(b *testing.B) {
	module := readGoGuest(b)
	b.SetBytes(int64(len(module)))
	for b.Loop() {
		m, err := Rewrite(module)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(m.Wasm))/float64(len(module)), "times-the-bytes")
	}
}

// kernels are run(n) guests, each heavy in one thing.
func kernels() map[string]struct {
	module []byte
	n      uint64
} {
	type kernel = struct {
		module []byte
		n      uint64
	}
	get, set := func(i uint32) []byte { return index(wasm.OpLocalGet, i) }, func(i uint32) []byte { return index(wasm.OpLocalSet, i) }
	one := func(params, results, locals []byte, code ...[]byte) []byte {
		b := newBuilder()
		b.export("run", wasm.KindFunction, b.function(params, results, locals, code...))
		return b.build()
	}
	calls := one([]byte{tI32}, []byte{tI32}, nil, get(0), i32(2), ops(wasm.OpI32LtS, wasm.OpIf, tI32), get(0), ops(wasm.OpElse),
		get(0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpCall, 0), get(0), i32(2), ops(wasm.OpI32Sub), index(wasm.OpCall, 0), ops(wasm.OpI32Add, wasm.OpEnd))
	// A sieve of 32 Ki bytes, n times over.
	sieve := one([]byte{tI32}, nil, []byte{tI32, tI32},
		ops(wasm.OpLoop, wasm.TypeEmpty), i32(2), set(1),
		ops(wasm.OpLoop, wasm.TypeEmpty), get(1), ops(0x2d, 0, 0, 0x45, wasm.OpIf, wasm.TypeEmpty), get(1), get(1), ops(wasm.OpI32Add), set(2),
		ops(wasm.OpLoop, wasm.TypeEmpty), get(2), i32(1), ops(0x3a, 0, 0), get(2), get(1), ops(wasm.OpI32Add), index(wasm.OpLocalTee, 2), i32(32768), ops(wasm.OpI32LtU), index(wasm.OpBrIf, 0), ops(wasm.OpEnd, wasm.OpEnd),
		get(1), i32(1), ops(wasm.OpI32Add), index(wasm.OpLocalTee, 1), i32(16384), ops(wasm.OpI32LtU), index(wasm.OpBrIf, 0), ops(wasm.OpEnd),
		i32(0), i32(0), i32(32768), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0),
		get(0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 0), index(wasm.OpBrIf, 0), ops(wasm.OpEnd))
	// x = x*1.5 + 0.25 - x/3, n times, kept.
	floats := one([]byte{tI32}, []byte{tF64}, []byte{tF64}, ops(wasm.OpLoop, wasm.TypeEmpty),
		get(1), f64(1.5), ops(0xa2), f64(0.25), ops(0xa0), get(1), f64(3), ops(0xa3, 0xa1), set(1),
		get(0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 0), index(wasm.OpBrIf, 0), ops(wasm.OpEnd), get(1))
	// A hash of the first 4 KiB: bytes, multiplications and branches.
	hash := one([]byte{tI32}, []byte{tI64}, []byte{tI32, tI64}, ops(wasm.OpLoop, wasm.TypeEmpty), i32(0), set(1),
		ops(wasm.OpLoop, wasm.TypeEmpty), get(2), get(1), ops(0x31, 0, 0, 0x85), i64(0x100000001b3), ops(wasm.OpI64Mul), set(2),
		get(1), i32(7), ops(0x71, wasm.OpIf, wasm.TypeEmpty), get(2), get(2), i64(13), ops(0x88, 0x85), set(2), ops(wasm.OpEnd),
		get(1), i32(1), ops(wasm.OpI32Add), index(wasm.OpLocalTee, 1), i32(4096), ops(wasm.OpI32LtU), index(wasm.OpBrIf, 0), ops(wasm.OpEnd),
		get(0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 0), index(wasm.OpBrIf, 0), ops(wasm.OpEnd), get(2))
	return map[string]kernel{"calls": {calls, 20}, "sieve": {sieve, 1}, "floats": {floats, 100_000}, "hash": {hash, 10}}
}

// BenchmarkMeterOverhead runs each kernel as it is and rewritten, on the compiler. Compare the two lines.
func BenchmarkMeterOverhead(b *testing.B) {
	for _, name := range []string{"calls", "sieve", "floats", "hash"} {
		k := kernels()[name]
		rewritten, err := Rewrite(k.module)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/plain", func(b *testing.B) { benchmarkCall(b, k.module, k.n, false) })
		b.Run(name+"/metered", func(b *testing.B) { benchmarkCall(b, rewritten.Wasm, k.n, true) })
	}
}

func benchmarkCall(b *testing.B, module []byte, n uint64, metered bool) {
	m, err := instantiate(b, "compiler", module)
	if err != nil {
		b.Fatal(err)
	}
	run, stack := m.ExportedFunction("run"), []uint64{0}
	b.ResetTimer()
	for range b.N {
		if metered {
			setLimits(b, m, plenty)
		}
		stack[0] = n
		if err := run.CallWithStack(context.Background(), stack); err != nil {
			b.Fatal(err)
		}
	}
	if metered {
		used := plenty.fuel - m.ExportedGlobal(FuelGlobal).Get()
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(used), "ns/fuel")
	}
}

// BenchmarkGoStart starts the runtime of a Go guest.
func BenchmarkGoStart(b *testing.B) {
	module := readGoGuest(b)
	rewritten, err := Rewrite(module)
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range []struct {
		name    string
		module  []byte
		metered bool
	}{{"plain", module, false}, {"metered", rewritten.Wasm, true}} {
		b.Run(v.name, func(b *testing.B) {
			r, compiled := compileGoGuest(b, v.module)
			var fuel uint64
			for b.Loop() {
				m, err := r.InstantiateModule(context.Background(), compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
				if err != nil {
					b.Fatal(err)
				}
				if v.metered {
					setLimits(b, m, plenty)
				}
				if _, err := m.ExportedFunction("_initialize").Call(context.Background()); err != nil {
					b.Fatal(err)
				}
				if v.metered {
					fuel = plenty.fuel - m.ExportedGlobal(FuelGlobal).Get()
				}
				if err := m.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			if v.metered {
				b.ReportMetric(float64(fuel), "fuel")
			}
		})
	}
}

// compileGoGuest compiles a Go guest beside wazero's own WASI, which is enough to start its runtime.
func compileGoGuest(tb testing.TB, module []byte) (wazero.Runtime, wazero.CompiledModule) {
	tb.Helper()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2&^api.CoreFeatureSIMD))
	tb.Cleanup(func() {
		if err := r.Close(ctx); err != nil {
			tb.Error(err)
		}
	})
	compiled, err := r.CompileModule(ctx, module)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		tb.Fatal(err)
	}
	nothing := func(uint32, uint32, uint32) {}
	if _, err := r.NewHostModuleBuilder("purser_host_1").NewFunctionBuilder().WithFunc(nothing).Export("log").Instantiate(ctx); err != nil {
		tb.Fatal(err)
	}
	return r, compiled
}

// BenchmarkBulk prints the time of one unit of fuel for each operation that is charged by length.
func BenchmarkBulk(b *testing.B) {
	const length = 1 << 19
	grown := func(pages int32) []byte { return join(i32(pages), ops(wasm.OpMemoryGrow, 0, wasm.OpDrop)) }
	cases := []struct {
		name string
		code []byte
	}{
		{"fill", join(i32(0), i32(1), i32(length), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))},
		{"fill-short", join(i32(0), i32(1), i32(16), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))},
		{"copy", join(i32(0), i32(length), i32(length), ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0))},
		{"copy-overlapping", join(i32(1), i32(0), i32(length), ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0))},
		{"copy-short", join(i32(0), i32(32), i32(16), ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0))},
		{"grow-0", grown(0)},
		{"grow-refused", grown(1000)},
		{"table-fill", join(i32(0), ops(wasm.OpRefNull, wasm.TypeFuncref), i32(100_000), ops(wasm.OpPrefix, wasm.PrefixTableFill, 0))},
		{"table-copy", join(i32(0), i32(50_000), i32(50_000), ops(wasm.OpPrefix, wasm.PrefixTableCopy, 0, 0))},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			builder := newBuilder()
			builder.memory = [][]byte{{0, testPagesMax}}
			builder.tables = append(builder.tables, wasm.AppendU32([]byte{wasm.TypeFuncref, 0}, 100_000))
			builder.export("run", wasm.KindFunction, builder.function([]byte{tI32}, nil, nil, bytes.Repeat(c.code, 10)))
			rewritten, err := Rewrite(builder.build())
			if err != nil {
				b.Fatal(err)
			}
			benchmarkCall(b, rewritten.Wasm, 0, true)
		})
	}
	// Growing from one page to the limit, a page at a time and at once, needs a fresh instance each time.
	for _, pages := range []int32{1, 5, 15, 51, 255} {
		b.Run(fmt.Sprintf("grow-by-%d", pages), func(b *testing.B) { benchmarkGrow(b, grown(pages), 255/int(pages)) })
	}
}

func benchmarkGrow(b *testing.B, grow []byte, times int) {
	builder := newBuilder()
	builder.export("run", wasm.KindFunction, builder.function([]byte{tI32}, nil, nil, bytes.Repeat(grow, times)))
	rewritten, err := Rewrite(builder.build())
	if err != nil {
		b.Fatal(err)
	}
	r := newRuntime(b, "compiler")
	compiled, err := r.CompileModule(context.Background(), rewritten.Wasm)
	if err != nil {
		b.Fatal(err)
	}
	var used uint64
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		m, err := r.InstantiateModule(context.Background(), compiled, wazero.NewModuleConfig().WithName(""))
		if err != nil {
			b.Fatal(err)
		}
		setLimits(b, m, plenty)
		b.StartTimer()
		if _, err := m.ExportedFunction("run").Call(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		used += plenty.fuel - m.ExportedGlobal(FuelGlobal).Get()
		if err := m.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(used), "ns/fuel")
}
