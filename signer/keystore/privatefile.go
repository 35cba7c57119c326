package keystore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
)

// ReadPrivateFile reads a regular file of at most bytesMax bytes that belongs to this user and that nobody else may
// read or write. A symbolic link is refused: it may lead somewhere else tomorrow.
func ReadPrivateFile(path string, bytesMax int) (Secret, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return Secret{}, fmt.Errorf("read %s: %w", path, err)
	}
	content, err := readPrivate(root, filepath.Base(path), bytesMax)
	return ownSecret(content), errors.Join(err, root.Close())
}

// WritePrivateFile creates a file that only this user may read, whole and durable or not at all. It never replaces one.
func WritePrivateFile(path string, content []byte) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	file, err := root.OpenFile(filepath.Base(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), root.Close())
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = syncFolder(root, ".")
	} else {
		err = errors.Join(err, root.Remove(filepath.Base(path)))
	}
	return errors.Join(err, root.Close())
}

func readPrivate(root *os.Root, name string, bytesMax int) ([]byte, error) {
	where := filepath.Join(root.Name(), name)
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if err := private(before, where); err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, exposed(where, "this is a link or no file")
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := readSame(file, before, where, bytesMax)
	return content, errors.Join(err, file.Close())
}

// readSame reads the file that was judged: between the judgement and the opening it may have been replaced.
func readSame(file *os.File, judged os.FileInfo, where string, bytesMax int) ([]byte, error) {
	now, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(judged, now) {
		return nil, exposed(where, "the file was replaced while it was opened")
	}
	if now.Size() > int64(bytesMax) {
		return nil, alteredError(where, fmt.Sprintf("the file has more than %d bytes", bytesMax))
	}
	content := make([]byte, now.Size())
	if _, err := io.ReadFull(file, content); err != nil {
		wipe(content)
		return nil, fmt.Errorf("read %s: %w", where, err)
	}
	return content, nil
}

// private refuses what others may read or change.
func private(info os.FileInfo, where string) error {
	switch {
	case info.Mode()&os.ModeSymlink != 0:
		return exposed(where, "this is a symbolic link")
	case info.Mode().Perm()&0o077 != 0:
		return exposed(where, "others may read this secret")
	case !owned(info, os.Geteuid()):
		return exposed(where, "this belongs to another user")
	}
	return nil
}

func exposed(where, message string) error {
	return &abi.Error{
		Code: CodeExposed, Where: where, Message: message, Retry: abi.RetryNever,
		Fix: "make it yours alone (files 600, folders 700, no links), and replace the secret if somebody may have read it",
	}
}

func syncFolder(root *os.Root, name string) error {
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
