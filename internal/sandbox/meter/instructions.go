package meter

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// instructions passes over the code once. Indexes past the module's own items are refused even in unreachable code,
// because the engine validates that too, against the rewritten module.
func (f *function) instructions() {
	c := &f.in
	for c.More() {
		start := c.Pos
		code := c.Data[start]
		c.Pos++
		if code == wasm.OpPrefix {
			f.prefixed(start)
			continue
		}
		op := &wasm.Ops[code]
		if fuel := opCosts[code]; fuel > 0 && !f.dead {
			f.spend(start, fuel)
		}
		switch op.Immediate { //nolint:exhaustive // the rarer ones are immediate's
		case wasm.NoImmediate:
			if op.Class == wasm.Structure || op.Class == wasm.Branch {
				f.structure(start, code)
				if len(f.frames) == 0 {
					f.finish()
					return
				}
			}
		case wasm.LocalIndex:
			f.localIndex(code)
			continue
		case wasm.Number:
			number := c.S64()
			if !f.dead {
				f.push(1)
				f.produce(origin{kind: originConstant, delta: int32(number)}) // #nosec G115 -- addresses have 32 bits
			}
			continue
		case wasm.MemoryArgument:
			c.U32()
			if offset := c.U32(); op.Class == wasm.Store && !f.dead && c.Err == nil {
				f.mark(start, code, offset)
			}
		case wasm.GlobalIndex:
			f.global(start, code)
		default:
			f.immediate(start, code, op)
		}
		if f.dead {
			continue
		}
		from := f.arithmetic(code)
		f.apply(op)
		if op.Pushes == 1 {
			f.produce(from)
		}
		if op.NaN != 0 && f.observed() {
			f.canonicalise(op.NaN)
		}
	}
}

func (f *function) localIndex(code byte) {
	index := f.in.U32()
	if uint64(index) >= uint64(f.localCount) { // #nosec G115 -- not negative
		f.in.Fail(fmt.Errorf("unknown local %d", index))
		return
	}
	if code != wasm.OpLocalGet {
		f.sets++
	}
	if !f.dead {
		f.local(code, index)
	}
}

// finish is called after the body's own end, which the epilogue replaces.
func (f *function) finish() {
	if f.in.More() {
		f.in.Fail(errors.New("code after the end"))
		return
	}
	f.insertBefore(f.in.Pos-1, nil)
}

func (f *function) global(start int, code byte) {
	index := f.in.U32()
	if uint64(index) >= uint64(len(f.r.globals)) {
		f.in.Fail(fmt.Errorf("unknown global %d", index))
		return
	}
	if code == wasm.OpGlobalSet && !f.dead && !wasm.IsNumber(f.r.globals[index].valueType) {
		f.insertBefore(start, f.r.code.taint)
	}
}

// immediate reads the rarer immediates.
func (f *function) immediate(start int, code byte, op *wasm.Op) {
	c := &f.in
	switch op.Immediate { //nolint:exhaustive // the commoner ones are instructions'
	case wasm.BlockType:
		f.open(code)
	case wasm.LabelIndex, wasm.LabelTable:
		f.branch(code)
	case wasm.FunctionIndex:
		f.functionIndex(start, code)
	case wasm.TypeAndTable:
		f.callIndirect()
	case wasm.TableIndex, wasm.SegmentIndex:
		c.U32()
		if code == wasm.OpTableSet && !f.dead {
			f.insertBefore(start, f.r.code.taint)
		}
	case wasm.TwoIndexes:
		c.U32()
		c.U32()
	case wasm.SegmentMemory:
		c.U32()
		f.zeroBytes(1)
	case wasm.ZeroByte:
		f.zeroBytes(1)
		if code == wasm.OpMemoryGrow {
			f.bulk(start, f.r.code.chargeGrow)
		}
	case wasm.TwoZeroBytes:
		f.zeroBytes(2)
	case wasm.FourBytes:
		c.Bytes(4)
	case wasm.EightBytes:
		c.Bytes(8)
	case wasm.Reference:
		c.ReferenceType()
	case wasm.ValueTypes:
		if c.Count("select types", 1) != 1 {
			c.Fail(errors.New("select needs one type"))
		}
		c.ValueType()
	default:
		c.Fail(fmt.Errorf("opcode %#x is not supported%s", code, wasm.Extension(code)))
	}
}

// zeroBytes reads reserved bytes, the index of the only memory.
func (f *function) zeroBytes(n int) {
	for range n {
		if f.in.Byte() != 0 {
			f.in.Fail(errors.New("reserved byte is not zero"))
		}
	}
}

// bulk makes the operation at start pay for the length on top of the stack, and check, before it runs.
func (f *function) bulk(start int, charge []byte) {
	f.shape.bulk++
	f.shape.calls++
	if !f.dead {
		f.insertBefore(start, charge)
	}
}

// prefixed reads an instruction of two opcodes.
func (f *function) prefixed(start int) {
	c, code := &f.in, &f.r.code
	second := c.U32()
	if uint64(second) >= uint64(len(wasm.PrefixedOps)) {
		c.Fail(fmt.Errorf("opcode %#x %d is not supported", wasm.OpPrefix, second))
		return
	}
	op := &wasm.PrefixedOps[second]
	if !f.dead {
		f.spend(start, costs[op.Class])
	}
	if op.Immediate != wasm.NoImmediate {
		f.immediate(start, wasm.OpPrefix, op)
	}
	if c.Err != nil {
		return
	}
	switch second {
	case wasm.PrefixMemoryInit, wasm.PrefixMemoryCopy, wasm.PrefixMemoryFill:
		f.bulk(start, code.chargeBytes)
	case wasm.PrefixTableInit, wasm.PrefixTableCopy, wasm.PrefixTableFill, wasm.PrefixTableGrow:
		f.bulk(start, join(code.taint, code.chargeEntries))
	case wasm.PrefixDataDrop, wasm.PrefixElemDrop:
		if !f.dead {
			f.insertBefore(start, code.taint)
		}
	}
	if !f.dead {
		f.apply(op)
	}
}

// apply moves the operand height.
func (f *function) apply(op *wasm.Op) {
	f.pop(int(op.Pops))
	f.push(int(op.Pushes))
}
