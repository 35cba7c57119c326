package wasm

// Opcodes that somebody names (WebAssembly 2.0, 5.4). The table below knows all of them.
const (
	OpUnreachable  = 0x00
	OpNop          = 0x01
	OpBlock        = 0x02
	OpLoop         = 0x03
	OpIf           = 0x04
	OpElse         = 0x05
	OpEnd          = 0x0b
	OpBr           = 0x0c
	OpBrIf         = 0x0d
	OpBrTable      = 0x0e
	OpReturn       = 0x0f
	OpCall         = 0x10
	OpCallIndirect = 0x11
	OpDrop         = 0x1a
	OpSelect       = 0x1b
	OpSelectTyped  = 0x1c
	OpLocalGet     = 0x20
	OpLocalSet     = 0x21
	OpLocalTee     = 0x22
	OpGlobalGet    = 0x23
	OpGlobalSet    = 0x24
	OpTableGet     = 0x25
	OpTableSet     = 0x26
	OpI32Store     = 0x36
	OpI64Store32   = 0x3e
	OpMemorySize   = 0x3f
	OpMemoryGrow   = 0x40
	OpI32Const     = 0x41
	OpI64Const     = 0x42
	OpF32Const     = 0x43
	OpF64Const     = 0x44
	OpI32LtS       = 0x48
	OpI32LtU       = 0x49
	OpI64LtS       = 0x53
	OpI64GtS       = 0x55
	OpI64GeU       = 0x5a
	OpF32Eq        = 0x5b
	OpF64Eq        = 0x61
	OpI32Add       = 0x6a
	OpI32Sub       = 0x6b
	OpI32Or        = 0x72
	OpI32ShrU      = 0x76
	OpI64Add       = 0x7c
	OpI64Sub       = 0x7d
	OpI64Mul       = 0x7e
	OpI64And       = 0x83
	OpI64Or        = 0x84
	OpI64Shl       = 0x86
	OpI64ShrU      = 0x88
	OpI64RotateL   = 0x89
	OpI32Wrap      = 0xa7
	OpI64ExtendS   = 0xac
	OpI64ExtendU   = 0xad
	OpRefNull      = 0xd0
	OpRefIsNull    = 0xd1
	OpRefFunc      = 0xd2
	OpPrefix       = 0xfc
)

// Second opcodes after OpPrefix.
const (
	PrefixMemoryInit = 8
	PrefixDataDrop   = 9
	PrefixMemoryCopy = 10
	PrefixMemoryFill = 11
	PrefixTableInit  = 12
	PrefixElemDrop   = 13
	PrefixTableCopy  = 14
	PrefixTableGrow  = 15
	PrefixTableSize  = 16
	PrefixTableFill  = 17
)

// Immediate says what follows an opcode.
type Immediate uint8

// Kinds of immediates. The zero value is that of an opcode that does not exist.
const (
	Unsupported    Immediate = iota
	NoImmediate              // nothing
	BlockType                // an s33
	LabelIndex               // a u32
	LabelTable               // a vector of u32 and one more
	FunctionIndex            // a u32
	LocalIndex               // a u32
	GlobalIndex              // a u32
	TableIndex               // a u32
	TypeAndTable             // two u32
	TwoIndexes               // two u32
	SegmentIndex             // a u32
	SegmentMemory            // a u32 and a zero byte
	MemoryArgument           // two u32: alignment and offset
	ZeroByte                 // one zero byte
	TwoZeroBytes             // two zero bytes
	Number                   // a LEB128
	FourBytes                // an f32
	EightBytes               // an f64
	Reference                // a reference type
	ValueTypes               // a vector of exactly one value type
)

// Class sorts the instructions by what they ask of the machine.
type Class uint8

// Classes. The name says what the cost table charges for.
const (
	Structure  Class = iota // nop, block, loop, else, end: nothing runs
	Plain                   // locals, constants, integer arithmetic, comparisons, conversions of bits
	Choice                  // select
	Branch                  // if, br, br_if, return, unreachable
	BranchMany              // br_table
	CallDirect
	CallTable
	GlobalRead
	GlobalWrite
	Load
	Store
	DivideInt
	FloatArithmetic
	FloatDivide // and square roots
	FloatRound  // ceil, floor, trunc, nearest
	FloatToInt
	TableAccess
	SizeOf
	Bulk // work grows with an operand
	DropSegment
	FunctionReference // ref.func, for which wazero leaves native code
)

// Op describes one opcode.
type Op struct {
	Immediate Immediate
	Class     Class
	// Pops and Pushes count operands. They are 0 for control instructions and calls, whose types decide.
	Pops, Pushes uint8
	// NaN is the type of a result whose NaN bits the specification leaves open (4.3.3): TypeF32, TypeF64, or 0.
	NaN byte
	// BlindToNaN says that the bits of a NaN operand on top of the stack cannot reach anything but such an open result,
	// a comparison or a trap.
	BlindToNaN bool
}

// Ops is the table of one-byte opcodes. PrefixedOps is that of the second opcodes after OpPrefix.
var (
	Ops         = opTable()
	PrefixedOps = prefixedTable()
)

func opTable() (t [256]Op) {
	set := func(first, last int, op Op) {
		for i := first; i <= last; i++ {
			t[i] = op
		}
	}
	controlOps(set)
	set(OpDrop, OpDrop, Op{NoImmediate, Plain, 1, 0, 0, true})
	set(OpSelect, OpSelect, Op{NoImmediate, Choice, 3, 1, 0, false})
	set(OpSelectTyped, OpSelectTyped, Op{ValueTypes, Choice, 3, 1, 0, false})
	set(OpLocalGet, OpLocalGet, Op{LocalIndex, Plain, 0, 1, 0, false})
	set(OpLocalSet, OpLocalSet, Op{LocalIndex, Plain, 1, 0, 0, false})
	set(OpLocalTee, OpLocalTee, Op{LocalIndex, Plain, 1, 1, 0, false})
	set(OpGlobalGet, OpGlobalGet, Op{GlobalIndex, GlobalRead, 0, 1, 0, false})
	set(OpGlobalSet, OpGlobalSet, Op{GlobalIndex, GlobalWrite, 1, 0, 0, false})
	set(OpTableGet, OpTableGet, Op{TableIndex, TableAccess, 1, 1, 0, false})
	set(OpTableSet, OpTableSet, Op{TableIndex, TableAccess, 2, 0, 0, false})
	set(0x28, 0x35, Op{MemoryArgument, Load, 1, 1, 0, false})
	set(0x36, 0x3e, Op{MemoryArgument, Store, 2, 0, 0, false})
	set(OpMemorySize, OpMemorySize, Op{ZeroByte, SizeOf, 0, 1, 0, false})
	set(OpMemoryGrow, OpMemoryGrow, Op{ZeroByte, Bulk, 1, 1, 0, false})
	set(OpI32Const, OpI64Const, Op{Number, Plain, 0, 1, 0, false})
	set(OpF32Const, OpF32Const, Op{FourBytes, Plain, 0, 1, 0, false})
	set(OpF64Const, OpF64Const, Op{EightBytes, Plain, 0, 1, 0, false})
	integerOps(set)
	floatOps(set)
	set(OpRefNull, OpRefNull, Op{Reference, Plain, 0, 1, 0, false})
	set(OpRefIsNull, OpRefIsNull, Op{NoImmediate, Plain, 1, 1, 0, false})
	set(OpRefFunc, OpRefFunc, Op{FunctionIndex, FunctionReference, 0, 1, 0, false})
	return t
}

func controlOps(set func(first, last int, op Op)) {
	set(OpUnreachable, OpUnreachable, Op{NoImmediate, Branch, 0, 0, 0, false})
	set(OpNop, OpNop, Op{NoImmediate, Structure, 0, 0, 0, false})
	set(OpBlock, OpLoop, Op{BlockType, Structure, 0, 0, 0, false})
	set(OpIf, OpIf, Op{BlockType, Branch, 1, 0, 0, false})
	set(OpElse, OpElse, Op{NoImmediate, Structure, 0, 0, 0, false})
	set(OpEnd, OpEnd, Op{NoImmediate, Structure, 0, 0, 0, false})
	set(OpBr, OpBr, Op{LabelIndex, Branch, 0, 0, 0, false})
	set(OpBrIf, OpBrIf, Op{LabelIndex, Branch, 1, 0, 0, false})
	set(OpBrTable, OpBrTable, Op{LabelTable, BranchMany, 1, 0, 0, false})
	set(OpReturn, OpReturn, Op{NoImmediate, Branch, 0, 0, 0, false})
	set(OpCall, OpCall, Op{FunctionIndex, CallDirect, 0, 0, 0, false})
	set(OpCallIndirect, OpCallIndirect, Op{TypeAndTable, CallTable, 1, 0, 0, false})
}

func integerOps(set func(first, last int, op Op)) {
	unary, binary := Op{NoImmediate, Plain, 1, 1, 0, false}, Op{NoImmediate, Plain, 2, 1, 0, false}
	divide := Op{NoImmediate, DivideInt, 2, 1, 0, false}
	set(0x45, 0x45, unary)  // i32.eqz
	set(0x46, 0x4f, binary) // i32 comparisons
	set(0x50, 0x50, unary)  // i64.eqz
	set(0x51, 0x5a, binary) // i64 comparisons
	set(0x67, 0x69, unary)  // i32.clz, ctz, popcnt
	set(0x6a, 0x6c, binary) // i32.add, sub, mul
	set(0x6d, 0x70, divide) // i32.div, rem
	set(0x71, 0x78, binary) // i32 bits and shifts
	set(0x79, 0x7b, unary)  // i64.clz, ctz, popcnt
	set(0x7c, 0x7e, binary) // i64.add, sub, mul
	set(0x7f, 0x82, divide) // i64.div, rem
	set(0x83, 0x8a, binary) // i64 bits and shifts
	set(0xa7, 0xa7, unary)  // i32.wrap
	set(0xac, 0xad, unary)  // i64.extend_i32
	set(0xc0, 0xc4, unary)  // sign extensions
}

func floatOps(set func(first, last int, op Op)) {
	compare := Op{NoImmediate, Plain, 2, 1, 0, true}
	bits := Op{NoImmediate, Plain, 1, 1, 0, false}
	set(0x5b, 0x66, compare)
	for first, nan := range map[int]byte{0x8b: TypeF32, 0x99: TypeF64} {
		set(first, first+1, bits) // abs, neg
		set(first+2, first+5, Op{NoImmediate, FloatRound, 1, 1, nan, true})
		set(first+6, first+6, Op{NoImmediate, FloatDivide, 1, 1, nan, true}) // sqrt
		set(first+7, first+9, Op{NoImmediate, FloatArithmetic, 2, 1, nan, true})
		set(first+10, first+10, Op{NoImmediate, FloatDivide, 2, 1, nan, true})
		set(first+11, first+12, Op{NoImmediate, FloatArithmetic, 2, 1, nan, true}) // min, max
		set(first+13, first+13, Op{NoImmediate, Plain, 2, 1, 0, false})            // copysign
	}
	set(0xa8, 0xab, Op{NoImmediate, FloatToInt, 1, 1, 0, true})            // i32.trunc
	set(0xae, 0xb1, Op{NoImmediate, FloatToInt, 1, 1, 0, true})            // i64.trunc
	set(0xb2, 0xb5, Op{NoImmediate, FloatArithmetic, 1, 1, 0, false})      // f32.convert
	set(0xb6, 0xb6, Op{NoImmediate, FloatArithmetic, 1, 1, TypeF32, true}) // f32.demote
	set(0xb7, 0xba, Op{NoImmediate, FloatArithmetic, 1, 1, 0, false})      // f64.convert
	set(0xbb, 0xbb, Op{NoImmediate, FloatArithmetic, 1, 1, TypeF64, true}) // f64.promote
	set(0xbc, 0xbf, bits)                                                  // reinterpret
}

func prefixedTable() (t [18]Op) {
	for i := range 8 {
		t[i] = Op{NoImmediate, FloatToInt, 1, 1, 0, true} // trunc_sat
	}
	t[PrefixMemoryInit] = Op{SegmentMemory, Bulk, 3, 0, 0, false}
	t[PrefixDataDrop] = Op{SegmentIndex, DropSegment, 0, 0, 0, false}
	t[PrefixMemoryCopy] = Op{TwoZeroBytes, Bulk, 3, 0, 0, false}
	t[PrefixMemoryFill] = Op{ZeroByte, Bulk, 3, 0, 0, false}
	t[PrefixTableInit] = Op{TwoIndexes, Bulk, 3, 0, 0, false}
	t[PrefixElemDrop] = Op{SegmentIndex, DropSegment, 0, 0, 0, false}
	t[PrefixTableCopy] = Op{TwoIndexes, Bulk, 3, 0, 0, false}
	t[PrefixTableGrow] = Op{TableIndex, Bulk, 2, 1, 0, false}
	t[PrefixTableSize] = Op{TableIndex, SizeOf, 0, 1, 0, false}
	t[PrefixTableFill] = Op{TableIndex, Bulk, 3, 0, 0, false}
	return t
}

// Extension names the proposal an unsupported opcode belongs to, as " (SIMD)", or returns "".
func Extension(code byte) string {
	switch {
	case code == 0xfd:
		return " (SIMD)"
	case code == 0xfe:
		return " (atomics)"
	case code == 0xfb:
		return " (garbage collection)"
	case code >= 0x06 && code <= 0x0a, code == 0x18, code == 0x19, code == 0x1f:
		return " (exceptions)"
	case code == 0x12, code == 0x13:
		return " (tail calls)"
	case code == 0x14, code == 0x15:
		return " (function references)"
	}
	return ""
}
