package toolchain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/schema"
)

const (
	customSection   = 0
	sectionsMax     = 10_000
	lebBytesMax     = 5 // of a u32
	wasmHeaderBytes = 8
)

var wasmHeader = []byte("\x00asm\x01\x00\x00\x00")

// Embed returns the module with the manifest as its last section, in canonical
// JSON. A manifest that is there already is replaced: two would let two readers
// disagree on what the plugin asks for. A manifest that no host would take is
// refused with code manifest_invalid or abi_unsupported, a module that cannot be
// read with module_invalid.
func Embed(module, manifest []byte) ([]byte, error) {
	if _, err := checkManifest(manifest); err != nil {
		return nil, err
	}
	canonical, err := abi.CanonicalJSON(manifest)
	if err != nil {
		return nil, err
	}
	out, err := withoutManifest(module)
	if err != nil {
		return nil, badModule("the module cannot be read", err)
	}
	name := abi.ManifestSection
	payload := append(binary.AppendUvarint(nil, uint64(len(name))), name...)
	payload = append(payload, canonical...)
	out = append(out, customSection)
	out = binary.AppendUvarint(out, uint64(len(payload)))
	out = append(out, payload...)
	if len(out) > abi.ModuleBytesMax {
		return nil, badModule(fmt.Sprintf("the module would have %d bytes, at most %d load", len(out), abi.ModuleBytesMax), nil)
	}
	return out, nil
}

// checkManifest reads a manifest as an install would, with its schema and the
// vectors' configurations.
func checkManifest(document []byte) (*abi.Manifest, error) {
	manifest, err := abi.ParseManifest(document)
	if err != nil {
		return nil, err
	}
	if _, err := schema.Parse(manifest.ConfigSchema); err != nil {
		return nil, err
	}
	for i, vector := range manifest.Vectors {
		if vector.Call == "configure" { // such a vector may show what is refused
			continue
		}
		config := vector.Config
		if len(config) == 0 {
			config = []byte("{}")
		}
		if err := schema.Check(manifest.ConfigSchema, config); err != nil {
			return nil, &abi.Error{
				Code: abi.CodeManifestInvalid, Message: "the vector's config breaks config_schema", Where: fmt.Sprintf("vectors[%d].config", i), Cause: err,
				Fix: "correct the vector or the schema",
			}
		}
	}
	return manifest, nil
}

func badModule(message string, cause error) error {
	return &abi.Error{Code: CodeModuleInvalid, Message: message, Cause: cause, Fix: "embed a manifest into what a compiler wrote: a core WebAssembly 1 module"}
}

// withoutManifest copies a module without its manifest sections.
func withoutManifest(module []byte) ([]byte, error) {
	if !bytes.HasPrefix(module, wasmHeader) {
		return nil, errors.New("it does not start like a WebAssembly 1 module")
	}
	out := bytes.Clone(module[:wasmHeaderBytes])
	rest := module[wasmHeaderBytes:]
	for range sectionsMax {
		if len(rest) == 0 {
			return out, nil
		}
		size, width, err := uvarint32(rest[1:])
		if err != nil {
			return nil, err
		}
		whole := 1 + width + int(size)
		if whole > len(rest) {
			return nil, errors.New("a section ends behind the file")
		}
		isManifest := false
		if rest[0] == customSection {
			name, err := sectionName(rest[1+width : whole])
			if err != nil {
				return nil, err
			}
			isManifest = name == abi.ManifestSection
		}
		if !isManifest {
			out = append(out, rest[:whole]...)
		}
		rest = rest[whole:]
	}
	return nil, fmt.Errorf("more than %d sections", sectionsMax)
}

func sectionName(payload []byte) (string, error) {
	size, width, err := uvarint32(payload)
	if err != nil {
		return "", err
	}
	if int(size) > len(payload)-width {
		return "", errors.New("a custom section's name ends behind the section")
	}
	return string(payload[width : width+int(size)]), nil
}

func uvarint32(b []byte) (value uint32, width int, err error) {
	v, width := binary.Uvarint(b[:min(len(b), lebBytesMax)])
	if width <= 0 || v > 1<<31 {
		return 0, 0, errors.New("a size is cut short or too large")
	}
	return uint32(v), width, nil
}
