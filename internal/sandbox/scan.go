package sandbox

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// Bounds on a module beside those of package abi, checked before wazero sees it.
const (
	typesMax           = 4096
	parametersMax      = 128
	resultsMax         = 16
	importsMax         = 64
	exportsMax         = 1024
	elementSegmentsMax = 4096
	elementsMax        = 262_144
	customSectionsMax  = 256
)

// scanned is what the host knows about a module before it hands it to wazero.
type scanned struct {
	// manifest is the content of the purser.manifest section; nil when there is none.
	manifest []byte
	memory   memoryLimits
	elements int
	memories int
	types    int
}

type memoryLimits struct {
	min, max uint32
	hasMax   bool
}

// scan walks every section of a module but the code, bounds every length in it and reads what install needs. Code is the
// meter's, and validation is wazero's.
func scan(module []byte) (*scanned, error) {
	if len(module) > abi.ModuleBytesMax {
		return nil, refuse("module", "", "the module has %d bytes, at most %d", len(module), abi.ModuleBytesMax)
	}
	if !bytes.HasPrefix(module, []byte(wasm.Preamble)) {
		return nil, refuse("module", "build a core WebAssembly module, not a component", "not a WebAssembly 1 module")
	}
	s := &scanned{}
	c := &wasm.Cursor{Data: module, Pos: len(wasm.Preamble)}
	customs := 0
	for c.More() {
		id := c.Byte()
		body := &wasm.Cursor{Data: c.Bytes(c.U32())}
		if c.Err != nil {
			break
		}
		if id == wasm.SectionCustom {
			if customs++; customs > customSectionsMax {
				return nil, refuse("custom sections", "", "more than %d custom sections", customSectionsMax)
			}
			if err := s.custom(body); err != nil {
				return nil, err
			}
			continue
		}
		if err := s.section(id, body); err != nil {
			return nil, err
		}
	}
	if c.Err != nil {
		return nil, refuse("module", "", "malformed module at byte %d: %v", c.Pos, c.Err)
	}
	if s.memories != 1 {
		return nil, refuse(abi.ExportMemory, "define exactly one memory and export it", "the module defines %d memories, not one", s.memories)
	}
	return s, nil
}

// section reads one section. The code is passed over: the meter, which reads every instruction, bounds it.
func (s *scanned) section(id byte, c *wasm.Cursor) error {
	name, known := wasm.SectionName(id)
	if !known {
		return refuse(fmt.Sprintf("section %d", id), "build for WebAssembly 2.0 without extensions", "unknown section %d", id)
	}
	var err error
	switch id {
	case wasm.SectionType:
		s.readTypes(c)
	case wasm.SectionImport:
		err = readImports(c)
	case wasm.SectionFunction:
		s.readFunctions(c)
	case wasm.SectionTable:
		readTables(c)
	case wasm.SectionMemory:
		err = s.readMemory(c)
	case wasm.SectionGlobal:
		readGlobals(c)
	case wasm.SectionExport:
		readExports(c)
	case wasm.SectionStart:
		// It would run while the module is instantiated: before the host can bound it, and in no place an author
		// would look for it. _initialize does the same by name.
		return refuse("section start", "export the start function as _initialize (AssemblyScript: --exportStart _initialize)",
			"the module has a start function that runs on instantiation")
	case wasm.SectionElement:
		s.readElements(c)
	case wasm.SectionCode:
		c.Pos = len(c.Data)
	case wasm.SectionData:
		readData(c)
	case wasm.SectionDataCount:
		c.Count("data segments", abi.ModuleDataSegmentsMax)
	}
	if err != nil {
		return err
	}
	if c.Err == nil && c.Left() > 0 {
		c.Fail(errors.New("bytes left over"))
	}
	if c.Err != nil {
		return refuse("section "+name, "", "section %s: %v", name, c.Err)
	}
	return nil
}

func (s *scanned) custom(c *wasm.Cursor) error {
	name := c.Name()
	if c.Err != nil {
		return refuse("custom section", "", "custom section: %v", c.Err)
	}
	if name != abi.ManifestSection {
		return nil
	}
	if s.manifest != nil {
		// Two manifests could be read differently by two readers.
		return &abi.Error{Code: CodeManifestInvalid, Message: "the module has more than one purser.manifest section", Where: abi.ManifestSection}
	}
	s.manifest = bytes.Clone(c.Data[c.Pos:])
	if s.manifest == nil {
		s.manifest = []byte{}
	}
	return nil
}
