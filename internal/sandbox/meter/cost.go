package meter

import (
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// costs is the fuel of one instruction of each class. Usual code of wazero's compiler takes 0.1 to 0.3 nanoseconds for a
// unit, and no instruction takes more than about 2, but for one: a load that finds its line in no cache takes 200. No
// static table can tell it from one that takes 0.3, so loads are dear, and a guest that only chases pointers through
// 16 MiB still gets 20 nanoseconds for a unit. BenchmarkCost prints them all.
//
// Class Structure is free: nothing is executed for it. Bulk is the part that does not depend on the length.
var costs = [...]uint32{
	wasm.Structure:         0,
	wasm.Plain:             1,
	wasm.Choice:            2,
	wasm.Branch:            2,
	wasm.BranchMany:        4,
	wasm.CallDirect:        4,
	wasm.CallTable:         8,
	wasm.GlobalRead:        1,
	wasm.GlobalWrite:       2,
	wasm.Load:              8,
	wasm.Store:             4,
	wasm.DivideInt:         10,
	wasm.FloatArithmetic:   4,
	wasm.FloatDivide:       12,
	wasm.FloatRound:        8,
	wasm.FloatToInt:        6,
	wasm.TableAccess:       4,
	wasm.SizeOf:            2,
	wasm.Bulk:              64,
	wasm.DropSegment:       8,
	wasm.FunctionReference: 192,
}

const (
	// entryFuel is charged for entering a function beside its first run, and loopFuel for passing a loop's head.
	entryFuel = 4
	loopFuel  = 2

	// hostCallFuel is charged for calling a function of the host, beside the call itself: native code is left and entered
	// again. What the host does meanwhile is bounded by the host.
	hostCallFuel = 192

	// runFuelMax ends a straight run, however long the code goes on without a branch: its charge is written as a number
	// of two bytes, and a check follows each cut.
	runFuelMax = 8191

	// uncheckedFuelMax is the work of a function that calls nothing and does not loop up to which it is not checked
	// when it is entered. Its caller cannot call it more than functionBytesMax/2 times before a check.
	uncheckedFuelMax = 32
)

// Rates of operations whose work grows with an operand. They round down, on top of the class's fixed cost.
const (
	// bytesPerFuelShift: memory.fill, memory.copy and memory.init, 8 bytes each.
	bytesPerFuelShift = 3
	// pageFuel: memory.grow, for each new page: cleared by the runtime, found one by one by the kernel. A host that lets
	// memory move when it grows pays more, but not often: the buffer grows by a quarter, up to the limit of pages.
	pageFuel = 32 << 10
	// tableEntryFuel: table.fill, table.copy, table.init and table.grow, for each entry of 8 bytes.
	tableEntryFuel = 1

	// More than these cannot succeed: the operation ends in a trap or in -1 without work, so no more is charged.
	bulkBytesMax    = abi.ChainMemoryPagesMax << 16
	growPagesMax    = abi.ChainMemoryPagesMax
	tableEntriesMax = abi.ModuleTableElementsMax
)

const (
	// framesMax is the number of nested calls that the lightest frames reach on a full StackSlotsMax. wazero's
	// interpreter gives up at 2000 frames; the functions that are not weighed (leaves, the meter's own and the host's) add
	// three at most.
	framesMax = 1984

	// frameSlotsMin is the weight of the lightest frame.
	frameSlotsMin = (StackSlotsMax + framesMax - 1) / framesMax

	// bytesPerSlot weighs code: wazero's compiler gives each value that it cannot keep in a register across a call a
	// slot of its own and never uses one twice, so frames grow with the code. No more than one value in 4 bytes of code
	// can need one. A quarter of that is charged, and the native stack has room for the other three: its ceiling is
	// reached at 50 MB, which is 6 times StackSlotsMax slots of 8 bytes.
	bytesPerSlot = 16

	// givenPerSlot weighs the results of calls, which take no code: one in four is charged, and the room for the other
	// three is the same.
	givenPerSlot = 4
)

// frameSlots weighs a function's frame in stack slots. variables counts parameters and locals, results those of the
// signature, height the most operands at one time, merges the values that meet at branch targets, and length the bytes
// of its rewritten body.
func frameSlots(variables, results, height, merges, length int) int32 {
	slots := variables + results + height + merges + length/bytesPerSlot
	// A frame that can never be entered needs no exact weight.
	return int32(min(max(slots, frameSlotsMin), StackSlotsMax+1)) // #nosec G115 -- clamped
}

// opCosts is costs by opcode.
var opCosts = func() (t [256]uint32) {
	for op := range t {
		t[op] = costs[wasm.Ops[op].Class]
	}
	return t
}()
