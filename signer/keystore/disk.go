package keystore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folderEntriesMax bounds one folder of the keystore.
const folderEntriesMax = 200_000

// disk is every file operation of the keystore: the seam at which tests pull the plug. Names are relative to the
// keystore's folder, with slashes. Only Create and Erase make content durable, only SyncFolder makes names durable.
type disk interface {
	// Read returns fs.ErrNotExist in its chain when there is no such file, and refuses what others may read.
	Read(name string, bytesMax int) ([]byte, error)
	// List returns the names of the files in a folder.
	List(folder string) ([]string, error)
	// MakeFolder leaves a folder that is there and private as it is.
	MakeFolder(name string) error
	// Create makes a new file.
	Create(name string, content []byte) error
	// Link gives a file a second name, or returns fs.ErrExist in its chain.
	Link(from, to string) error
	// Rename replaces the target.
	Rename(from, to string) error
	// Erase overwrites the content with zeros.
	Erase(name string) error
	Remove(name string) error
	SyncFolder(name string) error
	Close() error
}

type osDisk struct{ root *os.Root }

var _ disk = (*osDisk)(nil)

// openDisk makes the folder if it is missing, durably, and refuses one that is not this user's alone.
func openDisk(dir string) (disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err == nil {
		if err := syncParent(dir); err != nil {
			return nil, fmt.Errorf("make keystore: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make keystore: %w", err)
	}
	before, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	if err := privateFolder(before, dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	now, err := root.Stat(".")
	if err == nil && !os.SameFile(before, now) {
		err = exposed(dir, "the folder was replaced while it was opened")
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &osDisk{root}, nil
}

func syncParent(dir string) error {
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(syncFolder(parent, "."), parent.Close())
}

func privateFolder(info os.FileInfo, where string) error {
	if err := private(info, where); err != nil {
		return err
	}
	if !info.IsDir() {
		return exposed(where, "this is no folder")
	}
	return nil
}

func (d *osDisk) Read(name string, bytesMax int) ([]byte, error) {
	return readPrivate(d.root, name, bytesMax)
}

func (d *osDisk) List(folder string) ([]string, error) {
	opened, err := d.root.Open(folder)
	if err != nil {
		return nil, err
	}
	names, err := opened.Readdirnames(folderEntriesMax + 1)
	if errors.Is(err, io.EOF) { // an empty folder
		err = nil
	}
	if len(names) > folderEntriesMax {
		err = alteredError(folder, fmt.Sprintf("the folder has more than %d files", folderEntriesMax))
	}
	return names, errors.Join(err, opened.Close())
}

func (d *osDisk) MakeFolder(name string) error {
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := d.root.Lstat(name)
	if err != nil {
		return err
	}
	return privateFolder(info, filepath.Join(d.root.Name(), name))
}

func (d *osDisk) Create(name string, content []byte) error {
	file, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, d.root.Remove(name))
	}
	return nil
}

func (d *osDisk) Erase(name string) error {
	file, err := d.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		_, err = file.Write(make([]byte, min(info.Size(), int64(sealedBytesMax))))
	}
	return errors.Join(err, file.Sync(), file.Close())
}

func (d *osDisk) Link(from, to string) error   { return d.root.Link(from, to) }
func (d *osDisk) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d *osDisk) Remove(name string) error     { return d.root.Remove(name) }
func (d *osDisk) SyncFolder(name string) error { return syncFolder(d.root, name) }
func (d *osDisk) Close() error                 { return d.root.Close() }
