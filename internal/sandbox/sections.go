package sandbox

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

func (s *scanned) readTypes(c *wasm.Cursor) {
	s.types = c.Count("types", typesMax)
	for range s.types {
		if form := c.Byte(); c.Err == nil && form != wasm.TypeFunction {
			c.Fail(fmt.Errorf("type form %#x is not supported", form))
		}
		for range c.Count("parameters", parametersMax) {
			c.ValueType()
		}
		for range c.Count("results", resultsMax) {
			c.ValueType()
		}
	}
}

func (s *scanned) readFunctions(c *wasm.Cursor) {
	for range c.Count("functions", abi.ModuleFunctionsMax) {
		index := c.U32()
		if uint64(index) >= uint64(s.types) { // #nosec G115 -- at most typesMax
			c.Fail(fmt.Errorf("function of the unknown type %d", index))
			return
		}
	}
}

// readImports refuses by name, before anything is compiled, whatever is not a function the host has.
func readImports(c *wasm.Cursor) error {
	for range c.Count("imports", importsMax) {
		module, name := c.Name(), c.Name()
		kind := c.Byte()
		if c.Err != nil {
			return nil //nolint:nilerr // the cursor keeps it, and whoever reads the section asks
		}
		if err := importAllowed(module, name, kind); err != nil {
			return err
		}
		c.U32()
	}
	return nil
}

func (s *scanned) readMemory(c *wasm.Cursor) error {
	// One more than needed, so that a second memory is refused by its own message and not as malformed.
	s.memories = c.Count("memories", 2)
	for range s.memories {
		limits := c.Limits()
		s.memory = memoryLimits{min: limits.Min, max: limits.Max, hasMax: limits.HasMax}
		if c.Err == nil && limits.Shared {
			return refuse(abi.ExportMemory, "build without threads", "the memory is shared")
		}
	}
	return nil
}

func readTables(c *wasm.Cursor) {
	for range c.Count("tables", abi.ModuleTablesMax) {
		c.ReferenceType()
		limits := c.Limits()
		if limits.Shared {
			c.Fail(errors.New("shared table"))
		}
		if limits.Min > abi.ModuleTableElementsMax {
			c.Fail(fmt.Errorf("table of %d entries, at most %d", limits.Min, abi.ModuleTableElementsMax))
		}
	}
}

func readGlobals(c *wasm.Cursor) {
	for range c.Count("globals", abi.ModuleGlobalsMax) {
		c.ValueType()
		if mutable := c.Byte(); mutable > 1 {
			c.Fail(errors.New("bad mutability"))
		}
		c.ConstantExpression()
	}
}

func readExports(c *wasm.Cursor) {
	for range c.Count("exports", exportsMax) {
		c.Name()
		if kind := c.Byte(); kind > wasm.KindGlobal {
			c.Fail(fmt.Errorf("export kind %d is not supported", kind))
		}
		c.U32()
	}
}

func (s *scanned) readElements(c *wasm.Cursor) {
	for range c.Count("element segments", elementSegmentsMax) {
		s.elements += c.ElementSegment(elementsMax-s.elements, func(uint32) {})
		if c.Err != nil {
			return
		}
	}
}

func readData(c *wasm.Cursor) {
	for range c.Count("data segments", abi.ModuleDataSegmentsMax) {
		c.DataSegment()
		if c.Err != nil {
			return
		}
	}
}
