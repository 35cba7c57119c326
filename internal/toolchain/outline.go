package toolchain

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/purserhq/purser/abi"
)

// Item is one import or export of a module.
type Item struct {
	// Module is where an import comes from, empty for an export.
	Module string `json:"module,omitempty"`
	Name   string `json:"name"`
	// Kind is function, table, memory or global.
	Kind string `json:"kind"`
}

// Outline is what a module shows to the outside, unjudged: the sandbox decides what it may load.
type Outline struct {
	Imports []Item `json:"imports"`
	Exports []Item `json:"exports"`
	// Manifest is the content of the purser.manifest section, nil when there is none.
	Manifest []byte `json:"-"`
}

const (
	importSection = 2
	exportSection = 7
	// itemsMax and itemBytesMax bound what is shown of a module that was not checked.
	itemsMax     = 10_000
	itemBytesMax = 200
)

var itemKinds = []string{"function", "table", "memory", "global"}

// ReadOutline reads a module's imports, exports and manifest. Its errors have the code module_invalid.
func ReadOutline(module []byte) (Outline, error) {
	var o Outline
	if len(module) > abi.ModuleBytesMax {
		return o, badModule(fmt.Sprintf("the module has %d bytes, at most %d load", len(module), abi.ModuleBytesMax), nil)
	}
	if !bytes.HasPrefix(module, wasmHeader) {
		return o, badModule("the file is no WebAssembly 1 module", nil)
	}
	r := &sectionReader{rest: module[wasmHeaderBytes:]}
	for sections := 0; len(r.rest) > 0 && r.err == nil; sections++ {
		if sections == sectionsMax {
			r.fail("too many sections")
			break
		}
		id := r.byte()
		content := &sectionReader{rest: r.take()}
		switch id {
		case importSection:
			content.list(func() { o.Imports = append(o.Imports, content.imported()) })
		case exportSection:
			content.list(func() { o.Exports = append(o.Exports, content.exported()) })
		case customSection:
			if r.err == nil && string(content.take()) == abi.ManifestSection {
				o.Manifest = content.rest
			}
		}
		if r.err == nil {
			r.err = content.err
		}
	}
	if r.err != nil {
		return Outline{}, badModule("the module cannot be read", r.err)
	}
	return o, nil
}

// sectionReader reads the binary format. The first failure sticks, and whatever is read after it is zero.
type sectionReader struct {
	rest []byte
	err  error
}

func (r *sectionReader) fail(problem string) {
	if r.err == nil {
		r.err = errors.New(problem)
	}
	r.rest = nil
}

func (r *sectionReader) byte() byte {
	if len(r.rest) == 0 {
		r.fail("a section is cut short")
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *sectionReader) number() uint32 {
	value, width, err := uvarint32(r.rest)
	if err != nil {
		r.fail(err.Error())
		return 0
	}
	r.rest = r.rest[width:]
	return value
}

// take reads a length and that many bytes.
func (r *sectionReader) take() []byte {
	size := r.number()
	if uint64(size) > uint64(len(r.rest)) {
		r.fail("something ends behind its section")
		return nil
	}
	taken := r.rest[:size]
	r.rest = r.rest[size:]
	return taken
}

func (r *sectionReader) list(item func()) {
	count := r.number()
	if count > itemsMax {
		r.fail(fmt.Sprintf("more than %d imports or exports", itemsMax))
	}
	for i := uint32(0); i < count && r.err == nil; i++ {
		item()
	}
}

func (r *sectionReader) imported() Item {
	item := Item{Module: shown(r.take()), Name: shown(r.take()), Kind: r.kind()}
	switch item.Kind {
	case "function":
		r.number()
	case "table":
		r.byte()
		r.limits()
	case "memory":
		r.limits()
	case "global":
		r.byte()
		r.byte()
	}
	return item
}

func (r *sectionReader) exported() Item {
	item := Item{Name: shown(r.take()), Kind: r.kind()}
	r.number()
	return item
}

func (r *sectionReader) kind() string {
	kind := int(r.byte())
	if kind >= len(itemKinds) {
		r.fail(fmt.Sprintf("an import or export of the unknown kind %d", kind))
		return ""
	}
	return itemKinds[kind]
}

func (r *sectionReader) limits() {
	hasMax := r.byte()&1 != 0
	r.number()
	if hasMax {
		r.number()
	}
}

// shown makes a name fit for a terminal: a module's author chose it.
func shown(name []byte) string {
	if len(name) > itemBytesMax {
		name = append(bytes.Clone(name[:itemBytesMax]), "..."...)
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(string(name), string(unicode.ReplacementChar)))
}
