package keystore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

var errPlug = errors.New("the plug was pulled")

// memoryDisk is a disk on which names and contents survive a crash only as far as they were synced: of what was not,
// any subset may survive. It can stop at any operation.
type memoryDisk struct {
	mu      sync.Mutex
	live    map[string]*node // what running programs see
	kept    map[string]*node // the names that survive for certain
	pending []change         // changes of names since their folder was synced

	calls int
	// stopAt is the number of the operation that does not happen, 0 for none.
	stopAt int
	fault  fault
	down   bool
}

type fault int

const (
	before       fault = iota // everything stops before the operation
	torn                      // everything stops in the middle of it
	failsClean                // it alone fails, without effect
	failsChanged              // it alone fails, but happened
)

type node struct {
	folder        bool
	content, safe []byte
}

// change is one atomic change of names within one folder.
type change struct {
	remove, add string
	node        *node
}

func newMemoryDisk() *memoryDisk {
	return &memoryDisk{live: map[string]*node{".": {folder: true}}, kept: map[string]*node{".": {folder: true}}}
}

func (d *memoryDisk) folderOf(name string) string { return path.Dir(path.Clean(name)) }

// op runs a change under the fault plan. half is what remains when the power fails in its middle.
func (d *memoryDisk) op(half, whole func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return errPlug
	}
	d.calls++
	if d.calls != d.stopAt {
		return whole()
	}
	switch d.fault {
	case before:
		d.down = true
	case torn:
		d.down = true
		if half != nil {
			return errors.Join(errPlug, half())
		}
	case failsClean:
	case failsChanged:
		return errors.Join(errPlug, whole())
	}
	return errPlug
}

func (d *memoryDisk) apply(c change) {
	if c.remove != "" {
		delete(d.live, path.Clean(c.remove))
	}
	if c.add != "" {
		d.live[path.Clean(c.add)] = c.node
	}
	d.pending = append(d.pending, c)
}

func (d *memoryDisk) Read(name string, bytesMax int) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.live[path.Clean(name)]
	switch {
	case d.down:
		return nil, errPlug
	case n == nil:
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	case len(n.content) > bytesMax:
		return nil, alteredError(name, "too long")
	}
	return bytes.Clone(n.content), nil
}

func (d *memoryDisk) List(folder string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return nil, errPlug
	}
	var names []string
	for name := range d.live {
		if name != "." && d.folderOf(name) == path.Clean(folder) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (d *memoryDisk) MakeFolder(name string) error {
	return d.op(nil, func() error {
		if d.live[path.Clean(name)] == nil {
			d.apply(change{add: name, node: &node{folder: true}})
		}
		return nil
	})
}

func (d *memoryDisk) Create(name string, content []byte) error {
	if d.exists(name) {
		return fs.ErrExist
	}
	return d.op(func() error {
		d.apply(change{add: name, node: &node{content: content[:len(content)/2], safe: nil}})
		return nil
	}, func() error {
		d.apply(change{add: name, node: &node{content: bytes.Clone(content), safe: bytes.Clone(content)}})
		return nil
	})
}

func (d *memoryDisk) exists(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live[path.Clean(name)] != nil
}

func (d *memoryDisk) Link(from, to string) error {
	if d.exists(to) {
		return fs.ErrExist
	}
	return d.op(nil, func() error {
		d.apply(change{add: to, node: d.live[path.Clean(from)]})
		return nil
	})
}

func (d *memoryDisk) Rename(from, to string) error {
	if !d.exists(from) {
		return fs.ErrNotExist
	}
	return d.op(nil, func() error {
		d.apply(change{remove: from, add: to, node: d.live[path.Clean(from)]})
		return nil
	})
}

func (d *memoryDisk) Erase(name string) error {
	n := d.live[path.Clean(name)]
	return d.op(func() error {
		clear(n.content[:len(n.content)/2])
		n.safe = bytes.Clone(n.content)
		return nil
	}, func() error {
		clear(n.content)
		n.safe = bytes.Clone(n.content)
		return nil
	})
}

func (d *memoryDisk) Remove(name string) error {
	return d.op(nil, func() error {
		d.apply(change{remove: name})
		return nil
	})
}

func (d *memoryDisk) SyncFolder(name string) error {
	return d.op(nil, func() error {
		var later []change
		for _, c := range d.pending {
			if d.folderOf(cmp.Or(c.add, c.remove)) == path.Clean(name) {
				c.keep(d.kept)
			} else {
				later = append(later, c)
			}
		}
		d.pending = later
		return nil
	})
}

func (d *memoryDisk) Close() error { return nil }

func (c change) keep(names map[string]*node) {
	if c.remove != "" {
		delete(names, path.Clean(c.remove))
	}
	if c.add != "" {
		names[path.Clean(c.add)] = c.node
	}
}

// survivors are the disks that may be found after a crash: each with another subset of the changes that were not synced,
// and with contents that were not synced either there or cut off.
func (d *memoryDisk) survivors() []*memoryDisk {
	var disks []*memoryDisk
	for subset := range 1 << len(d.pending) {
		for _, unsynced := range []bool{true, false} {
			next := newMemoryDisk()
			for name, n := range d.kept {
				next.kept[name] = n
			}
			for i, c := range d.pending {
				if subset&(1<<i) != 0 {
					c.keep(next.kept)
				}
			}
			next.settle(unsynced)
			disks = append(disks, next)
		}
	}
	return disks
}

// settle copies what is kept: a name in a folder that was lost is lost with it.
func (d *memoryDisk) settle(unsynced bool) {
	copies := map[*node]*node{}
	settled := map[string]*node{}
	for name, n := range d.kept {
		if folder := d.kept[d.folderOf(name)]; folder == nil || !folder.folder {
			continue
		}
		if copies[n] == nil {
			content := n.safe
			if unsynced {
				content = n.content
			}
			copies[n] = &node{folder: n.folder, content: bytes.Clone(content), safe: bytes.Clone(content)}
		}
		settled[name] = copies[n]
	}
	d.live, d.kept = settled, map[string]*node{}
	for name, n := range settled {
		d.kept[name] = n
	}
}

// leftovers are temporary names: none may remain after an undisturbed start.
func (d *memoryDisk) leftovers() []string {
	var left []string
	for name := range d.live {
		if strings.HasPrefix(path.Base(name), newPrefix) || strings.HasPrefix(path.Base(name), gonePrefix) {
			left = append(left, name)
		}
	}
	return left
}
