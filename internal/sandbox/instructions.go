package sandbox

import "fmt"

// Opcodes with immediates (WebAssembly 2.0, 5.4), and the few that are counted.
const (
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opGlobalGet    = 0x23
	opTableSet     = 0x26
	opI32Load      = 0x28
	opI64Store32   = 0x3e
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opI32Eqz       = 0x45
	opI64Extend32  = 0xc4
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	opPrefix       = 0xfc
)

// prefixedImmediates is the number of immediates of each opcode after opPrefix: conversions up to 7, then memory.init,
// data.drop, memory.copy, memory.fill, table.init, elem.drop, table.copy, table.grow, table.size, table.fill.
var prefixedImmediates = [...]int{0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1}

// bulk says which of them touch as much memory as their operands say.
var bulk = map[uint32]bool{8: true, 10: true, 11: true, 12: true, 14: true, 17: true}

// bodyCost is what a function's shape says about the time it takes to compile and the time it can hold the process.
type bodyCost struct {
	// branches counts blocks, loops, ifs and branch targets; loops counts those alone.
	branches, loops uint64
	// bulk counts operations that touch up to the whole memory in one native step.
	bulk int
}

// instructions passes over a function's code. It knows where instructions begin and end, and refuses opcodes it does
// not know; whether they make sense together is for wazero to validate.
func (c *cursor) instructions() bodyCost {
	var cost bodyCost
	for c.more() {
		op := c.byte()
		switch {
		case op >= opBlock && op <= opIf:
			c.skipLEB()
			cost.branches++
			if op == opLoop {
				cost.loops++
			}
		case op == opBr, op == opBrIf:
			c.u32()
			cost.branches++
		case op == opBrTable:
			targets := c.count("branch targets", branchTargetsMax)
			for range targets + 1 {
				c.u32()
			}
			cost.branches += uint64(targets) + 1 // #nosec G115 -- at most branchTargetsMax
		case op == opPrefix:
			sub := c.u32()
			if int64(sub) >= int64(len(prefixedImmediates)) {
				c.fail(fmt.Errorf("opcode 0xfc %d is not supported", sub))
				return cost
			}
			for range prefixedImmediates[sub] {
				c.u32()
			}
			if bulk[sub] {
				cost.bulk++
			}
		default:
			c.plainInstruction(op)
		}
	}
	return cost
}

func (c *cursor) plainInstruction(op byte) {
	switch {
	case op <= 0x01, op == opElse, op == opEnd, op == opReturn, op == opDrop, op == opSelect, op == opRefIsNull,
		op >= opI32Eqz && op <= opI64Extend32:
	case op == opCall, op >= opLocalGet && op <= opTableSet, op == opMemorySize, op == opMemoryGrow, op == opRefFunc:
		c.u32()
	case op == opCallIndirect, op >= opI32Load && op <= opI64Store32:
		c.u32()
		c.u32()
	case op == opSelectTyped:
		for range c.count("select types", 1) {
			c.valueType()
		}
	case op == opI32Const, op == opI64Const:
		c.skipLEB()
	case op == opF32Const:
		c.bytes(4)
	case op == opF64Const:
		c.bytes(8)
	case op == opRefNull:
		c.referenceType()
	default:
		c.fail(fmt.Errorf("opcode %#x is not supported", op))
	}
}
