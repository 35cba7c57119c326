package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
)

const (
	cacheDirMode fs.FileMode = 0o700
	// cacheLayout is part of the folder's name; raise it when anything but the meter's or wazero's version changes what
	// is compiled, or how it is kept.
	cacheLayout = "guests-3-" + meter.Version
)

// prepareCache makes and checks the cache directory, and in it one folder for each engine version, and returns the
// folder. wazero appends its own version, but says "dev" when it cannot find one, and then old native code would be
// run by a new engine. The checks are errors of code cache_unsafe.
func prepareCache(dir string) (string, error) {
	version := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '+' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, wazeroVersion())
	folder := filepath.Join(dir, cacheLayout+"-"+version)
	for _, path := range []string{dir, folder} {
		if err := makePrivate(path); err != nil {
			return "", &abi.Error{
				Code: CodeCacheUnsafe, Message: "the compilation cache cannot be used", Where: path, Cause: err,
				Fix: "use a directory that belongs to this user alone, mode 0700",
			}
		}
	}
	return folder, nil
}

// makePrivate creates path, or checks that what is there is a directory only this user can enter. Whoever can write
// there can make the runtime run any native code, and whoever can swap a symbolic link can choose the directory.
func makePrivate(path string) error {
	err := os.Mkdir(path, cacheDirMode)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("inspect: %w", err)
	}
	if !info.IsDir() {
		return errors.New("not a directory")
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return fmt.Errorf("mode %#o lets others in", info.Mode().Perm())
	}
	return ownedByUs(info)
}
