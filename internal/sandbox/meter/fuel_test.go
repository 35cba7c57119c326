package meter

import (
	"bytes"
	"strings"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// guestOf is a module whose run(i32) has the locals i32, i64, f32 and f64 (1 to 4), with a function 0 of the host, a table of
// 16 entries, mutable globals of i32 and funcref, and data and element segments to use.
func guestOf(code ...[]byte) []byte {
	b := newBuilder()
	b.memory = [][]byte{{0, 2}}
	b.types = append(b.types, join(ops(wasm.TypeFunction), vector([]byte{tI32}), vector(nil)))
	b.imports = append(b.imports, join(vector([]byte("host")), vector([]byte("log")), ops(wasm.KindFunction, 0)))
	b.tables = append(b.tables, []byte{wasm.TypeFuncref, 0, 16})
	b.elements = append(b.elements, join(ops(0), i32(0), ops(wasm.OpEnd, 1, 2)), []byte{1, 0, 1, 2})
	b.global(tI32, true, i32(0)...)
	b.global(wasm.TypeFuncref, true, wasm.OpRefNull, wasm.TypeFuncref)
	b.dataCount, b.data = [][]byte{{1}}, [][]byte{append([]byte{1}, vector(make([]byte, 64))...)}
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, []byte{tI32, tI64, tF32, tF64}, code...)+1)
	b.function(nil, nil, nil) // index 2, type 2
	return b.build()
}

func prefixed(second byte, immediates ...byte) []byte {
	return append(ops(wasm.OpPrefix, second), immediates...)
}

// TestFuelIsCountedExactly says, in units, what every kind of code costs, on both engines.
func TestFuelIsCountedExactly(t *testing.T) {
	get, set := index(wasm.OpLocalGet, 0), index(wasm.OpLocalSet, 1)
	three := join(i32(0), i32(0), i32(800))
	block, end := ops(wasm.OpBlock, wasm.TypeEmpty), ops(wasm.OpEnd)
	down := join(get, i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, 0), index(wasm.OpBrIf, 0))
	cases := []struct {
		name string
		arg  uint64
		code []byte
		fuel int64
	}{
		{"nothing", 0, nil, 0},
		{"structure", 0, join(ops(wasm.OpNop), block, end), 0},
		{"arithmetic", 0, join(get, get, ops(wasm.OpI32Add), set), 4},
		{"division", 1, join(get, get, ops(0x6e), set), 3 + 10},
		{"a choice", 0, join(get, get, get, ops(wasm.OpSelect), set), 4 + 2},
		{"a load", 0, join(get, ops(0x28, 0, 0), set), 2 + 8},
		{"a store", 0, join(get, get, ops(0x36, 0, 0)), 2 + 4},
		{"a global", 0, join(index(wasm.OpGlobalGet, 0), index(wasm.OpGlobalSet, 0)), 1 + 2},
		{"a float", 0, join(index(wasm.OpLocalGet, 4), f64(1), ops(0xa0), index(wasm.OpLocalSet, 4)), 3 + 4},
		{"a float division", 0, join(index(wasm.OpLocalGet, 4), f64(1), ops(0xa3), index(wasm.OpLocalSet, 4)), 3 + 12},
		{"rounding", 0, join(index(wasm.OpLocalGet, 4), ops(0x9c), index(wasm.OpLocalSet, 4)), 2 + 8},
		{"float to int", 0, join(index(wasm.OpLocalGet, 4), ops(0xaa), set), 2 + 6},
		{"float to int, saturating", 0, join(index(wasm.OpLocalGet, 4), prefixed(2), set), 2 + 6},
		{"a size", 0, join(ops(wasm.OpMemorySize, 0), set), 1 + 2},
		{"a reference", 0, join(ops(wasm.OpRefFunc, 2, wasm.OpDrop)), 1 + 192},
		{"a table's entry", 0, join(i32(0), ops(wasm.OpTableGet, 0, wasm.OpDrop)), 2 + 4},
		{"an if taken", 1, join(get, ops(wasm.OpIf, wasm.TypeEmpty), get, set, ops(wasm.OpElse), get, get, set, set, end), 1 + 2 + 2},
		{"an if not taken", 0, join(get, ops(wasm.OpIf, wasm.TypeEmpty), get, set, ops(wasm.OpElse), get, get, set, set, end), 1 + 2 + 4},
		{"a branch taken", 1, join(block, get, index(wasm.OpBrIf, 0), get, set, end, get, set), 1 + 2 + 2},
		{"a branch not taken", 0, join(block, get, index(wasm.OpBrIf, 0), get, set, end, get, set), 1 + 2 + 2 + 2},
		{"a return", 0, join(get, set, ops(wasm.OpReturn), get, set), 2 + 2},
		{"a branch table", 1, join(block, block, get, ops(wasm.OpBrTable, 1, 0, 1, wasm.OpEnd), get, set, end), 1 + 4},
		{"a loop once", 1, join(ops(wasm.OpLoop, wasm.TypeEmpty), down, end), 2 + 6},
		{"a loop of ten", 10, join(ops(wasm.OpLoop, wasm.TypeEmpty), down, end, get, set), 10*(2+6) + 2},
		{"a call", 0, index(wasm.OpCall, 2), 4 + entryFuel},
		{"an indirect call", 0, join(i32(0), ops(wasm.OpCallIndirect, 2, 0)), 1 + 8 + entryFuel},
		{"a call of the host", 0, join(i32(0), index(wasm.OpCall, 0)), 1 + 4 + 192},
		{"filling 800 bytes", 0, join(three, prefixed(wasm.PrefixMemoryFill, 0)), 3 + 64 + 100},
		{"copying 800 bytes", 0, join(three, prefixed(wasm.PrefixMemoryCopy, 0, 0)), 3 + 64 + 100},
		{"initialising 40 bytes", 0, join(i32(0), i32(0), i32(40), prefixed(wasm.PrefixMemoryInit, 0, 0)), 3 + 64 + 5},
		{"growing by 3 pages", 0, join(i32(3), ops(wasm.OpMemoryGrow, 0), set), 2 + 64 + 3*32768},
		{"growing by nothing", 0, join(i32(0), ops(wasm.OpMemoryGrow, 0), set), 2 + 64},
		{"growing by more than there can be", 0, join(i32(-1), ops(wasm.OpMemoryGrow, 0), set), 2 + 64 + 512*32768},
		{"filling a table", 0, join(i32(0), ops(wasm.OpRefNull, wasm.TypeFuncref), i32(9), prefixed(wasm.PrefixTableFill, 0)), 3 + 64 + 9},
		{"copying a table", 0, join(i32(0), i32(1), i32(9), prefixed(wasm.PrefixTableCopy, 0, 0)), 3 + 64 + 9},
		{"initialising a table", 0, join(i32(0), i32(0), i32(1), prefixed(wasm.PrefixTableInit, 1, 0)), 3 + 64 + 1},
		{"growing a table", 0, join(ops(wasm.OpRefNull, wasm.TypeFuncref), i32(9), prefixed(wasm.PrefixTableGrow, 0), set), 3 + 64 + 9},
		{"dropping segments", 0, join(prefixed(wasm.PrefixDataDrop, 0), prefixed(wasm.PrefixElemDrop, 1)), 16},
		{"dead code", 0, join(ops(wasm.OpReturn), get, get, ops(wasm.OpI32Add, wasm.OpDrop)), 2},
		{"a run too long for one charge", 0, bytes.Repeat(join(get, set), 10_000), 20_000},
	}
	for _, c := range cases {
		for engine := range engines {
			o := runMetered(t, engine, guestOf(c.code), plenty, "run", c.arg)
			if used := int64(plenty.fuel) - o.fuel; o.trap != "" || used != c.fuel+entryFuel {
				t.Errorf("%s: %d units on the %s, want %d (%v)", c.name, used-entryFuel, engine, c.fuel, o)
			}
		}
	}
}

// TestBulkOperationsPayBeforeTheyRun gives each less fuel than its length costs.
func TestBulkOperationsPayBeforeTheyRun(t *testing.T) {
	big := i32(120_000)
	for name, code := range map[string][]byte{
		"fill":       join(i32(0), i32(255), big, prefixed(wasm.PrefixMemoryFill, 0)),
		"copy":       join(i32(0), i32(1), big, prefixed(wasm.PrefixMemoryCopy, 0, 0)),
		"grow":       join(i32(1), ops(wasm.OpMemoryGrow, 0, wasm.OpDrop)),
		"table grow": join(ops(wasm.OpRefNull, wasm.TypeFuncref), big, prefixed(wasm.PrefixTableGrow, 0), ops(wasm.OpDrop)),
		"table fill": join(i32(0), ops(wasm.OpRefNull, wasm.TypeFuncref), big, prefixed(wasm.PrefixTableFill, 0)),
	} {
		o := runMetered(t, "compiler", guestOf(code), limits{10_000, StackSlotsMax}, "run", 0)
		if o.fuel >= 0 || !strings.Contains(o.trap, "unreachable") {
			t.Errorf("%s: %v", name, o)
		}
		if len(o.memory) != 2<<16 || o.memory[0] != 0 {
			t.Errorf("%s ran before it was paid for", name)
		}
	}
}

// TestFuelRunsOut counts how far a guest gets: each limit ends it, on both engines at the same place.
func TestFuelRunsOut(t *testing.T) {
	count := join(ops(wasm.OpLoop, wasm.TypeEmpty), i32(0), i32(0), ops(0x28, 0, 0), i32(1), ops(wasm.OpI32Add, 0x36, 0, 0, wasm.OpBr, 0, wasm.OpEnd))
	for _, fuel := range []uint64{0, 1, 22, 23, 1000, YieldFuel - 1, YieldFuel, YieldFuel + 1, 3*YieldFuel + 7} {
		var seen [2]outcome
		for i, engine := range []string{"compiler", "interpreter"} {
			seen[i] = runMetered(t, engine, guestOf(count), limits{fuel, StackSlotsMax}, "run", 0)
			if seen[i].fuel >= 0 || !strings.Contains(seen[i].trap, "unreachable") {
				t.Errorf("%s, %d units: %v", engine, fuel, seen[i])
			}
		}
		if !seen[0].sameAs(seen[1]) || seen[0].fuel != seen[1].fuel {
			t.Errorf("%d units: compiler %v, interpreter %v", fuel, seen[0], seen[1])
		}
	}
}

func TestTaintTellsWhatAResetCannotRestore(t *testing.T) {
	null := ops(wasm.OpRefNull, wasm.TypeFuncref)
	for name, c := range map[string]struct {
		code []byte
		want uint32
	}{
		"nothing":          {nil, 0},
		"memory":           {join(i32(0), i32(0), ops(0x36, 0, 0), i32(0), i32(0), i32(9), prefixed(wasm.PrefixMemoryFill, 0)), 0},
		"growing memory":   {join(i32(1), ops(wasm.OpMemoryGrow, 0, wasm.OpDrop)), 0},
		"a number global":  {join(i32(1), index(wasm.OpGlobalSet, 0)), 0},
		"reading a table":  {join(i32(0), ops(wasm.OpTableGet, 0, wasm.OpDrop)), 0},
		"table.set":        {join(i32(0), null, ops(wasm.OpTableSet, 0)), 1},
		"table.grow":       {join(null, i32(0), prefixed(wasm.PrefixTableGrow, 0), ops(wasm.OpDrop)), 1},
		"table.fill":       {join(i32(0), null, i32(0), prefixed(wasm.PrefixTableFill, 0)), 1},
		"table.copy":       {join(i32(0), i32(0), i32(0), prefixed(wasm.PrefixTableCopy, 0, 0)), 1},
		"table.init":       {join(i32(0), i32(0), i32(0), prefixed(wasm.PrefixTableInit, 1, 0)), 1},
		"elem.drop":        {prefixed(wasm.PrefixElemDrop, 1), 1},
		"data.drop":        {prefixed(wasm.PrefixDataDrop, 0), 1},
		"a funcref global": {join(null, index(wasm.OpGlobalSet, 1)), 1},
		"not run":          {join(ops(wasm.OpReturn), prefixed(wasm.PrefixDataDrop, 0)), 0},
	} {
		if o := runMetered(t, "compiler", guestOf(c.code), plenty, "run", 0); o.taint != c.want || o.trap != "" {
			t.Errorf("%s: %v, want taint %d", name, o, c.want)
		}
	}
}

// TestNaNsHaveOneShape makes a NaN with every operation that leaves its bits open, and stores it.
func TestNaNsHaveOneShape(t *testing.T) {
	odd32, odd64 := []byte{wasm.OpF32Const, 1, 0, 0xa0, 0xff}, []byte{wasm.OpF64Const, 1, 0, 0, 0, 0, 0, 0xf4, 0xff}
	quiet32, quiet64 := []byte{0, 0, 0xc0, 0x7f}, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}
	for code := 0x8d; code <= 0xbb; code++ {
		op := &wasm.Ops[code]
		if op.NaN == 0 {
			continue
		}
		operand, want, store := odd32, quiet32, byte(0x38)
		if op.NaN == tF64 {
			operand, want, store = odd64, quiet64, 0x39
		}
		switch code {
		case 0xb6:
			operand = odd64
		case 0xbb:
			operand = odd32
		}
		stored := join(i32(8), bytes.Repeat(operand, int(op.Pops)), ops(byte(code), store, 0, 0))
		for engine := range engines {
			o := runMetered(t, engine, guestOf(stored), plenty, "run", 0)
			if got := o.memory[8 : 8+len(want)]; !bytes.Equal(got, want) {
				t.Errorf("opcode %#x stores %x on the %s, want %x", code, got, engine, want)
			}
		}
	}
}
