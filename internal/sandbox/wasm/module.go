// Package wasm reads the WebAssembly binary format for the sandbox: where things begin and end, and what each
// instruction carries. It judges no types, runs nothing, and refuses every extension beyond WebAssembly 2.0 without SIMD.
package wasm

import (
	"errors"
	"fmt"
)

// Preamble starts every core module: the magic number and version 1.
const Preamble = "\x00asm\x01\x00\x00\x00"

// Section ids (WebAssembly 2.0, 5.5.2).
const (
	SectionCustom    = 0
	SectionType      = 1
	SectionImport    = 2
	SectionFunction  = 3
	SectionTable     = 4
	SectionMemory    = 5
	SectionGlobal    = 6
	SectionExport    = 7
	SectionStart     = 8
	SectionElement   = 9
	SectionCode      = 10
	SectionData      = 11
	SectionDataCount = 12
)

var sectionNames = [...]string{
	SectionCustom: "custom", SectionType: "type", SectionImport: "import", SectionFunction: "function",
	SectionTable: "table", SectionMemory: "memory", SectionGlobal: "global", SectionExport: "export",
	SectionStart: "start", SectionElement: "element", SectionCode: "code", SectionData: "data",
	SectionDataCount: "data count",
}

// SectionOrder lists the sections in the order in which a module must have them (5.5.16).
var SectionOrder = [...]byte{
	SectionType, SectionImport, SectionFunction, SectionTable, SectionMemory, SectionGlobal, SectionExport,
	SectionStart, SectionElement, SectionDataCount, SectionCode, SectionData,
}

// SectionName returns the name of a section of WebAssembly 2.0.
func SectionName(id byte) (name string, known bool) {
	if int(id) >= len(sectionNames) {
		return "", false
	}
	return sectionNames[id], true
}

// Value types a guest may use (5.3.1). v128 is missing on purpose: lanes of NaNs differ by processor, and metering does
// not know them.
const (
	TypeI32       = 0x7f
	TypeI64       = 0x7e
	TypeF32       = 0x7d
	TypeF64       = 0x7c
	TypeFuncref   = 0x70
	TypeExternref = 0x6f
	TypeFunction  = 0x60
	TypeEmpty     = 0x40
)

// External kinds of imports and exports (5.5.5).
const (
	KindFunction = 0
	KindTable    = 1
	KindMemory   = 2
	KindGlobal   = 3
)

// IsNumber reports whether values of type t are plain bits and not references.
func IsNumber(t byte) bool { return t >= TypeF64 && t <= TypeI32 }

// ValueType reads one value type.
func (c *Cursor) ValueType() byte {
	b := c.Byte()
	if c.Err == nil && !IsNumber(b) && b != TypeFuncref && b != TypeExternref {
		c.Fail(fmt.Errorf("value type %#x is not supported", b))
	}
	return b
}

// ReferenceType reads funcref or externref.
func (c *Cursor) ReferenceType() byte {
	b := c.Byte()
	if c.Err == nil && b != TypeFuncref && b != TypeExternref {
		c.Fail(fmt.Errorf("reference type %#x is not supported", b))
	}
	return b
}

// Limits are those of a memory, in pages, or of a table, in entries.
type Limits struct {
	Min, Max       uint32
	HasMax, Shared bool
}

// Limits reads the limits of a memory or table. 64-bit memories are not supported.
func (c *Cursor) Limits() Limits {
	flag := c.Byte()
	if flag > 3 {
		c.Fail(fmt.Errorf("limits flag %#x is not supported", flag))
		return Limits{}
	}
	l := Limits{Min: c.U32(), HasMax: flag&1 != 0, Shared: flag&2 != 0}
	if l.HasMax {
		l.Max = c.U32()
		if c.Err == nil && l.Max < l.Min {
			c.Fail(errors.New("maximum below minimum"))
		}
	}
	return l
}

// constantInstructionsMax bounds one constant expression. Without the extended-const proposal one instruction and
// the end are all there can be.
const constantInstructionsMax = 2

// ConstantExpression reads one constant expression. function is the index a ref.func in it names, and named says that
// there is one.
func (c *Cursor) ConstantExpression() (function uint32, named bool) {
	for range constantInstructionsMax {
		switch op := c.Byte(); op {
		case OpEnd:
			return function, named
		case OpRefFunc:
			function, named = c.U32(), true
		case OpI32Const, OpI64Const:
			c.SkipLEB()
		case OpGlobalGet:
			// Only imported globals may be read here, and nothing but functions may be imported.
			c.Fail(errors.New("a constant expression reads a global"))
			return 0, false
		case OpRefNull:
			c.ReferenceType()
		case OpF32Const:
			c.Bytes(4)
		case OpF64Const:
			c.Bytes(8)
		default:
			c.Fail(fmt.Errorf("opcode %#x in a constant expression", op))
			return 0, false
		}
	}
	c.Fail(errors.New("constant expression too long"))
	return 0, false
}

// ElementSegment reads one element segment of at most entriesMax entries, calling function for each function index in it,
// and returns the number of entries. The eight layouts are those of 5.5.12: bit 0 passive or declarative, bit 1 explicit
// table, bit 2 expressions instead of function indexes.
func (c *Cursor) ElementSegment(entriesMax int, function func(index uint32)) (entries int) {
	flags := c.U32()
	if flags > 7 {
		c.Fail(fmt.Errorf("element segment flags %d", flags))
		return 0
	}
	if flags&1 == 0 {
		if flags&2 != 0 {
			c.U32()
		}
		c.ConstantExpression()
	}
	if flags&3 != 0 {
		c.Byte()
	}
	entries = c.Count("elements", entriesMax)
	for range entries {
		index, named := uint32(0), true
		if flags&4 != 0 {
			index, named = c.ConstantExpression()
		} else {
			index = c.U32()
		}
		if c.Err != nil {
			return 0
		}
		if named {
			function(index)
		}
	}
	return entries
}

// DataSegment passes over one data segment (5.5.14).
func (c *Cursor) DataSegment() {
	flags := c.U32()
	if flags > 2 {
		c.Fail(fmt.Errorf("data segment flags %d", flags))
		return
	}
	if flags == 2 {
		c.U32()
	}
	if flags != 1 {
		c.ConstantExpression()
	}
	c.Bytes(c.U32())
}
