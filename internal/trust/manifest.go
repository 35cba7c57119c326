package trust

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const (
	sectionCustom = 0
	lebBytesMax   = 5
)

var wasmPreamble = []byte("\x00asm\x01\x00\x00\x00")

var errCut = errors.New("a section ends after the module")

// ManifestDocument returns the manifest's bytes as they are in the module, unread; see Manifest.
func ManifestDocument(module []byte) ([]byte, error) {
	document, err := manifestDocument(module)
	if err != nil {
		return nil, &abi.Error{
			Code: abi.CodeManifestInvalid, Message: "the manifest cannot be read", Where: abi.ManifestSection, Cause: err,
			Fix: "build the plugin with `purser plugin build`",
		}
	}
	return document, nil
}

// Manifest reads what a module says about itself, without running or validating the rest. A module with two manifests
// is refused, as install refuses it: two readers could take one each. The error has code manifest_invalid or
// abi_unsupported.
func Manifest(module []byte) (*abi.Manifest, error) {
	document, err := ManifestDocument(module)
	if err != nil {
		return nil, err
	}
	return abi.ParseManifest(document)
}

func manifestDocument(module []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(module, wasmPreamble)
	if !ok {
		return nil, errors.New("not a WebAssembly 1 module")
	}
	var document []byte
	for len(rest) > 0 { // ends: each round takes a byte at least
		id := rest[0]
		var section []byte
		var err error
		if section, rest, err = prefixed(rest[1:]); err != nil {
			return nil, err
		}
		if id != sectionCustom {
			continue
		}
		name, content, err := prefixed(section)
		if err != nil {
			return nil, err
		}
		if string(name) != abi.ManifestSection {
			continue
		}
		if document != nil {
			return nil, fmt.Errorf("more than one %s section", abi.ManifestSection)
		}
		document = append([]byte{}, content...)
	}
	if document == nil {
		return nil, fmt.Errorf("no %s section", abi.ManifestSection)
	}
	return document, nil
}

// prefixed reads a length and that many bytes.
func prefixed(data []byte) (content, rest []byte, err error) {
	var size uint64
	for i := range lebBytesMax {
		if i >= len(data) {
			return nil, nil, errCut
		}
		size |= uint64(data[i]&0x7f) << (7 * i)
		if data[i] < 0x80 {
			data = data[i+1:]
			if size > uint64(len(data)) {
				return nil, nil, errCut
			}
			return data[:size], data[size:], nil
		}
	}
	return nil, nil, errors.New("a length is malformed")
}
