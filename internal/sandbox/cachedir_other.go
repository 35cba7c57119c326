//go:build !unix

package sandbox

import (
	"errors"
	"io/fs"
)

// ownedByUs refuses: file modes say nothing here about who else may write, so no directory can be shown private.
func ownedByUs(fs.FileInfo) error {
	return errors.New("a private cache directory cannot be checked on this system; leave it empty")
}
