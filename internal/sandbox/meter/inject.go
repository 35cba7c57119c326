package meter

import (
	"bytes"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// injectedGlobals are appended to the module's own in this order: fuel, yield, stack, taint, dirty.
const injectedGlobals = 5

// codes are the byte sequences that are injected, with the indexes of one module in them.
type codes struct {
	// charge subtracts a run's fuel. Its constant is chargeNumber bytes in and two bytes long.
	charge       []byte
	chargeNumber int
	// check calls the slow path when fuel is below the yield level, checkEntry also when the stack is below zero.
	check, checkEntry []byte
	// stackGet and stackSet go around a constant and an addition.
	stackGet, stackSet []byte
	taint              []byte
	dirtyGet, dirtySet []byte
	// Calls of the appended functions, each taking operands of which the last is a length, and giving them back.
	chargeBytes, chargeGrow, chargeEntries []byte
}

func (r *rewriter) prepareCode() {
	fuel := uint32(len(r.globals)) // #nosec G115 -- below the module's length
	yield, stack, taint, dirty := fuel+1, fuel+2, fuel+3, fuel+4
	slow := uint32(len(r.functions)) // #nosec G115 -- below the module's length
	get := func(global uint32) []byte { return wasm.AppendU32([]byte{wasm.OpGlobalGet}, global) }
	set := func(global uint32) []byte { return wasm.AppendU32([]byte{wasm.OpGlobalSet}, global) }
	call := func(function uint32) []byte { return wasm.AppendU32([]byte{wasm.OpCall}, function) }
	ifThenSlow := join([]byte{wasm.OpIf, wasm.TypeEmpty}, call(slow), []byte{wasm.OpEnd})

	c := &r.code
	c.chargeNumber = len(get(fuel)) + 1
	c.charge = join(get(fuel), []byte{wasm.OpI64Const, 0, 0, wasm.OpI64Sub}, set(fuel))
	c.check = join(get(fuel), get(yield), []byte{wasm.OpI64LtS}, ifThenSlow)
	// The stack's sign bit, so that one branch serves both.
	c.checkEntry = join(get(fuel), get(yield), []byte{wasm.OpI64LtS}, get(stack), []byte{wasm.OpI32Const, 31, wasm.OpI32ShrU, wasm.OpI32Or}, ifThenSlow)
	c.stackGet, c.stackSet = get(stack), set(stack)
	c.taint = join([]byte{wasm.OpI32Const, 1}, set(taint))
	c.dirtyGet, c.dirtySet = get(dirty), set(dirty)
	c.chargeBytes, c.chargeGrow, c.chargeEntries = call(slow+1), call(slow+2), call(slow+3)
}

// appendedFunctions are the bodies of the functions that follow the module's own, without their sizes: the slow path of
// type () -> (), and three that charge for their last operand and return all: of bulk memory operations three, else one.
func (r *rewriter) appendedFunctions() [][]byte {
	c := &r.code
	fuel := c.check[:c.chargeNumber-1]
	yield := uint32(len(r.globals)) + 1 // #nosec G115 -- below the module's length
	trap := []byte{wasm.OpIf, wasm.TypeEmpty, wasm.OpUnreachable, wasm.OpEnd}

	// memory.grow of no pages changes nothing, but wazero's compiled code leaves to Go for it and comes back, and only there
	// can the garbage collector stop its thread.
	slow := join([]byte{0},
		fuel, []byte{wasm.OpI64Const, 0, wasm.OpI64LtS}, trap,
		c.stackGet, []byte{wasm.OpI32Const, 0, wasm.OpI32LtS}, trap,
		[]byte{wasm.OpI32Const, 0, wasm.OpMemoryGrow, 0, wasm.OpDrop},
		// yield = max(fuel - YieldFuel, 0)
		fuel, appendS64([]byte{wasm.OpI64Const}, YieldFuel), []byte{wasm.OpI64Sub},
		[]byte{wasm.OpI64Const, 0},
		fuel, appendS64([]byte{wasm.OpI64Const}, YieldFuel), []byte{wasm.OpI64GtS, wasm.OpSelect},
		wasm.AppendU32([]byte{wasm.OpGlobalSet}, yield),
		[]byte{wasm.OpEnd})
	least := func(most int32, last byte) []byte {
		limit := appendS64([]byte{wasm.OpI32Const}, int64(most))
		operand := []byte{wasm.OpLocalGet, last}
		return join(operand, limit, operand, limit, []byte{wasm.OpI32LtU, wasm.OpSelect})
	}
	return [][]byte{
		slow,
		r.charger(least(bulkBytesMax, 2), wasm.OpI64ShrU, bytesPerFuelShift, c.markRange(), []byte{wasm.OpLocalGet, 0, wasm.OpLocalGet, 1, wasm.OpLocalGet, 2}),
		r.charger(least(growPagesMax, 0), wasm.OpI64Mul, pageFuel, []byte{wasm.OpLocalGet, 0}),
		r.charger(least(tableEntriesMax, 0), wasm.OpI64Mul, tableEntryFuel, []byte{wasm.OpLocalGet, 0}),
	}
}

// charger is a function that subtracts amount, by rate, from the fuel, checks it, and goes on with rest.
func (r *rewriter) charger(amount []byte, operation byte, rate int64, rest ...[]byte) []byte {
	c := &r.code
	fuel, setFuel := c.check[:c.chargeNumber-1], c.charge[c.chargeNumber+3:]
	return join([]byte{0},
		fuel, amount, []byte{wasm.OpI64ExtendU}, appendS64([]byte{wasm.OpI64Const}, rate), []byte{operation, wasm.OpI64Sub}, setFuel,
		c.check, join(rest...), []byte{wasm.OpEnd})
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// appendS64 appends v as a signed LEB128, for constants of 32 bits too.
func appendS64(b []byte, v int64) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80) // #nosec G115 -- the low seven bits
		v >>= 7
	}
	return append(b, byte(v)&0x7f) // #nosec G115 -- the low seven bits
}
