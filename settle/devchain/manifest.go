//go:build !nodevchain

package devchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
)

const (
	manifestName     = "devchain.json"
	manifestVersion  = 1
	manifestBytesMax = 4096
)

// manifest is what must be the same when a data folder is opened again: the genesis
// block is rebuilt from it, and another genesis would be another chain.
type manifest struct {
	Version          int    `json:"version"`
	ChainID          uint64 `json:"chainId"`
	GenesisTimeUnixS uint64 `json:"genesisTimeUnixS"`
}

// openManifest returns the stored manifest of dir, or stores fresh. A folder in
// memory ("") has none.
func openManifest(dir string, fresh manifest) (manifest, error) {
	if dir == "" {
		return fresh, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return manifest{}, fmt.Errorf("create devchain folder: %w", err)
	}
	path := filepath.Join(dir, manifestName)
	text, err := os.ReadFile(path) //nolint:gosec // the operator chooses the folder
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, writeManifest(path, fresh)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("read devchain manifest: %w", err)
	}
	var stored manifest
	if len(text) > manifestBytesMax {
		return manifest{}, mismatch(path, "is longer than %d bytes", manifestBytesMax)
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return manifest{}, mismatch(path, "is not JSON")
	}
	if stored.Version != manifestVersion {
		return manifest{}, mismatch(path, "has version %d, this program knows %d", stored.Version, manifestVersion)
	}
	if stored.ChainID != fresh.ChainID {
		return manifest{}, mismatch(path, "is of chain id %d, not %d", stored.ChainID, fresh.ChainID)
	}
	return stored, nil
}

// writeManifest renames into place: half a manifest would make the folder unusable.
func writeManifest(path string, m manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode devchain manifest: %w", err)
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write devchain manifest: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write devchain manifest: %w", err)
	}
	return nil
}

func mismatch(where, format string, args ...any) *abi.Error {
	return &abi.Error{
		Code: "devchain_data_mismatch", Message: "the devchain folder " + fmt.Sprintf(format, args...),
		Where: where, Fix: "use another folder, or delete this one: it holds test money only",
	}
}
