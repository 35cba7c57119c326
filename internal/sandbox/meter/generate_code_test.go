package meter

import "github.com/purserhq/purser/internal/sandbox/wasm"

// statement writes code that leaves the stack as it was.
func (g *generator) statement(depth int) []byte {
	if g.full(depth) {
		return ops(wasm.OpNop)
	}
	switch g.pick(26) {
	case 0, 1, 2:
		t := g.numberType()
		if local, ok := g.localOf(t); ok {
			return g.count(join(g.expression(t, depth+1), index(wasm.OpLocalSet, local)))
		}
		return ops(wasm.OpNop)
	case 3:
		i := g.pick(4)
		return g.count(join(g.guard(numberTypes[i], g.expression(numberTypes[i], depth+1)), index(wasm.OpGlobalSet, uint32(i))))
	case 4, 5:
		return g.count(g.store(depth))
	case 6:
		code := join(g.expression(tI32, depth+1), ops(wasm.OpIf, wasm.TypeEmpty), g.inside(label{}, depth))
		if g.pick(2) == 0 {
			code = join(code, ops(wasm.OpElse), g.inside(label{}, depth))
		}
		return g.count(append(code, wasm.OpEnd))
	case 7, 8:
		return g.count(join(ops(wasm.OpBlock, wasm.TypeEmpty), g.inside(label{}, depth), ops(wasm.OpEnd)))
	case 9, 10:
		return g.count(g.loop(depth))
	case 11, 12:
		return g.branch(depth)
	case 13:
		i, drops := g.pick(generatedFunctions), []byte{}
		for range g.signatures[i].results {
			drops = append(drops, wasm.OpDrop)
		}
		return g.count(join(g.arguments(i, depth), index(wasm.OpCall, uint32(i+1)), drops))
	case 14:
		i, drops := g.pick(generatedFunctions), []byte{}
		for range g.signatures[i].results {
			drops = append(drops, wasm.OpDrop)
		}
		slot := join(g.expression(tI32, depth+1), i32(generatedTableSize), ops(0x70)) // rem_u
		if g.pick(3) > 0 {
			slot = i32(int32(i))
		}
		return g.count(join(g.arguments(i, depth), slot, ops(wasm.OpCallIndirect, byte(i+1), 0), drops))
	case 15, 16:
		return g.count(g.bulk(depth))
	case 17:
		return g.count(g.tables(depth))
	case 18:
		return g.count(join(g.expression(tI32, depth+1), index(wasm.OpCall, 0)))
	case 19, 20, 21:
		return g.count(g.point(depth))
	case 22, 23, 24:
		return g.count(join(g.store(depth), g.store(depth)))
	default:
		return ops(wasm.OpNop)
	}
}

// point moves a pointer: anywhere, to the end of a chunk, to where the other points, or by a little.
func (g *generator) point(depth int) []byte {
	narrow, wide := uint32(len(g.locals)-3), uint32(len(g.locals)-2)
	var to []byte
	switch g.pick(6) {
	case 0:
		to = join(g.expression(tI32, depth+1), i32(int32(g.pages<<16)), ops(0x70)) // rem_u
	case 1:
		to = i32(int32(g.pick(int(g.pages))+1)<<16 - int32(g.pick(20)))
	case 2:
		to = join(index(wasm.OpLocalGet, wide), ops(wasm.OpI32Wrap))
	case 3:
		return join(index(wasm.OpLocalGet, wide), i64(int64(g.distance())), ops([]byte{wasm.OpI64Add, wasm.OpI64Sub}[g.pick(2)]), index(wasm.OpLocalSet, wide))
	default:
		to = join(index(wasm.OpLocalGet, narrow), i32(g.distance()), ops([]byte{wasm.OpI32Add, wasm.OpI32Sub}[g.pick(2)]))
	}
	if g.pick(3) == 0 {
		return join(to, ops([]byte{wasm.OpI64ExtendS, wasm.OpI64ExtendU}[g.pick(2)]), index(wasm.OpLocalSet, wide))
	}
	return join(to, index(wasm.OpLocalSet, narrow))
}

// distance is mostly small, or about what one mark covers, or a chunk.
func (g *generator) distance() int32 {
	near := int32(g.pick(40) - 20)
	return near + []int32{0, 0, 0, 2000, dirtyReach, DirtyMarginBytes, DirtyChunkBytes}[g.pick(7)]
}

func (g *generator) inside(l label, depth int) []byte {
	g.labels = append(g.labels, l)
	var code []byte
	for range 1 + g.pick(3) {
		code = append(code, g.statement(depth+1)...)
	}
	g.labels = g.labels[:len(g.labels)-1]
	return code
}

// loop goes round a few times; branches to it from inside go round again at the budget's cost.
func (g *generator) loop(depth int) []byte {
	counter := uint32(len(g.locals) - 1)
	count := int32(1 + g.pick(6))
	body := g.inside(label{loop: true}, depth)
	return join(i32(count), index(wasm.OpLocalSet, counter), ops(wasm.OpLoop, wasm.TypeEmpty), g.budget(), body,
		index(wasm.OpLocalGet, counter), i32(1), ops(wasm.OpI32Sub), index(wasm.OpLocalTee, counter), i32(0), ops(0x4a), // gt_s
		index(wasm.OpBrIf, 0), ops(wasm.OpEnd))
}

// branch leaves a block, or the function when there is none, always or on a condition.
func (g *generator) branch(depth int) []byte {
	if len(g.labels) == 0 {
		return ops(wasm.OpNop)
	}
	target := g.pick(len(g.labels))
	if g.labels[len(g.labels)-1-target].result != 0 {
		return ops(wasm.OpNop)
	}
	switch g.pick(5) {
	case 0:
		return index(wasm.OpBr, uint32(target))
	case 1:
		if g.plainLabels() {
			code := join(g.expression(tI32, depth+1), ops(wasm.OpBrTable, 2))
			for range 3 {
				code = wasm.AppendU32(code, uint32(g.pick(len(g.labels))))
			}
			return code
		}
		fallthrough
	default:
		return join(g.expression(tI32, depth+1), index(wasm.OpBrIf, uint32(target)))
	}
}

func (g *generator) plainLabels() bool {
	for _, l := range g.labels {
		if l.result != 0 {
			return false
		}
	}
	return true
}

func (g *generator) arguments(i, depth int) []byte {
	var code []byte
	for _, t := range g.signatures[i].params {
		code = append(code, g.guard(t, g.expression(t, depth+1))...)
	}
	return code
}

// address is mostly inside of the memory.
func (g *generator) address(depth int) []byte {
	switch g.pick(12) {
	case 0:
		return g.expression(tI32, depth+1)
	case 1, 2, 3:
		return index(wasm.OpLocalGet, uint32(len(g.locals)-3))
	case 4:
		return join(index(wasm.OpLocalGet, uint32(len(g.locals)-3)), i32(g.distance()), ops([]byte{wasm.OpI32Add, wasm.OpI32Sub}[g.pick(2)]))
	case 5:
		return join(index(wasm.OpLocalGet, uint32(len(g.locals)-2)), ops(wasm.OpI32Wrap))
	case 6:
		return join(index(wasm.OpLocalGet, uint32(len(g.locals)-2)), i64(int64(g.distance())), ops(wasm.OpI64Add, wasm.OpI32Wrap))
	case 7:
		return i32(int32(g.pick(int(g.pages)+1))<<16 - int32(g.pick(20)))
	case 8:
		return join(g.expression(tI32, depth+1), i32(0x7fff), ops(0x71), index(wasm.OpLocalTee, uint32(len(g.locals)-3)))
	}
	return join(g.expression(tI32, depth+1), i32(0x7fff), ops(0x71)) // and
}

func (g *generator) store(depth int) []byte {
	stores := []struct{ op, t byte }{{0x36, tI32}, {0x37, tI64}, {0x38, tF32}, {0x39, tF64}, {0x3a, tI32}, {0x3b, tI32}, {0x3c, tI64}, {0x3d, tI64}, {0x3e, tI64}}
	s := stores[g.pick(len(stores))]
	return join(g.address(depth), g.guard(s.t, g.expression(s.t, depth+1)), ops(s.op, 0), wasm.AppendU32(nil, g.offset()))
}

func (g *generator) offset() uint32 {
	if offset := g.distance(); offset > 0 {
		return uint32(offset)
	}
	return 0
}

func (g *generator) bulk(depth int) []byte {
	length := join(g.expression(tI32, depth+1), i32([]int32{0xff, 0xff, 0x1ffff}[g.pick(3)]), ops(0x71))
	switch g.pick(5) {
	case 0:
		return join(g.address(depth), g.expression(tI32, depth+1), length, ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))
	case 1:
		return join(g.address(depth), g.address(depth), length, ops(wasm.OpPrefix, wasm.PrefixMemoryCopy, 0, 0))
	case 2:
		return join(g.address(depth), i32(int32(g.pick(8))), i32(int32(g.pick(60))), ops(wasm.OpPrefix, wasm.PrefixMemoryInit, 0, 0))
	case 3:
		if g.pick(8) == 0 {
			return ops(wasm.OpPrefix, wasm.PrefixDataDrop, 0)
		}
		return join(g.address(depth), i32(-1), i32(int32(g.pick(3)-1)), ops(wasm.OpPrefix, wasm.PrefixMemoryFill, 0))
	default:
		return join(i32(int32(g.pick(4)-1)), ops(wasm.OpMemoryGrow, 0, wasm.OpDrop))
	}
}

func (g *generator) tables(depth int) []byte {
	slot := func() []byte { return i32(int32(g.pick(generatedTableSize + 1))) }
	reference := [][]byte{{wasm.OpRefNull, wasm.TypeFuncref}, {wasm.OpRefFunc, 2}, index(wasm.OpGlobalGet, globalRef)}[g.pick(3)]
	switch g.pick(8) {
	case 0:
		return join(slot(), reference, ops(wasm.OpTableSet, 0))
	case 1:
		return join(reference, i32(int32(g.pick(3))), ops(wasm.OpPrefix, wasm.PrefixTableGrow, 0, wasm.OpDrop))
	case 2:
		return join(slot(), reference, i32(int32(g.pick(3))), ops(wasm.OpPrefix, wasm.PrefixTableFill, 0))
	case 3:
		return join(slot(), slot(), i32(int32(g.pick(3))), ops(wasm.OpPrefix, wasm.PrefixTableCopy, 0, 0))
	case 4:
		return join(slot(), i32(int32(g.pick(2))), i32(int32(g.pick(3))), ops(wasm.OpPrefix, wasm.PrefixTableInit, 1, 0))
	case 5:
		return ops(wasm.OpPrefix, wasm.PrefixElemDrop, 1)
	case 6:
		return join(reference, index(wasm.OpGlobalSet, globalRef))
	default:
		return join(slot(), ops(wasm.OpTableGet, 0), index(wasm.OpGlobalSet, globalRef))
	}
}

// Operations on two and on one operand of a type that give the same type.
var (
	binaryOps = map[byte][]byte{
		tI32: {0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78},
		tI64: {0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a},
		tF32: {0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98},
		tF64: {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6},
	}
	unaryOps = map[byte][]byte{
		tI32: {0x67, 0x68, 0x69, 0x45, 0xc0, 0xc1},
		tI64: {0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4},
		tF32: {0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91},
		tF64: {0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f},
	}
	loadOps = map[byte][]byte{
		tI32: {0x28, 0x2c, 0x2d, 0x2e, 0x2f}, tI64: {0x29, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35}, tF32: {0x2a}, tF64: {0x2b},
	}
	comparisonOps = map[byte][2]byte{tI32: {0x46, 10}, tI64: {0x51, 10}, tF32: {0x5b, 6}, tF64: {0x61, 6}}
)

type conversion struct {
	from byte
	code []byte
}

var conversions = map[byte][]conversion{
	tI32: {{tI64, ops(0xa7)}, {tF32, ops(0xa8)}, {tF64, ops(0xab)}, {tF32, ops(0xbc)}, {tF32, ops(wasm.OpPrefix, 0)}, {tF64, ops(wasm.OpPrefix, 3)}, {tI64, ops(0x50)}},
	tI64: {{tI32, ops(0xac)}, {tI32, ops(0xad)}, {tF32, ops(0xaf)}, {tF64, ops(0xb0)}, {tF64, ops(0xbd)}, {tF32, ops(wasm.OpPrefix, 5)}, {tF64, ops(wasm.OpPrefix, 6)}},
	tF32: {{tI32, ops(0xb2)}, {tI64, ops(0xb5)}, {tF64, ops(0xb6)}, {tI32, ops(0xbe)}},
	tF64: {{tI32, ops(0xb8)}, {tI64, ops(0xb9)}, {tF32, ops(0xbb)}, {tI64, ops(0xbf)}},
}

// expression writes code that leaves one value of type t.
func (g *generator) expression(t byte, depth int) []byte {
	if g.full(depth) {
		return g.constant(t)
	}
	switch g.pick(14) {
	case 0, 1:
		if local, ok := g.localOf(t); ok {
			return index(wasm.OpLocalGet, local)
		}
		return g.constant(t)
	case 2:
		return g.constant(t)
	case 3, 4, 5:
		right := g.expression(t, depth+1)
		op := binaryOps[t][g.pick(len(binaryOps[t]))]
		if divides := (op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82); divides && g.pick(8) > 0 {
			right = join(right, map[byte][]byte{tI32: append(i32(5), 0x72), tI64: append(i64(5), 0x84)}[t]) // or: never 0
		}
		if op == 0x98 || op == 0xa6 { // copysign shows a NaN's sign
			right = g.guard(t, right)
		}
		return g.count(join(g.expression(t, depth+1), right, ops(op)))
	case 6, 7:
		return g.count(join(g.expression(t, depth+1), ops(unaryOps[t][g.pick(len(unaryOps[t]))])))
	case 8:
		return g.count(join(g.address(depth), ops(loadOps[t][g.pick(len(loadOps[t]))], 0, byte(g.next()&0x7f))))
	case 9:
		c := conversions[t][g.pick(len(conversions[t]))]
		if c.code[0] >= 0xa8 && c.code[0] <= 0xb1 && c.from != tI32 && g.pick(8) > 0 {
			c.code = append(ops(wasm.OpPrefix), map[byte][]byte{0xa8: {0}, 0xab: {3}, 0xaf: {5}, 0xb0: {6}}[c.code[0]]...) // trunc_sat
		}
		return g.count(join(g.guard(c.from, g.expression(c.from, depth+1)), c.code))
	case 10:
		for i, have := range numberTypes {
			if have == t {
				return index(wasm.OpGlobalGet, uint32(i))
			}
		}
		return g.constant(t)
	case 11:
		return g.count(join(g.expression(t, depth+1), g.expression(t, depth+1), g.expression(tI32, depth+1), ops(wasm.OpSelect)))
	case 12:
		return g.count(g.valueBlock(t, depth))
	default:
		if t != tI32 {
			return g.constant(t)
		}
		from := g.numberType()
		c := comparisonOps[from]
		return g.count(join(g.expression(from, depth+1), g.expression(from, depth+1), ops(c[0]+byte(g.pick(int(c[1]))))))
	}
}

// valueBlock is a block or an if with a result, left early on a condition now and then.
func (g *generator) valueBlock(t byte, depth int) []byte {
	if g.pick(2) == 0 {
		condition := g.expression(tI32, depth+1)
		g.labels = append(g.labels, label{result: t})
		code := join(condition, ops(wasm.OpIf, t), g.expression(t, depth+1), ops(wasm.OpElse), g.expression(t, depth+1), ops(wasm.OpEnd))
		g.labels = g.labels[:len(g.labels)-1]
		return code
	}
	g.labels = append(g.labels, label{result: t})
	code := join(ops(wasm.OpBlock, t), g.statement(depth+1), g.expression(t, depth+1), g.expression(tI32, depth+1), index(wasm.OpBrIf, 0),
		ops(wasm.OpDrop), g.statement(depth+1), g.expression(t, depth+1), ops(wasm.OpEnd))
	g.labels = g.labels[:len(g.labels)-1]
	return code
}
