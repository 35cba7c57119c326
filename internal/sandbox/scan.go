package sandbox

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Bounds on a module beside those of package abi, checked before wazero sees it.
const (
	typesMax             = 4096
	parametersMax        = 128
	resultsMax           = 16
	importsMax           = 64
	functionBodyBytesMax = 256 << 10
	localsMax            = 4096
	exportsMax           = 1024
	elementSegmentsMax   = 4096
	elementsMax          = 262_144
	customSectionsMax    = 256

	// bulkOperationsMax bounds memory.fill and its kin in one function. Each may touch the whole memory in one native
	// step, and no check runs between two of them in straight-line code: a 16 MiB module made of fills and nothing
	// else would hold the process for the better part of an hour.
	bulkOperationsMax = 1024

	branchTargetsMax = 65_536

	// compileWorkMax bounds the sum of compileWork over all functions. wazero's compiler cannot be interrupted and
	// needs minutes for one body of 300 KB that is all blocks. The whole of Go's net/http takes up a third of it.
	compileWorkMax = 1 << 29
)

// Section ids of the binary format (WebAssembly 2.0, 5.5.2).
const (
	sectionCustom    = 0
	sectionType      = 1
	sectionImport    = 2
	sectionFunction  = 3
	sectionTable     = 4
	sectionMemory    = 5
	sectionGlobal    = 6
	sectionExport    = 7
	sectionStart     = 8
	sectionElement   = 9
	sectionCode      = 10
	sectionData      = 11
	sectionDataCount = 12
)

var sectionNames = map[byte]string{
	sectionType: "type", sectionImport: "import", sectionFunction: "function", sectionTable: "table",
	sectionMemory: "memory", sectionGlobal: "global", sectionExport: "export", sectionStart: "start",
	sectionElement: "element", sectionCode: "code", sectionData: "data", sectionDataCount: "data count",
}

var preamble = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// scanned is what the host knows about a module before it hands it to wazero.
type scanned struct {
	// core is the module wazero gets: custom sections are left out, because wazero allocates the name section by its
	// claimed lengths and parses DWARF, and tables without a maximum get one, because table.grow is otherwise bounded
	// only by the machine's memory. The original bytes are what is hashed.
	core []byte
	// manifest is the content of the purser.manifest section; nil when there is none.
	manifest []byte
	memory   memoryLimits
	elements int
	memories int
	tables   int
	// parameters counts those of each type, functionParameters those of each function of the module.
	parameters         []int
	functionParameters []int
}

type memoryLimits struct {
	min, max uint32
	hasMax   bool
}

// scan walks every section of a module, bounds every length in it and reads what install needs. Whether
// instructions make sense together is not judged here: validation is wazero's.
func scan(wasm []byte) (*scanned, error) {
	if len(wasm) > abi.ModuleBytesMax {
		return nil, refuse("module", "", "the module has %d bytes, at most %d", len(wasm), abi.ModuleBytesMax)
	}
	if !bytes.HasPrefix(wasm, preamble) {
		return nil, refuse("module", "build a core WebAssembly module, not a component", "not a WebAssembly 1 module")
	}
	s := &scanned{core: bytes.Clone(preamble)}
	c := &cursor{data: wasm, pos: len(preamble)}
	customs := 0
	for c.more() {
		id := c.byte()
		body := &cursor{data: c.bytes(c.u32())}
		if c.err != nil {
			break
		}
		if id == sectionCustom {
			if customs++; customs > customSectionsMax {
				return nil, refuse("custom sections", "", "more than %d custom sections", customSectionsMax)
			}
			if err := s.custom(body); err != nil {
				return nil, err
			}
			continue
		}
		content, err := s.section(id, body)
		if err != nil {
			return nil, err
		}
		s.core = append(s.core, id)
		s.core = appendU32(s.core, uint32(len(content))) // #nosec G115 -- below abi.ModuleBytesMax
		s.core = append(s.core, content...)
	}
	if c.err != nil {
		return nil, refuse("module", "", "malformed module at byte %d: %v", c.pos, c.err)
	}
	if s.memories != 1 {
		return nil, refuse(abi.ExportMemory, "define exactly one memory and export it", "the module defines %d memories, not one", s.memories)
	}
	return s, nil
}

// section reads one section and returns the content to hand on.
func (s *scanned) section(id byte, c *cursor) ([]byte, error) {
	name, known := sectionNames[id]
	if !known {
		return nil, refuse(fmt.Sprintf("section %d", id), "build for WebAssembly 2.0 without extensions", "unknown section %d", id)
	}
	content := c.data
	var err error
	switch id {
	case sectionType:
		s.types(c)
	case sectionImport:
		err = c.imports()
	case sectionFunction:
		s.functions(c)
	case sectionTable:
		content = s.pinTables(c)
	case sectionMemory:
		err = s.readMemory(c)
	case sectionGlobal:
		c.globals()
	case sectionExport:
		c.exports()
	case sectionStart:
		// It would run while the module is instantiated: before the host can bound it, and in no place an author
		// would look for it. _initialize does the same by name.
		return nil, refuse("section start", "export the start function as _initialize (AssemblyScript: --exportStart _initialize)",
			"the module has a start function that runs on instantiation")
	case sectionElement:
		s.elementSegments(c)
	case sectionCode:
		err = s.code(c)
	case sectionData:
		c.dataSegments()
	case sectionDataCount:
		c.count("data segments", abi.ModuleDataSegmentsMax)
	}
	if err != nil {
		return nil, err
	}
	if c.err == nil && c.pos != len(c.data) {
		c.fail(errors.New("bytes left over"))
	}
	if c.err != nil {
		return nil, refuse("section "+name, "", "section %s: %v", name, c.err)
	}
	return content, nil
}

func (s *scanned) custom(c *cursor) error {
	name := c.name()
	if c.err != nil {
		return refuse("custom section", "", "custom section: %v", c.err)
	}
	if name != abi.ManifestSection {
		return nil
	}
	if s.manifest != nil {
		// Two manifests could be read differently by two readers.
		return &abi.Error{Code: CodeManifestInvalid, Message: "the module has more than one purser.manifest section", Where: abi.ManifestSection}
	}
	s.manifest = bytes.Clone(c.data[c.pos:])
	if s.manifest == nil {
		s.manifest = []byte{}
	}
	return nil
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
