// Package archive keeps what decisions were made with, policy bundles and plugin modules, as files named by their
// SHA-256, so that a decision can be made again years later. It refuses to hand out a file that is not what its name
// says, and never deletes one.
package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
)

// Codes of the errors of this package.
const (
	// CodeMissing: the archive has no file of that digest.
	CodeMissing = "archive_missing"
	// CodeDamaged: the file of that digest has another content.
	CodeDamaged = "archive_damaged"
)

// errNoFile is what lies where a file should and is none.
var errNoFile = errors.New("it is not a plain file")

// fileBytesMax bounds a file: a plugin's module is the largest thing there is.
const fileBytesMax = abi.ModuleBytesMax

// Archive is a folder of files. It is safe for concurrent use, also by several processes.
type Archive struct{ folder string }

// Open makes the folder, private to this user, or takes the one that is there.
func Open(folder string) (*Archive, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return &Archive{folder}, nil
}

// Existing takes the folder that is there, and makes none: who only reads would find every file missing in a new one.
func Existing(folder string) (*Archive, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, &abi.Error{Code: CodeMissing, Message: "there is no archive of policies and plugins", Where: folder, Cause: err, Fix: "name the data folder in which the decisions were made"}
	}
	return &Archive{folder}, nil
}

func (a *Archive) path(digest [sha256.Size]byte) string {
	return filepath.Join(a.folder, hex.EncodeToString(digest[:]))
}

// Put keeps content and returns its digest. It is durable when Put returns. What is there already is left alone if it
// is whole, and written again if it is not.
func (a *Archive) Put(content []byte) (digest [sha256.Size]byte, err error) {
	digest = sha256.Sum256(content)
	if len(content) > fileBytesMax {
		return digest, &abi.Error{Code: "file_too_large", Message: fmt.Sprintf("the content has %d bytes, at most %d", len(content), fileBytesMax), Where: "archive"}
	}
	if _, err := a.Content(digest); err == nil {
		return digest, nil
	}
	file, err := os.CreateTemp(a.folder, ".new-*")
	if err != nil {
		return digest, fmt.Errorf("archive: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return digest, fmt.Errorf("archive: %w", err)
	}
	if err = os.Rename(file.Name(), a.path(digest)); err != nil {
		return digest, fmt.Errorf("archive: %w", err)
	}
	return digest, syncFolder(a.folder)
}

// Content returns the content with that digest, after checking that it is. Errors have the codes archive_missing and
// archive_damaged.
func (a *Archive) Content(digest [sha256.Size]byte) (content []byte, err error) {
	path := a.path(digest)
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // a pipe would never end
		return nil, damaged(path, errNoFile)
	}
	var file *os.File
	if err == nil {
		file, err = os.Open(path) // #nosec G304 -- hex digits in our own folder
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &abi.Error{Code: CodeMissing, Message: "the archive does not hold this file", Where: path, Fix: "replay where the decision was made, or copy its archive here"}
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, fileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if sha256.Sum256(content) != digest {
		return nil, damaged(path, nil)
	}
	return content, nil
}

func damaged(path string, cause error) error {
	return &abi.Error{Code: CodeDamaged, Message: "the file is not what its name says", Where: path, Cause: cause, Fix: "restore it from a backup"}
}

// syncFolder makes a rename durable.
func syncFolder(path string) error {
	folder, err := os.Open(path) // #nosec G304 -- our own folder
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
