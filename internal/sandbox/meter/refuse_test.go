package meter

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

func wantRefused(t *testing.T, module []byte, where, word string) {
	t.Helper()
	_, err := Rewrite(module)
	var e *abi.Error
	if !errors.As(err, &e) || e.Code != abi.ReasonInstallRefused {
		t.Errorf("got %v, want install_refused", err)
		return
	}
	if e.Where != where || !strings.Contains(e.Message, word) {
		t.Errorf("got %v, want %q at %q", err, word, where)
	}
}

// TestIndexesPastTheModulesOwnAreRefused reaches for what the meter appends. All of these are valid in the rewritten module,
// so the engine would let them pass.
func TestIndexesPastTheModulesOwnAreRefused(t *testing.T) {
	// guestOf has 2 globals, 3 functions, 3 types and 5 locals; run is function body 0.
	for name, code := range map[string][]byte{
		"reading the fuel":              join(index(wasm.OpGlobalGet, 2), ops(wasm.OpDrop)),
		"refuelling":                    join(i64(1<<40), index(wasm.OpGlobalSet, 2)),
		"clearing the taint":            join(i32(0), index(wasm.OpGlobalSet, 5)),
		"refuelling in dead code":       join(ops(wasm.OpUnreachable), i64(1<<40), index(wasm.OpGlobalSet, 2)),
		"calling the slow path":         index(wasm.OpCall, 3),
		"a reference to a charger":      join(ops(wasm.OpRefFunc, 4), ops(wasm.OpDrop)),
		"a block of an appended type":   join(i32(0), ops(wasm.OpBlock, 4, wasm.OpEnd, wasm.OpDrop)),
		"a call of an appended type":    join(i32(0), ops(wasm.OpCallIndirect, 3, 0)),
		"a local of ours":               join(index(wasm.OpLocalGet, 5), ops(wasm.OpDrop), f32(1), f32(1), ops(0x92), index(wasm.OpLocalSet, 3)),
		"a branch out of the function":  index(wasm.OpBr, 1),
		"a conditional one":             join(i32(0), index(wasm.OpBrIf, 1)),
		"a branch table out of it":      join(i32(0), ops(wasm.OpBrTable, 0, 1)),
		"an end too many":               ops(wasm.OpEnd),
		"an else without if":            ops(wasm.OpElse),
		"code after the function's end": ops(wasm.OpEnd, wasm.OpLoop, wasm.TypeEmpty),
		"an end too few":                ops(wasm.OpBlock, wasm.TypeEmpty),
		"a reserved byte":               join(i32(0), ops(wasm.OpMemoryGrow, 1, wasm.OpDrop)),
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, guestOf(code), "function 0", "") })
	}
	exporting := func(kind byte, index uint32) []byte {
		b := newBuilder()
		b.function(nil, nil, nil)
		b.export("x", kind, index)
		return b.build()
	}
	t.Run("exporting the fuel", func(t *testing.T) { wantRefused(t, exporting(wasm.KindGlobal, 0), "section export", "unknown global") })
	t.Run("exporting the slow path", func(t *testing.T) {
		wantRefused(t, exporting(wasm.KindFunction, 1), "section export", "unknown function")
	})
	element := newBuilder()
	element.function(nil, nil, nil)
	element.tables = append(element.tables, []byte{wasm.TypeFuncref, 0, 1})
	element.elements = append(element.elements, join(ops(0), i32(0), ops(wasm.OpEnd, 1, 1)))
	t.Run("the slow path in a table", func(t *testing.T) { wantRefused(t, element.build(), "section element", "unknown function") })
	global := newBuilder()
	global.function(nil, nil, nil)
	global.global(wasm.TypeFuncref, false, wasm.OpRefFunc, 1)
	t.Run("the slow path in a global", func(t *testing.T) { wantRefused(t, global.build(), "section global", "unknown function") })
}

// TestConstantExpressionsCannotReadOurGlobals: the first appended global is a mutable i64, the third an i32.
func TestConstantExpressionsCannotReadOurGlobals(t *testing.T) {
	module := func(change func(*builder)) []byte {
		b := newBuilder()
		b.function(nil, nil, nil)
		b.tables = append(b.tables, []byte{wasm.TypeFuncref, 0, 1})
		change(b)
		return b.build()
	}
	read := func(global byte) []byte { return ops(wasm.OpGlobalGet, global, wasm.OpEnd) }
	wantRefused(t, module(func(b *builder) { b.global(tI64, true, wasm.OpGlobalGet, 1) }), "section global", "reads a global")
	wantRefused(t, module(func(b *builder) { b.elements = append(b.elements, join(ops(0), read(2), ops(0))) }), "section element", "reads a global")
	wantRefused(t, module(func(b *builder) { b.data = append(b.data, join(ops(0), read(2), ops(0))) }), "section data", "reads a global")
}

func TestWhatCannotBeMeteredIsRefusedByName(t *testing.T) {
	plain := func(change func(*builder)) []byte {
		b := newBuilder()
		b.function(nil, nil, nil)
		change(b)
		return b.build()
	}
	importing := func(kind byte, rest ...byte) func(*builder) {
		return func(b *builder) {
			b.imports = append(b.imports, join(vector([]byte("env")), vector([]byte("x")), ops(kind), rest))
		}
	}
	section := func(id byte, content ...byte) []byte {
		return append(append([]byte(wasm.Preamble), id), vector(content)...)
	}
	for name, c := range map[string]struct {
		module      []byte
		where, word string
	}{
		"SIMD":              {guestOf(ops(0xfd, 0x0c)), "function 0", "SIMD"},
		"atomics":           {guestOf(ops(0xfe, 0x03, 0)), "function 0", "atomics"},
		"exceptions":        {guestOf(ops(0x08, 0)), "function 0", "exceptions"},
		"try_table":         {guestOf(ops(0x1f, wasm.TypeEmpty, 0, wasm.OpEnd)), "function 0", "exceptions"},
		"tail calls":        {guestOf(ops(0x12, 1)), "function 0", "tail calls"},
		"call_ref":          {guestOf(ops(0x14, 0)), "function 0", "function references"},
		"a shared memory":   {plain(func(b *builder) { b.memory = [][]byte{{3, 1, 2}} }), "memory", "shared"},
		"a huge memory":     {plain(func(b *builder) { b.memory = [][]byte{{0, 0x81, 4}} }), "memory", "513 pages"},
		"two memories":      {plain(func(b *builder) { b.memory = [][]byte{{0, 1}, {0, 1}} }), "memory", "2 memories"},
		"no memory":         {plain(func(b *builder) { b.memory = nil }), "memory", "0 memories"},
		"an imported table": {plain(importing(wasm.KindTable, wasm.TypeFuncref, 0, 1)), "env.x", "imports the table"},
		"imported memory":   {plain(importing(wasm.KindMemory, 0, 1)), "env.x", "imports the memory"},
		"imported global":   {plain(importing(wasm.KindGlobal, tI32, 0)), "env.x", "imports the global"},
		"mutable imported":  {plain(importing(wasm.KindGlobal, tI32, 1)), "env.x", "imports the global"},
		"a tag":             {plain(importing(4, 0, 0)), "env.x", "unknown kind"},
		"our name":          {plain(func(b *builder) { b.export(FuelGlobal, wasm.KindFunction, 0) }), FuelGlobal, "the meter's"},
		"our prefix":        {plain(func(b *builder) { b.export("purser_meter_x", wasm.KindMemory, 0) }), "purser_meter_x", "the meter's"},
		"a huge table":      {plain(func(b *builder) { b.tables = [][]byte{wasm.AppendU32([]byte{wasm.TypeFuncref, 0}, 1<<20)} }), "table 0", "entries"},
		"a start function":  {section(wasm.SectionStart, 0), "section start", "start"},
		"no function":       {join([]byte(wasm.Preamble), []byte{wasm.SectionMemory, 3, 1, 0, 1}), "section code", "no function"},
		"tags":              {section(13, 0), "section 13", "unknown"},
		"a section twice":   {join(section(wasm.SectionType, 0), []byte{wasm.SectionType, 1, 0}), "section 1", "repeated"},
		"sections swapped":  {join(section(wasm.SectionFunction, 0), []byte{wasm.SectionType, 1, 0}), "section 1", "order"},
		"nothing":           {nil, "module", "not a WebAssembly 1 module"},
		"a cut section":     {[]byte(wasm.Preamble + "\x01\x09"), "module", "malformed"},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, c.module, c.where, c.word) })
	}
}

// TestCodeThatWouldHoldTheProcessIsRefused holds functions that wazero needs minutes or gigabytes to compile.
func TestCodeThatWouldHoldTheProcessIsRefused(t *testing.T) {
	repeat := func(n int, code ...byte) []byte { return bytes.Repeat(code, n) }
	one := func(params int, locals int, globals int, code []byte) []byte {
		b := newBuilder()
		for range globals {
			b.global(tI32, true, i32(0)...)
		}
		b.function(repeat(params, tI32), nil, repeat(locals, tI32), code)
		return b.build()
	}
	// The second opcode of memory.fill, padded to two bytes.
	fill := join(i32(0), i32(0), i32(0), ops(wasm.OpPrefix, 0x80|wasm.PrefixMemoryFill, 0, 0))
	for name, c := range map[string]struct {
		word   string
		module []byte
	}{
		"bulk operations in a row": {"bulk", one(0, 0, 0, bytes.Repeat(fill, bulkOperationsMax+1))},
		"nested loops":             {"compiling", one(0, 0, 0, join(repeat(30_000, wasm.OpLoop, wasm.TypeEmpty), repeat(30_000, wasm.OpEnd)))},
		"ifs in a row":             {"compiling", one(0, 0, 0, repeat(30_000, wasm.OpI32Const, 0, wasm.OpIf, wasm.TypeEmpty, wasm.OpEnd))},
		"loops over locals":        {"compiling", one(0, 1000, 0, join(repeat(1000, wasm.OpLoop, wasm.TypeEmpty), repeat(1000, wasm.OpEnd)))},
		"loops over parameters":    {"compiling", one(100, 0, 0, join(repeat(10_000, wasm.OpLoop, wasm.TypeEmpty), repeat(10_000, wasm.OpEnd)))},
		"calls over globals":       {"compiling", one(0, 0, 4000, repeat(80_000, wasm.OpCall, 0))},
		"a branch table":           {"compiling", one(0, 0, 0, join(i32(0), ops(wasm.OpBrTable), wasm.AppendU32(nil, 60_000), repeat(60_001, 0)))},
		"locals":                   {"locals", one(1, localsMax, 0, nil)},
		"length":                   {"bytes", one(0, 0, 0, repeat(functionBytesMax, wasm.OpNop))},
		"an unknown second opcode": {"opcode 0xfc 18", one(0, 0, 0, ops(wasm.OpPrefix, 18))},
		"a cut immediate":          {"truncated", one(0, 0, 0, ops(wasm.OpF64Const, 0))},
	} {
		t.Run(name, func(t *testing.T) { wantRefused(t, c.module, "function 0", c.word) })
	}
	floats := newBuilder()
	for range 1200 {
		floats.function(nil, nil, nil, f64(0), bytes.Repeat(ops(0x9a, 0x9b), 1500), ops(wasm.OpDrop))
	}
	wantRefused(t, floats.build(), "section code", "once it is metered")
	if _, err := Rewrite(one(2, 50, 0, join(repeat(100, wasm.OpLoop, wasm.TypeEmpty), repeat(100, wasm.OpEnd)))); err != nil {
		t.Errorf("an honest function: %v", err)
	}
}

func TestMutableNumberGlobalsAreExported(t *testing.T) {
	b := newBuilder()
	b.function(nil, nil, nil)
	b.global(tI32, true, i32(1)...)
	b.global(tI32, false, i32(2)...)
	b.global(wasm.TypeFuncref, true, wasm.OpRefNull, wasm.TypeFuncref)
	b.global(tF64, true, f64(4)...)
	b.export("first", wasm.KindGlobal, 3)
	b.export("second", wasm.KindGlobal, 3)
	m, err := Rewrite(b.build())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Globals, " "); got != "purser_meter_global_0 first" {
		t.Errorf("got %q", got)
	}
	instance, err := instantiate(t, "compiler", m.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	if got := instance.ExportedGlobal(m.Globals[0]).Get(); got != 1 {
		t.Errorf("the first global is %d", got)
	}
}
