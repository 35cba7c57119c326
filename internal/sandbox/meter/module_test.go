package meter

import (
	"bytes"
	"math"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

const (
	tI32 = wasm.TypeI32
	tI64 = wasm.TypeI64
	tF32 = wasm.TypeF32
	tF64 = wasm.TypeF64
)

// builder puts a module together from bytes.
type builder struct {
	types, imports, functions, tables, memory, globals, exports, elements, dataCount, code, data [][]byte
}

func newBuilder() *builder { return &builder{memory: [][]byte{{0, 1}}} }

// function adds a function and returns its index among the module's own.
func (b *builder) function(params, results, locals []byte, code ...[]byte) uint32 {
	b.types = append(b.types, join([]byte{wasm.TypeFunction}, vector(params), vector(results)))
	b.functions = append(b.functions, wasm.AppendU32(nil, uint32(len(b.types)-1)))
	groups := []byte{}
	for _, t := range locals {
		groups = append(groups, 1, t)
	}
	body := join(append([][]byte{wasm.AppendU32(nil, uint32(len(locals))), groups}, code...)...)
	body = append(body, wasm.OpEnd)
	b.code = append(b.code, sized(body))
	return uint32(len(b.functions) - 1)
}

func (b *builder) export(name string, kind byte, index uint32) {
	b.exports = append(b.exports, wasm.AppendU32(append(vector([]byte(name)), kind), index))
}

func (b *builder) global(t byte, mutable bool, init ...byte) uint32 {
	m := byte(0)
	if mutable {
		m = 1
	}
	b.globals = append(b.globals, join([]byte{t, m}, init, []byte{wasm.OpEnd}))
	return uint32(len(b.globals) - 1)
}

func (b *builder) build() []byte {
	out := []byte(wasm.Preamble)
	for _, s := range []struct {
		id      byte
		entries [][]byte
	}{
		{wasm.SectionType, b.types},
		{wasm.SectionImport, b.imports},
		{wasm.SectionFunction, b.functions},
		{wasm.SectionTable, b.tables},
		{wasm.SectionMemory, b.memory},
		{wasm.SectionGlobal, b.globals},
		{wasm.SectionExport, b.exports},
		{wasm.SectionElement, b.elements},
		{wasm.SectionDataCount, b.dataCount},
		{wasm.SectionCode, b.code},
		{wasm.SectionData, b.data},
	} {
		if len(s.entries) == 0 {
			continue
		}
		content := bytes.Join(s.entries, nil)
		if s.id != wasm.SectionDataCount {
			content = append(wasm.AppendU32(nil, uint32(len(s.entries))), content...)
		}
		out = append(append(out, s.id), sized(content)...)
	}
	return out
}

func vector(b []byte) []byte { return append(wasm.AppendU32(nil, uint32(len(b))), b...) }

func sized(b []byte) []byte { return vector(b) }

func i32(v int32) []byte { return appendS64([]byte{wasm.OpI32Const}, int64(v)) }
func i64(v int64) []byte { return appendS64([]byte{wasm.OpI64Const}, v) }

func f32(v float32) []byte {
	u := math.Float32bits(v)
	return []byte{wasm.OpF32Const, byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)}
}

func f64(v float64) []byte {
	out, u := []byte{wasm.OpF64Const}, math.Float64bits(v)
	for i := range 8 {
		out = append(out, byte(u>>(8*i)))
	}
	return out
}

func index(op byte, i uint32) []byte { return wasm.AppendU32([]byte{op}, i) }

func ops(codes ...byte) []byte { return codes }
