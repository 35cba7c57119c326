package meter

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// sizeBytes is room for any section's or body's size, written as a padded LEB128 once it is known.
const sizeBytes = 5

func (r *rewriter) run() error {
	if err := r.read(); err != nil {
		return err
	}
	r.prepareCode()
	exports, exportContent := r.exportGlobals()
	fuel := uint32(len(r.globals)) // #nosec G115 -- below the module's length
	for i, name := range []string{FuelGlobal, YieldGlobal, StackGlobal, TaintGlobal, DirtyGlobal} {
		exportContent = appendExport(exportContent, name, fuel+uint32(i)) // #nosec G115 -- at most 4
		exports++
	}
	// The types of the appended functions come first, so that their indexes are known before any body is read.
	none := uint32(len(r.types)) // #nosec G115 -- below the module's length
	r.typeCount = 3
	three := []byte{3, wasm.TypeI32, wasm.TypeI32, wasm.TypeI32}
	r.newTypes = join([]byte{wasm.TypeFunction, 0, 0, wasm.TypeFunction, 1, wasm.TypeI32, 1, wasm.TypeI32, wasm.TypeFunction}, three, three)
	code, err := r.rewriteCode()
	if err != nil {
		return err
	}
	r.add(wasm.SectionType, r.typeCount, r.newTypes)
	one, all := wasm.AppendU32(nil, none+1), wasm.AppendU32(nil, none+2)
	r.add(wasm.SectionFunction, 4, join(wasm.AppendU32(nil, none), all, one, one))
	number := func(t, opcode byte) []byte { return []byte{t, 1, opcode, 0, wasm.OpEnd} }
	r.add(wasm.SectionGlobal, injectedGlobals, join(
		number(wasm.TypeI64, wasm.OpI64Const), number(wasm.TypeI64, wasm.OpI64Const),
		number(wasm.TypeI32, wasm.OpI32Const), number(wasm.TypeI32, wasm.OpI32Const), number(wasm.TypeI64, wasm.OpI64Const)))
	r.add(wasm.SectionExport, exports, exportContent)
	r.write(code)
	return nil
}

// add appends entries to a section, making it if there is none.
func (r *rewriter) add(id byte, count uint32, content []byte) {
	s := &r.sections[id]
	s.present = true
	s.count += count
	s.content = join(s.content, content)
}

func (r *rewriter) write(code []byte) {
	size := len(wasm.Preamble) + len(code) + len(r.tables)
	for _, s := range r.sections {
		size += len(s.content) + 1 + 2*sizeBytes
	}
	r.out = append(make([]byte, 0, size), wasm.Preamble...)
	for _, id := range wasm.SectionOrder {
		s := &r.sections[id]
		content := s.content
		switch id {
		case wasm.SectionCode:
			content = code
		case wasm.SectionTable:
			content = r.tables
		}
		if !s.present {
			continue
		}
		count := wasm.AppendU32(nil, s.count)
		r.out = wasm.AppendU32(append(r.out, id), uint32(len(count)+len(content))) // #nosec G115 -- compileWork bounds it
		r.out = append(append(r.out, count...), content...)
	}
}

// rewriteCode returns the bodies of all functions, rewritten, and those of the appended ones.
func (r *rewriter) rewriteCode() ([]byte, error) {
	s := &r.sections[wasm.SectionCode]
	if int64(s.count) != int64(len(r.functions)-r.imported) {
		return nil, refuse("section code", "", "%d function bodies for %d functions", s.count, len(r.functions)-r.imported)
	}
	c := &wasm.Cursor{Data: s.content}
	out := make([]byte, 0, len(s.content)*2+appendedBytes)
	f := &function{r: r}
	for i := range int(s.count) {
		size := c.U32()
		if size > functionBytesMax {
			return nil, refuse(fmt.Sprintf("function %d", i), "split the function", "function body %d has %d bytes, at most %d", i, size, functionBytesMax)
		}
		body := c.Bytes(size)
		if c.Err != nil {
			break
		}
		f.reset(i, &r.types[r.functions[r.imported+i]], body)
		if err := f.rewrite(); err != nil {
			return nil, err
		}
		start := len(out)
		out = f.compose(out)
		if err := r.admit(f, len(out)-start, len(out)); err != nil {
			return nil, err
		}
	}
	if c.Err == nil && c.Left() > 0 {
		c.Fail(errors.New("bytes left over"))
	}
	if c.Err != nil {
		return nil, refuse("section code", "", "section code: %v", c.Err)
	}
	appended := r.appendedFunctions()
	for _, body := range appended {
		out = wasm.AppendU32(out, uint32(len(body))) // #nosec G115 -- below 256
		out = append(out, body...)
	}
	s.count += uint32(len(appended)) // #nosec G115 -- four
	return out, nil
}

// appendedBytes is room for the appended functions.
const appendedBytes = 512

// compose appends the whole body to out: locals, prologue, the code, epilogue.
func (f *function) compose(out []byte) []byte {
	start := len(out)
	out = append(out, make([]byte, sizeBytes)...)
	out = wasm.AppendU32(out, f.localGroups+uint32(len(f.scratchTypes))) // #nosec G115 -- at most five more
	out = append(out, f.localBytes...)
	for _, t := range f.scratchTypes {
		out = append(out, 1, t)
	}
	code := &f.r.code
	charged := len(out) + code.chargeNumber
	out = append(out, code.charge...)
	out[charged], out[charged+1] = byte(f.entryFuel)|0x80, byte(f.entryFuel>>7) // #nosec G115 -- at most runFuelMax
	if !f.callsGuest {
		if f.shape.loops > 0 || f.fuel > uncheckedFuelMax {
			out = append(out, code.check...)
			f.shape.branches++
		}
		out = append(append(out, f.body...), wasm.OpEnd)
	} else {
		f.shape.branches += 2
		weight := appendS64([]byte{wasm.OpI32Const}, int64(frameSlots(f.localCount+len(f.scratchTypes), len(f.type_.results), f.heightMax, f.merges+f.given/givenPerSlot, len(f.body))))
		out = append(append(append(out, code.stackGet...), weight...), wasm.OpI32Sub)
		out = append(append(out, code.stackSet...), code.checkEntry...)
		out = f.r.appendBlock(out, f.type_.results)
		out = append(append(out, f.body...), wasm.OpEnd)
		out = append(append(append(out, code.stackGet...), weight...), wasm.OpI32Add)
		out = append(append(out, code.stackSet...), wasm.OpEnd)
	}
	size := uint32(len(out) - start - sizeBytes) // #nosec G115 -- a body
	for i := range sizeBytes {
		out[start+i] = byte(size>>(7*i)) | 0x80 // #nosec G115 -- the low seven bits
	}
	out[start+sizeBytes-1] &= 0x7f
	return out
}

// appendBlock begins a block with the results of the function around it.
func (r *rewriter) appendBlock(out, results []byte) []byte {
	out = append(out, wasm.OpBlock)
	switch len(results) {
	case 0:
		return append(out, wasm.TypeEmpty)
	case 1:
		return append(out, results[0])
	}
	index, known := r.blockTypes[string(results)]
	if !known {
		index = uint32(len(r.types)) + r.typeCount // #nosec G115 -- below the module's length
		r.typeCount++
		r.newTypes = wasm.AppendU32(append(r.newTypes, wasm.TypeFunction, 0), uint32(len(results))) // #nosec G115 -- a signature
		r.newTypes = append(r.newTypes, results...)
		if r.blockTypes == nil {
			r.blockTypes = map[string]uint32{}
		}
		r.blockTypes[string(results)] = index
	}
	// A block's type index is a signed number.
	return appendS64(out, int64(index))
}
