package meter

import (
	"bytes"
	"strings"
	"testing"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// recursions are guests whose run(n) calls n deep, and whose frames differ in what makes them heavy.
func recursions() map[string][]byte {
	guard := join(index(wasm.OpLocalGet, 0), ops(0x45, wasm.OpIf, wasm.TypeEmpty, wasm.OpReturn, wasm.OpEnd))
	deeper := join(index(wasm.OpLocalGet, 0), i32(1), ops(wasm.OpI32Sub))
	self := join(guard, deeper, index(wasm.OpCall, 0))

	thin := newBuilder()
	thin.export("run", wasm.KindFunction, thin.function([]byte{tI32}, nil, nil, self))

	mutual := newBuilder()
	mutual.export("run", wasm.KindFunction, mutual.function([]byte{tI32}, nil, nil, guard, deeper, index(wasm.OpCall, 1)))
	mutual.function([]byte{tI32}, nil, nil, guard, deeper, index(wasm.OpCall, 0))

	indirect := newBuilder()
	indirect.tables = append(indirect.tables, []byte{wasm.TypeFuncref, 0, 1})
	indirect.elements = append(indirect.elements, join(ops(0), i32(0), ops(wasm.OpEnd, 1, 0)))
	indirect.export("run", wasm.KindFunction, indirect.function([]byte{tI32}, nil, nil, guard, deeper, i32(0), ops(wasm.OpCallIndirect, 0, 0)))

	return map[string][]byte{
		"thin": thin.build(), "mutual": mutual.build(), "indirect": indirect.build(),
		"locals": fatLocals(), "operands": fatOperands(guard, deeper), "spills": fatSpills(guard, deeper, 20_000), "merges": fatMerges(guard, deeper),
		"many spills": fatSpills(guard, deeper, 40_000), "wide spills": fatWideSpills(guard, deeper),
	}
}

// fatLocals has 4000 locals that are all alive across the call.
func fatLocals() []byte {
	b := newBuilder()
	var set, use [][]byte
	for i := range uint32(4000) {
		set = append(set, index(wasm.OpLocalGet, 0), ops(0x68), i32(int32(i)), ops(wasm.OpI32Add), index(wasm.OpLocalSet, i+1))
		use = append(use, index(wasm.OpLocalGet, i+1), ops(wasm.OpI32Add))
	}
	code := join(bytes.Join(set, nil), index(wasm.OpLocalGet, 0), ops(wasm.OpIf, wasm.TypeEmpty),
		index(wasm.OpLocalGet, 0), i32(1), ops(wasm.OpI32Sub), index(wasm.OpCall, 0), ops(wasm.OpDrop, wasm.OpEnd), i32(0), bytes.Join(use, nil))
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, []byte{tI32}, bytes.Repeat([]byte{tI32}, 4000), code))
	return b.build()
}

// fatOperands has 5000 operands on the stack across the call.
func fatOperands(guard, deeper []byte) []byte {
	b := newBuilder()
	var push [][]byte
	for range 5000 {
		push = append(push, index(wasm.OpLocalGet, 0), ops(0x68))
	}
	// Stored, or the compiler would leave out what nobody uses.
	code := join(guard, i32(0), bytes.Join(push, nil), deeper, index(wasm.OpCall, 0), bytes.Repeat(ops(wasm.OpI32Add), 4999), ops(0x36, 0, 0))
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, nil, code))
	return b.build()
}

// fatSpills has few locals and operands at any time, and many values that each live across a call of their own: the
// compiler gives every one of them a slot.
func fatSpills(guard, deeper []byte, values int) []byte {
	b := newBuilder()
	code := [][]byte{guard, deeper, index(wasm.OpCall, 0)}
	for range values / 8 {
		code = append(code, i32(0), bytes.Repeat(join(index(wasm.OpLocalGet, 0), ops(0x68)), 8), index(wasm.OpCall, 1), bytes.Repeat(ops(0x6a), 7), ops(0x36, 0, 0))
	}
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, nil, code...))
	b.function(nil, nil, nil)
	return b.build()
}

// fatWideSpills is fatSpills with values of 64 bits, which take twice the room.
func fatWideSpills(guard, deeper []byte) []byte {
	b := newBuilder()
	code := [][]byte{guard, i64(3), index(wasm.OpLocalSet, 1), deeper, index(wasm.OpCall, 0)}
	for range 4000 {
		code = append(code, i32(0), bytes.Repeat(join(index(wasm.OpLocalGet, 1), ops(0x7a)), 8), index(wasm.OpCall, 1), bytes.Repeat(ops(wasm.OpI64Add), 7), ops(0x37, 0, 0))
	}
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, []byte{tI64}, code...))
	b.function(nil, nil, nil)
	return b.build()
}

// fatMerges has 60 loops in each other that change 40 locals in the innermost: each loop's head merges them all.
func fatMerges(guard, deeper []byte) []byte {
	b := newBuilder()
	const depth, locals = 60, 40
	inner := [][]byte{deeper, index(wasm.OpCall, 0)}
	for i := range uint32(locals) {
		inner = append(inner, index(wasm.OpLocalGet, i+1), index(wasm.OpLocalGet, 0), ops(wasm.OpI32Add), index(wasm.OpLocalSet, i+1))
	}
	back := join(index(wasm.OpLocalGet, 1), i32(-1), ops(0x46), index(wasm.OpBrIf, 0), ops(wasm.OpEnd))
	code := join(guard, bytes.Repeat(ops(wasm.OpLoop, wasm.TypeEmpty), depth), bytes.Join(inner, nil), bytes.Repeat(back, depth))
	b.export("run", wasm.KindFunction, b.function([]byte{tI32}, nil, bytes.Repeat([]byte{tI32}, locals), code))
	return b.build()
}

// TestOurStackLimitTripsFirst runs each recursion without an end. wazero's own overflow is a different error on each engine
// and at a different depth; ours is the same trap, after the same fuel.
func TestOurStackLimitTripsFirst(t *testing.T) {
	for name, module := range recursions() {
		t.Run(name, func(t *testing.T) {
			var seen [2]outcome
			for i, engine := range []string{"compiler", "interpreter"} {
				o := runMetered(t, engine, module, plenty, "run", 1<<30)
				if !strings.Contains(o.trap, "unreachable") || o.stack >= 0 || o.fuel < 0 {
					t.Errorf("%s: %v", engine, o)
				}
				seen[i] = o
			}
			if seen[0].fuel != seen[1].fuel || seen[0].stack != seen[1].stack {
				t.Errorf("compiler %v, interpreter %v", seen[0], seen[1])
			}
		})
	}
}

func TestHonestDepthIsReached(t *testing.T) {
	for name, depth := range map[string]uint64{"thin": framesMax - 4, "mutual": framesMax - 4, "indirect": framesMax - 4, "locals": 100, "merges": 100} {
		for engine := range engines {
			o := runMetered(t, engine, recursions()[name], plenty, "run", depth)
			if o.trap != "" || o.stack != StackSlotsMax {
				t.Errorf("%s, %d deep on the %s: %v", name, depth, engine, o)
			}
		}
	}
}

func TestANarrowerStackTripsEarlier(t *testing.T) {
	o := runMetered(t, "compiler", recursions()["thin"], limits{1 << 30, 10 * frameSlotsMin}, "run", 10)
	if o.stack >= 0 || o.trap == "" {
		t.Errorf("eleven frames fit into ten: %v", o)
	}
	o = runMetered(t, "compiler", recursions()["thin"], limits{1 << 30, 10 * frameSlotsMin}, "run", 9)
	if o.trap != "" {
		t.Errorf("ten frames do not fit into ten: %v", o)
	}
}
