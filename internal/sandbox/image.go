package sandbox

import (
	"bytes"
	"math"
)

// image is the whole state of an instance between calls: its memory, its mutable globals and the position of its
// random stream. Memory alone is not enough: Go and C keep their stack pointer in a global. Tables and dropped
// segments are in no image, so an instance that touched them is never restored.
type image struct {
	memory  []byte
	globals []uint64
	random  randomStream
}

// capture copies the state of an instance, which from then on is restored to that image alone.
func (i *instance) capture() (*image, error) {
	view, ok := i.memory.Read(0, i.memory.Size())
	if !ok {
		return nil, fault(CodeTrap, "memory", "the guest's memory cannot be read")
	}
	captured := &image{memory: bytes.Clone(view), globals: make([]uint64, len(i.globals)), random: i.state.random}
	for at, global := range i.globals {
		captured.globals[at] = global.Get()
	}
	i.clean()
	return captured, nil
}

// become makes a new instance the image's: its memory is grown to the image's size first.
func (i *instance) become(from *image) error {
	if missing := len(from.memory) - int(i.memory.Size()); missing > 0 {
		if _, ok := i.memory.Grow(uint32(missing / wasmPageBytes)); !ok { // #nosec G115 -- at most Limits.MemoryPages
			return fault(CodeTrap, "memory", "the guest's memory cannot grow to the %d bytes of its image", len(from.memory))
		}
	}
	i.state.written = math.MaxUint64
	if !i.restore(from) {
		return fault(CodeTrap, "memory", "a new instance has a larger memory than its image")
	}
	return nil
}

// restore puts an instance back to the image that it was made from, or that was taken of it. It reports false if it cannot: memory never
// shrinks, and tables are in no image.
func (i *instance) restore(to *image) bool {
	size := i.memory.Size()
	if int(size) != len(to.memory) || i.tainted() {
		return false
	}
	memory, ok := i.memory.Read(0, size)
	if !ok {
		return false
	}
	putBack(memory, to.memory, i.dirty.Get()|i.state.written)
	for at, global := range i.globals {
		global.Set(to.globals[at])
	}
	i.state.random = to.random
	i.clean()
	if check := i.plugin.host.afterRestore; check != nil {
		check(memory, to.memory)
	}
	return true
}

// clean forgets what was written: memory is what it is in the image.
func (i *instance) clean() {
	i.dirty.Set(0)
	i.state.written = 0
}
