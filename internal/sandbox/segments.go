package sandbox

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// constantInstructionsMax bounds one constant expression. Without the extended-const proposal one instruction and
// the end are all there can be.
const constantInstructionsMax = 2

func (c *cursor) constantExpression() {
	for range constantInstructionsMax {
		switch op := c.byte(); op {
		case opEnd:
			return
		case opGlobalGet, opI32Const, opI64Const, opRefNull, opRefFunc:
			c.skipLEB()
		case opF32Const:
			c.bytes(4)
		case opF64Const:
			c.bytes(8)
		default:
			c.fail(fmt.Errorf("opcode %#x in a constant expression", op))
			return
		}
	}
	c.fail(errors.New("constant expression too long"))
}

// elementSegments follows the eight layouts of WebAssembly 2.0, 5.5.12: bit 0 passive or declarative, bit 1 explicit
// table, bit 2 expressions instead of function indexes.
func (s *scanned) elementSegments(c *cursor) {
	for range c.count("element segments", elementSegmentsMax) {
		flags := c.u32()
		if flags > 7 {
			c.fail(fmt.Errorf("element segment flags %d", flags))
			return
		}
		if flags&1 == 0 {
			if flags&2 != 0 {
				c.u32()
			}
			c.constantExpression()
		}
		if flags&3 != 0 {
			c.byte()
		}
		entries := c.count("elements", elementsMax-s.elements)
		s.elements += entries
		for range entries {
			if flags&4 != 0 {
				c.constantExpression()
			} else {
				c.u32()
			}
			if c.err != nil {
				return
			}
		}
	}
}

func (c *cursor) dataSegments() {
	for range c.count("data segments", abi.ModuleDataSegmentsMax) {
		flags := c.u32()
		if flags > 2 {
			c.fail(fmt.Errorf("data segment flags %d", flags))
			return
		}
		if flags == 2 {
			c.u32()
		}
		if flags != 1 {
			c.constantExpression()
		}
		c.bytes(c.u32())
	}
}

// code bounds each function: its size, its locals (wazero allocates them by the claimed sum), its bulk operations, and
// the work of compiling it.
func (s *scanned) code(c *cursor) error {
	work := uint64(0)
	for i := range c.count("function bodies", len(s.functionParameters)) {
		where := fmt.Sprintf("function %d", i)
		size := c.u32()
		if size > functionBodyBytesMax {
			return refuse(where, "split the function", "function body %d has %d bytes, at most %d", i, size, functionBodyBytesMax)
		}
		body := &cursor{data: c.bytes(size)}
		if c.err != nil {
			return nil //nolint:nilerr // the cursor keeps it, and whoever reads the section asks
		}
		locals := body.locals() + uint64(s.functionParameters[i]) // #nosec G115 -- at most parametersMax
		cost := body.instructions()
		if body.err != nil {
			return refuse(where, "build for WebAssembly 2.0 without SIMD", "function body %d: %v", i, body.err)
		}
		if cost.bulk > bulkOperationsMax {
			return refuse(where, "split the function", "function body %d has %d bulk memory operations, at most %d", i, cost.bulk, bulkOperationsMax)
		}
		if work += cost.compileWork(uint64(size), locals); work > compileWorkMax {
			return refuse(where, "split the largest functions", "compiling function body %d with its %d branches, %d loops and %d locals would take too long", i, cost.branches, cost.loops, locals)
		}
	}
	return nil
}

// compileWork estimates, from measurements, the time and memory wazero needs for one function. They grow with the square
// of the number of branches and of the length, and faster than that with loops times locals, because each nested loop
// gets a node for each local: 1000 loops over 1000 locals, 16 KB of code, take 39 seconds and a gigabyte.
// Length, branches and loops are below 2^18 and locals below 2^13, so 64 bits hold the sum up to the bound and one more.
func (b bodyCost) compileWork(length, locals uint64) uint64 {
	const nodeShare, bytesPerUnit = 64, 64
	nodes, units := b.loops*locals, length/bytesPerUnit
	return b.branches*b.branches + nodes*nodes/nodeShare + units*units
}

func (c *cursor) locals() uint64 {
	total := uint64(0)
	for range c.count("groups of locals", localsMax) {
		total += uint64(c.u32())
		c.valueType()
		if total > localsMax {
			c.fail(fmt.Errorf("%d locals, at most %d", total, localsMax))
		}
		if c.err != nil {
			return 0
		}
	}
	return total
}
