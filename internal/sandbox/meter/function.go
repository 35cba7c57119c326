package meter

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// frame is one open block, loop or if; the first is the function's body.
type frame struct {
	op byte
	// deadEntry says that the code around the frame is unreachable, targeted that a branch goes to its end.
	deadEntry, targeted bool
	// base is the operand height below the frame's parameters.
	base, params, results int
	// sets counts the local.set and local.tee before it, facts those that are known there.
	sets, facts int
	// factsFrom is what it was outside, for a loop.
	factsFrom int
}

// Where the fuel of the current straight run is charged.
const (
	runNone  = -1 // no run is open; the next instruction that costs opens one
	runEntry = -2 // the charge is part of the prologue
)

// function rewrites one body. It is reset and used again for each.
type function struct {
	r     *rewriter
	index int
	type_ *signature

	in wasm.Cursor
	// body is the rewritten code, without locals, prologue and epilogue. copied is how far in has been taken over.
	body   []byte
	copied int

	frames []frame
	dead   bool

	// run is the position in body of the current run's charge, or one of runNone and runEntry.
	run                int
	runFuel, entryFuel uint32
	fuel               uint64

	localCount  int
	localGroups uint32
	localBytes  []byte
	localTypes  []byte
	// scratchTypes are those of the locals that the meter adds, found by scratches.
	scratchTypes []byte
	scratches    [2][wasm.TypeI32 - wasm.TypeF64 + 1]uint32

	// origins says where the lowest originsMax operands come from, versions counts how often each local was set, and
	// facts are the marks that have been made. Those below factsFrom do not hold in the loop that is open.
	origins   []origin
	versions  []uint32
	facts     []fact
	factsFrom int

	// given counts the results of calls: values that take no code.
	height, heightMax, sets, merges, given int
	shape                                  shape
	loopDepth                              uint64
	// callsGuest says that a function of the module may run below this one.
	callsGuest bool
}

func (f *function) reset(index int, signature *signature, body []byte) {
	*f = function{
		r: f.r, index: index, type_: signature, in: wasm.Cursor{Data: body},
		body: f.body[:0], frames: f.frames[:0], scratchTypes: f.scratchTypes[:0],
		localTypes: append(f.localTypes[:0], signature.params...), origins: f.origins[:0], versions: f.versions[:0], facts: f.facts[:0],
		run: runEntry, runFuel: entryFuel,
	}
}

// rewrite reads the body and leaves its rewritten form in the fields.
func (f *function) rewrite() error {
	f.locals()
	f.frames = append(f.frames, frame{op: wasm.OpBlock, results: len(f.type_.results)})
	f.copied = f.in.Pos
	f.instructions()
	if f.in.Err == nil && len(f.frames) > 0 {
		f.in.Fail(errors.New("no end"))
	}
	if f.in.Err != nil {
		return f.refuse("build for WebAssembly 2.0 without SIMD", "function body %d: %v", f.index, f.in.Err)
	}
	return nil
}

// locals reads the declarations and bounds their sum: wazero allocates them by it.
func (f *function) locals() {
	c := &f.in
	f.localCount = len(f.type_.params)
	groups := c.Count("groups of locals", localsMax)
	start := c.Pos
	for range groups {
		n := c.U32()
		valueType := c.ValueType()
		if c.Err != nil {
			return
		}
		if n > localsMax || f.localCount+int(n) > localsMax {
			c.Fail(fmt.Errorf("more than %d parameters and locals", localsMax))
			return
		}
		f.localCount += int(n)
		for range n {
			f.localTypes = append(f.localTypes, valueType)
		}
	}
	f.versions = append(f.versions, make([]uint32, f.localCount)...)
	f.localGroups, f.localBytes = uint32(groups), c.Data[start:c.Pos] // #nosec G115 -- at most localsMax
}

// insertBefore takes over the input up to pos and appends code.
func (f *function) insertBefore(pos int, code []byte) {
	f.body = append(append(f.body, f.in.Data[f.copied:pos]...), code...)
	f.copied = pos
}

// spend charges the instruction at pos to the current run, opening one if there is none.
func (f *function) spend(pos int, fuel uint32) {
	switch {
	case f.run == runNone:
		f.openRun(pos)
	case f.runFuel+fuel > runFuelMax:
		f.closeRun()
		f.openRun(pos)
		f.body = append(f.body, f.r.code.check...)
		f.shape.branches++
	}
	f.runFuel += fuel
}

func (f *function) openRun(pos int) {
	f.insertBefore(pos, f.r.code.charge)
	f.run = len(f.body) - len(f.r.code.charge) + f.r.code.chargeNumber
}

// closeRun writes the fuel of the current run into its charge, as a signed LEB128 of two bytes.
func (f *function) closeRun() {
	switch {
	case f.run >= 0:
		f.body[f.run] = byte(f.runFuel) | 0x80 // #nosec G115 -- the low seven bits
		f.body[f.run+1] = byte(f.runFuel >> 7) // #nosec G115 -- at most runFuelMax
	case f.run == runEntry:
		f.entryFuel = f.runFuel
	}
	f.fuel += uint64(f.runFuel)
	f.run, f.runFuel = runNone, 0
}

// leave ends the reachable code up to the end of the current frame.
func (f *function) leave() {
	f.closeRun()
	f.dead = true
}

func (f *function) pop(n int) {
	// Below the frame's base only invalid code reaches, and the engine refuses that.
	f.height = max(f.height-n, f.frames[len(f.frames)-1].base)
	f.origins = f.origins[:min(len(f.origins), f.height)]
}

func (f *function) push(n int) {
	f.height += n
	for n := min(f.height, originsMax) - len(f.origins); n > 0; n-- {
		f.origins = append(f.origins, origin{})
	}
	f.heightMax = max(f.heightMax, f.height)
}

// scratch returns the first or second local of a type that the meter may use, adding it if there is none yet. What it
// holds lasts for one injected sequence.
func (f *function) scratch(valueType byte, which int) uint32 {
	added := &f.scratches[which][wasm.TypeI32-valueType]
	if *added == 0 {
		f.scratchTypes = append(f.scratchTypes, valueType)
		*added = uint32(f.localCount + len(f.scratchTypes)) // #nosec G115 -- at most localsMax and five
	}
	return *added - 1
}

// localType is the type of a local, the meter's own included.
func (f *function) localType(local uint32) byte {
	if int(local) < f.localCount {
		return f.localTypes[local]
	}
	return f.scratchTypes[int(local)-f.localCount]
}

// canonicalise replaces a NaN on top of the stack by the one with no sign and no payload: x == x ? x : NaN.
func (f *function) canonicalise(valueType byte) {
	eq := byte(wasm.OpF32Eq)
	nan := []byte{wasm.OpF32Const, 0, 0, 0xc0, 0x7f}
	if valueType == wasm.TypeF64 {
		eq = wasm.OpF64Eq
		nan = []byte{wasm.OpF64Const, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}
	}
	local := f.scratch(valueType, 0)
	f.insertBefore(f.in.Pos, nil)
	f.body = wasm.AppendU32(append(f.body, wasm.OpLocalTee), local)
	f.body = append(f.body, nan...)
	f.body = wasm.AppendU32(append(f.body, wasm.OpLocalGet), local)
	f.body = wasm.AppendU32(append(f.body, wasm.OpLocalGet), local)
	f.body = append(f.body, eq, wasm.OpSelect)
}

// observed reports whether the value just computed goes anywhere where the bits of a NaN could be told apart.
func (f *function) observed() bool {
	rest := f.in.Data[f.in.Pos:]
	if len(rest) == 0 {
		return true
	}
	if rest[0] == wasm.OpPrefix {
		return len(rest) < 2 || int(rest[1]) >= len(wasm.PrefixedOps) || !wasm.PrefixedOps[rest[1]].BlindToNaN
	}
	return !wasm.Ops[rest[0]].BlindToNaN
}
