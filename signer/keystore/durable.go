package keystore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

const (
	// newPrefix names a file that is not whole yet, gonePrefix one that is no longer there for anybody. A crash
	// leaves both behind; sweep removes them.
	newPrefix  = ".new-"
	gonePrefix = ".gone-"

	temporaryNameBytes = 16
)

// The functions here are called under the lock, or before anybody else knows the keystore. Once a name has changed, an
// error no longer says whether the change will survive a crash: it spoils the keystore.

// publish makes a new file appear whole and durable. It returns fs.ErrExist in its chain, with nothing changed, rather
// than replace a file.
func (k *Keystore) publish(folder, path string, content []byte) error {
	temporary, err := k.temporary(folder, newPrefix)
	if err != nil {
		return err
	}
	if err := k.disk.Create(temporary, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = k.disk.Link(temporary, path)
	if errors.Is(err, fs.ErrExist) {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), k.disk.Remove(temporary))
	}
	if err == nil {
		err = k.disk.SyncFolder(folder)
	}
	if err == nil {
		err = k.disk.Remove(temporary)
	}
	return k.spoil(path, err)
}

// replace swaps a file's content in one step.
func (k *Keystore) replace(folder, path string, content []byte) error {
	temporary, err := k.temporary(folder, newPrefix)
	if err != nil {
		return err
	}
	if err := k.disk.Create(temporary, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = k.disk.Rename(temporary, path); err == nil {
		err = k.disk.SyncFolder(folder)
	}
	return k.spoil(path, err)
}

// withdraw takes a file out of use, durably; nobody finds it under its name again. It returns fs.ErrNotExist in its
// chain, with nothing changed, when somebody else was first. The name it returns is for shred.
func (k *Keystore) withdraw(folder, path string) (string, error) {
	gone, err := k.temporary(folder, gonePrefix)
	if err != nil {
		return "", err
	}
	err = k.disk.Rename(path, gone)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("withdraw %s: %w", path, err)
	}
	if err == nil {
		err = k.disk.SyncFolder(folder)
	}
	return gone, k.spoil(path, err)
}

// shred overwrites and unlinks a withdrawn file. Overwriting in place under its own name would leave, after a crash, a
// file that looks tampered with.
func (k *Keystore) shred(folder, gone string) error {
	err := k.disk.Erase(gone)
	if err == nil {
		err = k.disk.Remove(gone)
	}
	if err == nil {
		err = k.disk.SyncFolder(folder)
	}
	return k.spoil(gone, err)
}

// sweep removes what a crash left behind. It may itself be interrupted.
func (k *Keystore) sweep(folder string) error {
	names, err := k.disk.List(folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, newPrefix) || strings.HasPrefix(name, gonePrefix) {
			if err := k.sweepOne(folder, folder+"/"+name); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepOne does not overwrite an unfinished file: it may be the second name of a published one.
func (k *Keystore) sweepOne(folder, path string) error {
	if strings.HasPrefix(path, folder+"/"+gonePrefix) {
		return k.shred(folder, path)
	}
	if err := k.disk.Remove(path); err != nil {
		return err
	}
	return k.disk.SyncFolder(folder)
}

func (k *Keystore) spoil(path string, err error) error {
	if err == nil {
		return nil
	}
	k.spoilt = fmt.Errorf("change %s: %w", path, err)
	return k.spoilt
}

func (k *Keystore) temporary(folder, prefix string) (string, error) {
	name := make([]byte, temporaryNameBytes)
	if _, err := io.ReadFull(k.sealer.random, name); err != nil {
		return "", fmt.Errorf("name a new file: %w", err)
	}
	return folder + "/" + prefix + hex.EncodeToString(name), nil
}
