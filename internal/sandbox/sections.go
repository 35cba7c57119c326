package sandbox

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Value types a guest may use (WebAssembly 2.0, 5.3.1). v128 is missing on purpose: vector lanes of NaNs differ by
// processor, and metering does not know them.
const (
	typeI32       = 0x7f
	typeF64       = 0x7c
	typeFuncref   = 0x70
	typeExternref = 0x6f
	typeFunction  = 0x60
)

func (c *cursor) valueType() {
	b := c.byte()
	number := b >= typeF64 && b <= typeI32
	if c.err == nil && !number && b != typeFuncref && b != typeExternref {
		c.fail(fmt.Errorf("value type %#x is not supported", b))
	}
}

func (c *cursor) referenceType() byte {
	b := c.byte()
	if c.err == nil && b != typeFuncref && b != typeExternref {
		c.fail(fmt.Errorf("reference type %#x is not supported", b))
	}
	return b
}

func (s *scanned) types(c *cursor) {
	for range c.count("types", typesMax) {
		if form := c.byte(); c.err == nil && form != typeFunction {
			c.fail(fmt.Errorf("type form %#x is not supported", form))
		}
		parameters := c.count("parameters", parametersMax)
		s.parameters = append(s.parameters, parameters)
		for range parameters {
			c.valueType()
		}
		for range c.count("results", resultsMax) {
			c.valueType()
		}
	}
}

func (s *scanned) functions(c *cursor) {
	for range c.count("functions", abi.ModuleFunctionsMax) {
		index := c.u32()
		if uint64(index) >= uint64(len(s.parameters)) {
			c.fail(fmt.Errorf("function of the unknown type %d", index))
			return
		}
		s.functionParameters = append(s.functionParameters, s.parameters[index])
	}
}

// imports refuses by name, before anything is compiled, whatever is not a function the host has.
func (c *cursor) imports() error {
	for range c.count("imports", importsMax) {
		module, name := c.name(), c.name()
		kind := c.byte()
		if c.err != nil {
			return nil //nolint:nilerr // the cursor keeps it, and whoever reads the section asks
		}
		if err := importAllowed(module, name, kind); err != nil {
			return err
		}
		c.u32()
	}
	return nil
}

// limits reads the limits of a memory or table. The flag's upper bits are shared and 64-bit memories.
func (c *cursor) limits() (flag byte, min, max uint32) {
	flag = c.byte()
	if flag > 3 {
		c.fail(fmt.Errorf("limits flag %#x is not supported", flag))
		return flag, 0, 0
	}
	min = c.u32()
	if flag&1 != 0 {
		max = c.u32()
		if c.err == nil && max < min {
			c.fail(errors.New("maximum below minimum"))
		}
	}
	return flag, min, max
}

func (s *scanned) readMemory(c *cursor) error {
	// One more than needed, so that a second memory is refused by its own message and not as malformed.
	s.memories = c.count("memories", 2)
	for range s.memories {
		flag, min, max := c.limits()
		if c.err == nil && flag&2 != 0 {
			return refuse(abi.ExportMemory, "build without threads", "the memory is shared")
		}
		s.memory = memoryLimits{min: min, max: max, hasMax: flag&1 != 0}
	}
	return nil
}

// pinTables copies the table section, giving every table without a maximum the host's.
func (s *scanned) pinTables(c *cursor) []byte {
	s.tables = c.count("tables", abi.ModuleTablesMax)
	out := appendU32(nil, uint32(s.tables)) // #nosec G115 -- at most abi.ModuleTablesMax
	for range s.tables {
		kind := c.referenceType()
		flag, min, max := c.limits()
		if flag&2 != 0 {
			c.fail(errors.New("shared table"))
		}
		if flag&1 == 0 || max > abi.ModuleTableElementsMax {
			max = abi.ModuleTableElementsMax
		}
		if min > abi.ModuleTableElementsMax {
			c.fail(fmt.Errorf("table of %d entries, at most %d", min, abi.ModuleTableElementsMax))
		}
		out = append(out, kind, 1)
		out = appendU32(appendU32(out, min), max)
	}
	return out
}

func (c *cursor) globals() {
	for range c.count("globals", abi.ModuleGlobalsMax) {
		c.valueType()
		if mutable := c.byte(); mutable > 1 {
			c.fail(errors.New("bad mutability"))
		}
		c.constantExpression()
	}
}

func (c *cursor) exports() {
	for range c.count("exports", exportsMax) {
		c.name()
		if kind := c.byte(); kind > 3 {
			c.fail(fmt.Errorf("export kind %d is not supported", kind))
		}
		c.u32()
	}
}
