package meter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// refuse builds the error of an install check. item is the offending export, import, section or function.
func refuse(item, fix, format string, args ...any) error {
	return &abi.Error{Code: abi.ReasonInstallRefused, Message: fmt.Sprintf(format, args...), Where: item, Fix: fix}
}

// signature is a function type: the types of what goes in and comes out.
type signature struct{ params, results []byte }

// section is one section's content after its leading count, or nothing.
type section struct {
	present bool
	count   uint32
	content []byte
}

// rewriter holds what a module says about its items, and builds the new one.
type rewriter struct {
	module   []byte
	out      []byte
	exported []string

	sections [wasm.SectionDataCount + 1]section

	types          []signature
	functions      []uint32 // type of each function, imports first
	imported       int
	globals        []global
	mutableGlobals int
	tableCount     int
	tables         []byte
	memories       int

	// blockTypes are the types appended for blocks of several results, by those results.
	blockTypes map[string]uint32
	newTypes   []byte
	typeCount  uint32

	code codes
	work uint64
}

type global struct {
	valueType byte
	mutable   bool
	export    string
}

// read splits the module into sections and reads all but the code.
func (r *rewriter) read() error {
	if !strings.HasPrefix(string(r.module[:min(len(r.module), len(wasm.Preamble))]), wasm.Preamble) {
		return refuse("module", "build a core WebAssembly module, not a component", "not a WebAssembly 1 module")
	}
	c := &wasm.Cursor{Data: r.module, Pos: len(wasm.Preamble)}
	next := 0
	for c.More() {
		id := c.Byte()
		content := c.Bytes(c.U32())
		if c.Err != nil {
			break
		}
		if id == wasm.SectionCustom {
			continue
		}
		for next < len(wasm.SectionOrder) && wasm.SectionOrder[next] != id {
			next++
		}
		if next == len(wasm.SectionOrder) {
			return refuse(fmt.Sprintf("section %d", id), "build for WebAssembly 2.0 without extensions", "section %d is unknown, repeated or out of order", id)
		}
		next++
		if err := r.section(id, content); err != nil {
			return err
		}
	}
	if c.Err != nil {
		return refuse("module", "", "malformed module at byte %d: %v", c.Pos, c.Err)
	}
	return r.complete()
}

// complete asks for the sections that every guest has, so that appending to them needs no special case.
func (r *rewriter) complete() error {
	if r.memories != 1 {
		return refuse(abi.ExportMemory, "define exactly one memory and export it", "the module defines %d memories, not one", r.memories)
	}
	if r.imported == len(r.functions) || !r.sections[wasm.SectionCode].present {
		return refuse("section code", "", "the module defines no function")
	}
	return nil
}

func (r *rewriter) section(id byte, content []byte) error {
	c := &wasm.Cursor{Data: content}
	name, _ := wasm.SectionName(id)
	s := section{present: true, count: c.U32()}
	s.content = content[c.Pos:]
	if id == wasm.SectionStart {
		return refuse("section start", "export the start function as _initialize (AssemblyScript: --exportStart _initialize)",
			"the module has a start function that runs on instantiation")
	}
	if c.Err == nil && id != wasm.SectionDataCount && uint64(s.count) > uint64(c.Left()) { // #nosec G115 -- not negative
		c.Fail(errors.New("more entries than bytes"))
	}
	var err error
	if c.Err == nil {
		r.sections[id] = s
		err = r.entries(id, int(s.count), c)
	}
	if err != nil {
		return err
	}
	if c.Err != nil {
		return refuse("section "+name, "", "section %s: %v", name, c.Err)
	}
	return nil
}

// entries reads count entries of a section. The code comes later, when all else is known.
func (r *rewriter) entries(id byte, count int, c *wasm.Cursor) (err error) {
	switch id {
	case wasm.SectionCode, wasm.SectionDataCount:
		return nil
	case wasm.SectionTable:
		r.tableCount = count
	case wasm.SectionMemory:
		r.memories = count
	}
	for i := 0; i < count && err == nil && c.Err == nil; i++ {
		switch id {
		case wasm.SectionType:
			r.readType(c)
		case wasm.SectionImport:
			err = r.readImport(c)
		case wasm.SectionFunction:
			r.addFunction(c, c.U32())
		case wasm.SectionTable:
			err = r.readTable(c, i)
		case wasm.SectionMemory:
			err = readMemory(c)
		case wasm.SectionGlobal:
			r.readGlobal(c)
		case wasm.SectionExport:
			err = r.readExport(c)
		case wasm.SectionElement:
			c.ElementSegment(c.Left(), func(index uint32) { r.checkFunction(c, index) })
		case wasm.SectionData:
			c.DataSegment()
		}
	}
	if err == nil && c.Err == nil && c.Left() > 0 {
		c.Fail(errors.New("bytes left over"))
	}
	return err
}

func (r *rewriter) readType(c *wasm.Cursor) {
	if form := c.Byte(); c.Err == nil && form != wasm.TypeFunction {
		c.Fail(fmt.Errorf("type form %#x is not supported", form))
	}
	var s signature
	s.params = valueTypes(c, "parameters")
	s.results = valueTypes(c, "results")
	if c.Err == nil {
		r.types = append(r.types, s)
	}
}

func valueTypes(c *wasm.Cursor, what string) []byte {
	count := c.Count(what, c.Left())
	start := c.Pos
	for range count {
		c.ValueType()
	}
	return c.Data[min(start, c.Pos):c.Pos]
}

func (r *rewriter) readImport(c *wasm.Cursor) error {
	item := c.Name() + "." + c.Name()
	kind := c.Byte()
	if c.Err != nil {
		return nil //nolint:nilerr // the cursor keeps it, and section asks
	}
	if kind != wasm.KindFunction {
		what := map[byte]string{wasm.KindTable: "table", wasm.KindMemory: "memory", wasm.KindGlobal: "global"}[kind]
		if what == "" {
			what = "item of an unknown kind"
		}
		return refuse(item, "define it in the module", "the module imports the %s %q; only functions can be imported", what, item)
	}
	r.imported++
	r.addFunction(c, c.U32())
	return nil
}

func (r *rewriter) addFunction(c *wasm.Cursor, index uint32) {
	if uint64(index) >= uint64(len(r.types)) {
		c.Fail(fmt.Errorf("function of the unknown type %d", index))
		return
	}
	r.functions = append(r.functions, index)
}

func (r *rewriter) checkFunction(c *wasm.Cursor, index uint32) {
	if uint64(index) >= uint64(len(r.functions)) {
		c.Fail(fmt.Errorf("unknown function %d", index))
	}
}

// readTable writes the table out again with a maximum: table.grow is otherwise bounded only by the machine's memory.
func (r *rewriter) readTable(c *wasm.Cursor, index int) error {
	kind := c.ReferenceType()
	l := c.Limits()
	if c.Err != nil {
		return nil //nolint:nilerr // the cursor keeps it, and section asks
	}
	item := fmt.Sprintf("table %d", index)
	if l.Shared {
		return refuse(item, "build without threads", "table %d is shared", index)
	}
	if l.Min > tableEntriesMax {
		return refuse(item, "", "table %d has %d entries, at most %d", index, l.Min, tableEntriesMax)
	}
	if !l.HasMax || l.Max > tableEntriesMax {
		l.Max = tableEntriesMax
	}
	r.tables = wasm.AppendU32(wasm.AppendU32(append(r.tables, kind, 1), l.Min), l.Max)
	return nil
}

func readMemory(c *wasm.Cursor) error {
	l := c.Limits()
	if c.Err == nil && l.Shared {
		return refuse(abi.ExportMemory, "build without threads", "the memory is shared")
	}
	if c.Err == nil && l.Min > growPagesMax {
		return refuse(abi.ExportMemory, "", "the memory starts with %d pages, at most %d", l.Min, growPagesMax)
	}
	return nil
}

func (r *rewriter) readGlobal(c *wasm.Cursor) {
	g := global{valueType: c.ValueType()}
	mutable := c.Byte()
	if mutable > 1 {
		c.Fail(errors.New("bad mutability"))
	}
	g.mutable = mutable == 1
	if g.mutable {
		r.mutableGlobals++
	}
	if index, named := c.ConstantExpression(); named {
		r.checkFunction(c, index)
	}
	r.globals = append(r.globals, g)
}

func (r *rewriter) readExport(c *wasm.Cursor) error {
	name, kind, index := c.Name(), c.Byte(), c.U32()
	if strings.HasPrefix(name, ReservedPrefix) {
		return refuse(name, "rename the export", "the module exports %q; names that start with %s are the meter's", name, ReservedPrefix)
	}
	switch {
	case kind == wasm.KindFunction:
		r.checkFunction(c, index)
	case kind == wasm.KindGlobal && uint64(index) >= uint64(len(r.globals)):
		c.Fail(fmt.Errorf("unknown global %d", index))
	case kind == wasm.KindGlobal && c.Err == nil && r.globals[index].export == "":
		r.globals[index].export = name
	case kind > wasm.KindGlobal:
		c.Fail(fmt.Errorf("export kind %d is not supported", kind))
	}
	return nil
}

// exportGlobals chooses the names under which the host finds the module's mutable globals, and returns the exports to
// add for those that have none.
func (r *rewriter) exportGlobals() (count uint32, exports []byte) {
	for i := range r.globals {
		g := &r.globals[i]
		if !g.mutable || !wasm.IsNumber(g.valueType) {
			continue
		}
		if g.export == "" {
			g.export = ReservedPrefix + "global_" + strconv.Itoa(i)
			exports = appendExport(exports, g.export, uint32(i)) // #nosec G115 -- below the module's length
			count++
		}
		r.exported = append(r.exported, g.export)
	}
	return count, exports
}

func appendExport(b []byte, name string, global uint32) []byte {
	b = wasm.AppendU32(b, uint32(len(name))) // #nosec G115 -- a name of ours
	b = append(b, name...)
	return wasm.AppendU32(append(b, wasm.KindGlobal), global)
}
