package pki

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const (
	privateMode     = 0o600
	temporaryRandom = 8
)

// create gives content a name that was free, and replace one that may be taken. A crash leaves the name as it was, or
// with the whole content; at worst a temporary file that begins with a dot stays behind.
func create(path string, content []byte) error {
	return write(path, content, func(root *os.Root, temporary, name string) error {
		return errors.Join(root.Link(temporary, name), root.Remove(temporary))
	})
}

func replace(path string, content []byte) error {
	return write(path, content, func(root *os.Root, temporary, name string) error {
		if err := root.Rename(temporary, name); err != nil {
			return errors.Join(err, root.Remove(temporary))
		}
		return nil
	})
}

func write(path string, content []byte, publish func(root *os.Root, temporary, name string) error) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = writeIn(root, filepath.Base(path), content, publish)
	if err = errors.Join(err, root.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeIn(root *os.Root, name string, content []byte, publish func(root *os.Root, temporary, name string) error) error {
	suffix := make([]byte, temporaryRandom)
	if _, err := rand.Read(suffix); err != nil {
		return err
	}
	temporary := "." + name + "." + hex.EncodeToString(suffix)
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	if err := publish(root, temporary, name); err != nil {
		return err
	}
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
