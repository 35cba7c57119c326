// Package meter rewrites a Wasm module so that it counts its own work and cannot outrun, outgrow or outlive what the
// host allows; it refuses what it cannot count (SIMD, threads, exceptions, tail calls, imported state).
//
// It is a pure function from bytes to bytes. Nothing in it depends on the engine, but the constants are chosen for
// wazero, and its tests prove them there, on the compiler and on the interpreter.
//
// # What the host does
//
// Before every call into an instance the host sets three of the five injected globals:
//
//	FuelGlobal  = the call's fuel
//	YieldGlobal = YieldLevel(fuel)
//	StackGlobal = at most StackSlotsMax
//
// with fuel below 2^63, and leaves TaintGlobal, which starts at 0, alone. After the call FuelGlobal says what is left.
// Below 0 (as int64) fuel ran out: with a trap, or, when only the last stretch without a check overdrew it, without one,
// and the host treats that call as exhausted too. When a call trapped and StackGlobal is below 0 (as int32), calls went
// too deep; fuel is judged first. A trap leaves both as they were, so the instance must be discarded. A non-zero
// TaintGlobal means that memory and globals alone no longer restore the instance: discard it too.
//
// DirtyGlobal only gathers bits; the host clears it when it has put memory back. Whatever differs since then is in a
// chunk of DirtyChunkBytes whose bit (its number modulo 64) is set, or within DirtyMarginBytes of one, or within the
// first DirtyMarginBytes of memory. What the host itself writes is not marked. A store is not marked if a mark that is
// always made before it covers it, which is how most need none.
//
// Instantiation runs no guest code (start functions are refused), so the globals' initial values, all 0, never matter
// unless the host forgets to set them; then the first check traps.
package meter

// Version names the cost table, the injected code and what is refused. Any change of them changes it: the same request
// would use other fuel, and modules are kept as an earlier process rewrote them. It is part of a plugin's identity and of
// the key of what is kept.
const Version = "purser-meter-1"

// Names of the injected exports. A module that exports anything with ReservedPrefix is refused.
const (
	// ReservedPrefix starts the name of every injected export.
	ReservedPrefix = "purser_meter_"
	// FuelGlobal is a mutable i64: the fuel left. Below 0 it is exhausted.
	FuelGlobal = ReservedPrefix + "fuel"
	// YieldGlobal is a mutable i64: the fuel level below which the guest lets the host's scheduler in next.
	YieldGlobal = ReservedPrefix + "yield"
	// StackGlobal is a mutable i32: the stack slots left. Below 0 calls are too deep.
	StackGlobal = ReservedPrefix + "stack"
	// TaintGlobal is a mutable i32: not 0 once the guest changed state beside memory and number globals.
	TaintGlobal = ReservedPrefix + "taint"
	// DirtyGlobal is a mutable i64: which parts of memory the guest wrote to, see DirtyChunkBytes.
	DirtyGlobal = ReservedPrefix + "dirty"
)

const (
	// YieldFuel is the work between two visits of native guest code to Go: 10 to 30 microseconds of usual code, 2
	// milliseconds of the slowest. A garbage collection waits that long for a guest, not for its whole call.
	YieldFuel = 100_000

	// StackSlotsMax is the most a host may put into StackGlobal, and its default. A slot is about 8 bytes of native stack;
	// see frameSlots.
	StackSlotsMax = 1 << 20
)

// Module is a rewritten module.
type Module struct {
	// Wasm is the whole module, without custom sections.
	Wasm []byte
	// Globals names an export of each of the module's own mutable globals that hold numbers, in the order of their
	// indexes. With memory they are the state a reset restores. The injected globals are not among them.
	Globals []string
}

// YieldLevel is what YieldGlobal must hold when FuelGlobal is set to fuel.
func YieldLevel(fuel uint64) uint64 {
	if fuel < YieldFuel {
		return 0
	}
	return fuel - YieldFuel
}

// Rewrite returns core with the counting code in it. Custom sections are left out, because wazero allocates the name
// section by its claimed lengths and parses DWARF, and tables without a maximum get one.
//
// Every error is an *abi.Error of the code install_refused whose Where names the offending item. A module that is not
// valid stays invalid, or is refused here: indexes past the module's own would reach the injected items, so they are
// judged here and not left to the engine.
func Rewrite(core []byte) (Module, error) {
	r := &rewriter{module: core}
	if err := r.run(); err != nil {
		return Module{}, err
	}
	return Module{Wasm: r.out, Globals: r.exported}, nil
}
