package meter

import (
	"slices"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

const (
	// DirtyChunkBytes is what one bit of DirtyGlobal stands for: bit (address / DirtyChunkBytes) mod 64.
	DirtyChunkBytes = 1 << dirtyChunkShift
	dirtyChunkShift = 16
	dirtyBits       = 64

	// DirtyMarginBytes is how far from a marked chunk, on both sides, the guest may have written without another mark.
	// Addresses wrap: the first bytes of memory are beside a mark at the end of the 32-bit space, so they always count.
	DirtyMarginBytes = 4096

	// dirtyReach is the margin less the widest store.
	dirtyReach = DirtyMarginBytes - 16

	// originsMax bounds the operands that are followed, factsLookedAt the marks that one store is compared with.
	originsMax    = 1024
	factsLookedAt = 16
)

// origin is what is known of an operand: modulo 2^32 it is a local, as it was at a version, plus delta; or a constant.
type origin struct {
	kind           originKind
	local, version uint32
	delta          int32
}

type originKind uint8

const (
	originUnknown originKind = iota
	originLocal
	originConstant // delta is the number; in a fact, local is the chunk's bit
)

// fact says that the chunk of an address has been marked on every path to here. Marks are never taken back while the
// guest runs, so a fact ends only with its local's version, or with the block that it was found in.
type fact struct {
	origin
	at int64 // added to the origin, instead of its delta
}

// storeTypes are the types of the values stored by the opcodes from OpI32Store on.
var storeTypes = [...]byte{
	wasm.TypeI32, wasm.TypeI64, wasm.TypeF32, wasm.TypeF64, wasm.TypeI32, wasm.TypeI32, wasm.TypeI64, wasm.TypeI64, wasm.TypeI64,
}

// resize makes the frame's operands n unknown ones.
func (f *function) resize(base, n int) {
	f.height = base
	f.origins = f.origins[:min(len(f.origins), base)]
	f.push(n)
}

// operand is the origin of the n-th operand from the top.
func (f *function) operand(n int) origin {
	if at := f.height - 1 - n; at >= 0 && at < len(f.origins) {
		return f.origins[at]
	}
	return origin{}
}

// produce says what the operand on top is.
func (f *function) produce(o origin) {
	if f.height > 0 && f.height <= len(f.origins) {
		f.origins[f.height-1] = o
	}
}

// current reports whether o is a local that has not been set since.
func (f *function) current(o origin) bool {
	return o.kind == originLocal && f.versions[o.local] == o.version
}

// local follows local.get, local.set and local.tee.
func (f *function) local(code byte, index uint32) {
	if code == wasm.OpLocalGet {
		f.push(1)
		f.produce(origin{kind: originLocal, local: index, version: f.versions[index]})
		return
	}
	from := f.operand(0)
	follow := f.current(from)
	f.versions[index]++
	now := origin{kind: originLocal, local: index, version: f.versions[index]}
	if follow {
		for _, known := range f.known() {
			if known.kind == originLocal && known.local == from.local && known.version == from.version {
				f.facts = append(f.facts, fact{now, known.at - int64(from.delta)})
				break
			}
		}
	}
	if code == wasm.OpLocalTee {
		f.produce(now)
	} else {
		f.pop(1)
	}
}

// known are the latest facts that hold here.
func (f *function) known() []fact { return f.facts[max(f.factsFrom, len(f.facts)-factsLookedAt):] }

// arithmetic returns the origin of the result of an instruction without immediates.
func (f *function) arithmetic(code byte) (result origin) {
	top, below := f.operand(0), f.operand(1)
	switch code {
	case wasm.OpI32Wrap, wasm.OpI64ExtendS, wasm.OpI64ExtendU:
		return top
	case wasm.OpI32Add, wasm.OpI64Add:
		if below.kind == originConstant {
			top, below = below, top
		}
	case wasm.OpI32Sub, wasm.OpI64Sub:
		top.delta = -top.delta
	default:
		return origin{}
	}
	if delta := int64(below.delta) + int64(top.delta); top.kind == originConstant && below.kind == originLocal && delta == int64(int32(delta)) { // #nosec G115 -- that is the question
		below.delta = int32(delta) // #nosec G115 -- just compared
		return below
	}
	return origin{}
}

// mark sees to it that the chunk which the store at start writes to is marked before it.
func (f *function) mark(start int, code byte, offset uint32) {
	address := f.operand(1)
	switch {
	case address.kind == originConstant:
		to := uint64(uint32(address.delta)) + uint64(offset) // #nosec G115 -- an address
		chunk := origin{kind: originConstant, local: uint32(to >> dirtyChunkShift % dirtyBits)}
		if !f.marked(chunk, 0) {
			f.insertBefore(start, f.r.code.dirtyGet)
			f.body = appendS64(append(f.body, wasm.OpI64Const), 1<<chunk.local)
			f.body = append(append(f.body, wasm.OpI64Or), f.r.code.dirtySet...)
		}
	case f.current(address):
		at := int64(address.delta) + int64(offset)
		address.delta = 0
		if !f.marked(address, at) {
			f.insertBefore(start, nil)
			f.markLocal(address.local, f.facts[len(f.facts)-1].at)
		}
	default:
		f.markUnknown(start, code, offset)
	}
}

// marked reports whether a mark covers the place, and takes it for marked from now on.
func (f *function) marked(o origin, at int64) bool {
	if slices.ContainsFunc(f.known(), func(known fact) bool {
		return known.origin == o && at-known.at <= dirtyReach && known.at-at <= dirtyReach
	}) {
		return true
	}
	if at >= -dirtyReach && at <= dirtyReach {
		at = 0 // the local itself: shorter, and good for what follows on both sides
	}
	f.facts = append(f.facts, fact{o, at})
	return false
}

// markLocal appends code that marks the chunk of a local plus at.
func (f *function) markLocal(local uint32, at int64) {
	c, wide := &f.r.code, f.localType(local) == wasm.TypeI64
	f.body = append(append(f.body, c.dirtyGet...), wasm.OpI64Const, 1, wasm.OpLocalGet)
	f.body = wasm.AppendU32(f.body, local)
	constant, add := byte(wasm.OpI32Const), byte(wasm.OpI32Add)
	if wide {
		constant, add = wasm.OpI64Const, wasm.OpI64Add
	}
	if at != 0 {
		f.body = append(appendS64(append(f.body, constant), int64(int32(at))), add) // #nosec G115 -- addresses wrap
	}
	f.body = append(f.body, constant, dirtyChunkShift)
	if wide { // shl looks at the low six bits alone
		f.body = append(f.body, wasm.OpI64ShrU)
	} else {
		f.body = append(f.body, wasm.OpI32ShrU, wasm.OpI64ExtendU)
	}
	f.body = append(append(f.body, wasm.OpI64Shl, wasm.OpI64Or), c.dirtySet...)
}

// markUnknown marks for an address that is in no local: it and the value go through two.
func (f *function) markUnknown(start int, code byte, offset uint32) {
	value, address := f.scratch(storeTypes[code-wasm.OpI32Store], 0), f.scratch(wasm.TypeI32, 1)
	f.insertBefore(start, []byte{wasm.OpLocalSet})
	f.body = wasm.AppendU32(f.body, value)
	f.body = wasm.AppendU32(append(f.body, wasm.OpLocalTee), address)
	at := int64(offset)
	if at <= dirtyReach {
		at = 0
	}
	f.markLocal(address, at)
	f.body = wasm.AppendU32(append(f.body, wasm.OpLocalGet), value)
}

// markRange is code of the function that charges for bulk operations: it marks the bytes from local 0 on, as many as local
// 2 says. A length that no memory has ends in a trap.
func (c *codes) markRange() []byte {
	chunkMask := appendS64([]byte{wasm.OpI64Const}, DirtyChunkBytes-1)
	shift := []byte{wasm.OpI64Const, dirtyChunkShift, wasm.OpI64ShrU}
	one := []byte{wasm.OpI64Const, 1}
	// The chunks that the range begins in, passes and ends in.
	count := join([]byte{wasm.OpLocalGet, 0, wasm.OpI64ExtendU}, chunkMask, []byte{wasm.OpI64And, wasm.OpLocalGet, 2, wasm.OpI64ExtendU, wasm.OpI64Add},
		chunkMask, []byte{wasm.OpI64Add}, shift)
	all := appendS64([]byte{wasm.OpI64Const}, -1)
	limit := appendS64([]byte{wasm.OpI64Const}, dirtyBits)
	return join(c.dirtyGet,
		all, one, count, []byte{wasm.OpI64Shl}, one, []byte{wasm.OpI64Sub}, count, limit, []byte{wasm.OpI64GeU, wasm.OpSelect},
		[]byte{wasm.OpLocalGet, 0, wasm.OpI64ExtendU}, shift, []byte{wasm.OpI64RotateL, wasm.OpI64Or}, c.dirtySet)
}
