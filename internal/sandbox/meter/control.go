package meter

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// structure handles what has no immediate and shapes the control flow: end, else, return and unreachable. nop costs
// nothing and is taken over.
func (f *function) structure(start int, code byte) {
	switch code {
	case wasm.OpEnd:
		f.end()
	case wasm.OpElse:
		f.otherwise()
	case wasm.OpReturn:
		if f.dead {
			return
		}
		// The epilogue gives the frame's stack slots back, so that leaving is branching to it.
		f.insertBefore(start, []byte{wasm.OpBr})
		f.body = wasm.AppendU32(f.body, uint32(len(f.frames)-1)) // #nosec G115 -- below the body's length
		f.copied = f.in.Pos
		f.shape.branches++
		f.leave()
	case wasm.OpUnreachable:
		if !f.dead {
			f.leave()
		}
	}
}

// open begins a block, loop or if.
func (f *function) open(code byte) {
	params, results := f.blockType()
	f.shape.branches++
	if f.dead {
		f.frames = append(f.frames, frame{op: code, deadEntry: true, base: f.height, facts: len(f.facts)})
		return
	}
	if code == wasm.OpIf {
		f.pop(1)
	}
	f.pop(params)
	f.frames = append(f.frames, frame{op: code, base: f.height, params: params, results: results, sets: f.sets, facts: len(f.facts), factsFrom: f.factsFrom})
	f.push(params)
	switch code {
	case wasm.OpIf:
		// The operand went above; apply takes one more off, which the push puts back.
		f.closeRun()
		f.push(1)
	case wasm.OpLoop:
		f.closeRun()
		f.openRun(f.in.Pos)
		f.factsFrom = len(f.facts)
		f.runFuel = loopFuel
		f.body = append(f.body, f.r.code.check...)
		f.shape.loops++
		f.shape.branches++
		f.loopDepth++
		f.shape.nesting += f.loopDepth
	}
}

// blockType reads a block's type: empty, one result, or the index of a function type.
func (f *function) blockType() (params, results int) {
	c := &f.in
	t := c.S33()
	if t >= 0 {
		if t >= int64(len(f.r.types)) {
			c.Fail(fmt.Errorf("block of the unknown type %d", t))
			return 0, 0
		}
		s := &f.r.types[t]
		return len(s.params), len(s.results)
	}
	switch b := byte(t & 0x7f); {
	case t < -64:
		c.Fail(errors.New("bad block type"))
	case b == wasm.TypeEmpty:
		return 0, 0
	case !wasm.IsNumber(b) && b != wasm.TypeFuncref && b != wasm.TypeExternref:
		c.Fail(fmt.Errorf("block type %#x is not supported", b))
	}
	return 0, 1
}

// otherwise is the else of an if.
func (f *function) otherwise() {
	top := &f.frames[len(f.frames)-1]
	if top.op != wasm.OpIf {
		f.in.Fail(errors.New("else without if"))
		return
	}
	top.op = wasm.OpElse
	f.closeRun()
	f.dead = top.deadEntry
	f.facts = f.facts[:min(len(f.facts), top.facts)]
	f.resize(top.base, top.params)
}

// end closes the innermost frame.
func (f *function) end() {
	top := f.frames[len(f.frames)-1]
	f.frames = f.frames[:len(f.frames)-1]
	deadEnd := f.dead
	f.dead = top.deadEntry
	f.resize(top.base, top.results)
	switch {
	case top.deadEntry:
		return
	case len(f.frames) == 0:
		f.closeRun()
		return
	case top.op == wasm.OpLoop:
		f.loopDepth--
		f.factsFrom = top.factsFrom
		// A branch to a loop goes to its head: the code after it is reached from above or not at all.
		f.dead = deadEnd
	case top.op == wasm.OpBlock && !top.targeted:
		f.dead = deadEnd
		return
	default:
		f.closeRun()
		f.facts = f.facts[:min(len(f.facts), top.facts)]
	}
	f.merges += min(f.sets-top.sets, f.localCount)
}

// branch handles br, br_if and br_table.
func (f *function) branch(code byte) {
	c := &f.in
	targets := 1
	if code == wasm.OpBrTable {
		targets += c.Count("branch targets", branchTargetsMax)
	}
	f.shape.branches += uint64(targets) // #nosec G115 -- at most branchTargetsMax and one
	for range targets {
		label := c.U32()
		if c.Err != nil {
			return
		}
		if uint64(label) >= uint64(len(f.frames)) {
			c.Fail(fmt.Errorf("branch out of %d blocks, there are %d", label, len(f.frames)))
			return
		}
		if !f.dead {
			f.frames[len(f.frames)-1-int(label)].targeted = true
		}
	}
	switch {
	case f.dead:
	case code == wasm.OpBrIf:
		f.closeRun()
	default:
		f.leave()
	}
}

// functionIndex handles call and ref.func.
func (f *function) functionIndex(start int, code byte) {
	index := f.in.U32()
	f.r.checkFunction(&f.in, index)
	if f.in.Err != nil || code != wasm.OpCall {
		return
	}
	// A function of the host never calls back into the guest.
	if int64(index) >= int64(f.r.imported) {
		f.callsGuest = true
	} else if !f.dead {
		f.spend(start, hostCallFuel)
	}
	f.call(&f.r.types[f.r.functions[index]])
}

func (f *function) callIndirect() {
	index, table := f.in.U32(), f.in.U32()
	switch {
	case uint64(index) >= uint64(len(f.r.types)):
		f.in.Fail(fmt.Errorf("call of the unknown type %d", index))
		return
	case uint64(table) >= uint64(f.r.tableCount): // #nosec G115 -- a count
		f.in.Fail(fmt.Errorf("call through the unknown table %d", table))
		return
	}
	f.callsGuest = true
	if !f.dead {
		f.pop(1)
	}
	f.call(&f.r.types[index])
	if !f.dead {
		f.push(1)
	}
}

func (f *function) call(s *signature) {
	f.shape.calls++
	f.shape.values += uint64(len(s.params) + len(s.results)) // #nosec G115 -- not negative
	if !f.dead {
		f.given += len(s.results)
		f.pop(len(s.params))
		f.push(len(s.results))
	}
}
