package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// meteredBytesMax bounds a file that keeps a metered module. What is longer is metered at every open.
const meteredBytesMax = 4 * abi.ModuleBytesMax

// meteredPath is where a metered module is kept: beside the native code that wazero makes of it, in a folder whose name
// has the meter's version.
func meteredPath(folder string, module Digest) string {
	return filepath.Join(folder, module.String()+".metered")
}

// recallMetered returns what meter.Rewrite made of the module with that hash at an earlier open, if the cache has it and
// it is whole. A cache that is not private has nothing: compile says why.
func (h *Host) recallMetered(module Digest) (meter.Module, bool) {
	if h.config.CacheDir == "" {
		return meter.Module{}, false
	}
	folder, err := prepareCache(h.config.CacheDir)
	if err != nil {
		return meter.Module{}, false
	}
	path := meteredPath(folder, module)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Size() > meteredBytesMax {
		return meter.Module{}, false
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return meter.Module{}, false
	}
	return decodeMetered(module, file)
}

// keepMetered puts a module that was installed where recallMetered finds it. Other processes see all of it or nothing.
// There is no wait for the disk: what a crash tears does not match its sum.
func (h *Host) keepMetered(module Digest, metered meter.Module) error {
	if h.config.CacheDir == "" {
		return nil
	}
	file := encodeMetered(module, metered)
	if len(file) > meteredBytesMax {
		return nil
	}
	folder, err := prepareCache(h.config.CacheDir)
	if err != nil {
		return err
	}
	path := meteredPath(folder, module)
	temporary, err := os.CreateTemp(folder, filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("keep metered module: %w", err)
	}
	_, err = temporary.Write(file)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keep metered module: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// encodeMetered writes a sum, the globals as a vector of names, and the module.
func encodeMetered(module Digest, metered meter.Module) []byte {
	file := make([]byte, sha256.Size, sha256.Size+len(metered.Wasm)+4096)
	file = wasm.AppendU32(file, uint32(len(metered.Globals))) // #nosec G115 -- fewer than the module has bytes
	for _, name := range metered.Globals {
		file = append(wasm.AppendU32(file, uint32(len(name))), name...) // #nosec G115 -- at most wasm.NameBytesMax
	}
	file = append(file, metered.Wasm...)
	sum := meteredSum(module, file[sha256.Size:])
	copy(file, sum[:])
	return file
}

func decodeMetered(module Digest, file []byte) (metered meter.Module, whole bool) {
	if len(file) < sha256.Size || meteredSum(module, file[sha256.Size:]) != Digest(file[:sha256.Size]) {
		return meter.Module{}, false
	}
	c := &wasm.Cursor{Data: file, Pos: sha256.Size}
	for range c.Count("globals", c.Left()) {
		metered.Globals = append(metered.Globals, c.Name())
	}
	metered.Wasm = file[c.Pos:]
	return metered, c.Err == nil
}

// meteredSum covers the content of a file and what it is for. The folder is trusted, as its native code must be: the sum
// is against a torn write, a rotten block and a file in the wrong place, each of which would change what a guest does.
func meteredSum(module Digest, content []byte) Digest {
	return lengthPrefixed([]byte(cacheLayout), module[:], content)
}
