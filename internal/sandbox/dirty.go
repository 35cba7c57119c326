package sandbox

import (
	"bytes"
	"math/bits"

	"github.com/purserhq/purser/internal/sandbox/meter"
	"github.com/tetratelabs/wazero/api"
)

const (
	// resetPageBytes is the unit in which a memory is compared with its image. Comparing reads two pages, copying writes
	// one as well; a call touches few of them.
	resetPageBytes = 4096

	// dirtyBits is how many parts of memory meter.DirtyGlobal tells apart.
	dirtyBits = 64
)

// write puts what the host has for the guest into its memory, and reports false if there is no such place. All that the
// host writes goes through here: the guest's own marks do not know of it.
func (s *callState) write(memory api.Memory, pointer uint32, content []byte) bool {
	view, ok := s.writable(memory, pointer, uint32(len(content))) // #nosec G115 -- at most Limits.InputBytes
	copy(view, content)
	return ok
}

// writable marks a part of memory and returns a view of it.
func (s *callState) writable(memory api.Memory, pointer, length uint32) ([]byte, bool) {
	view, ok := memory.Read(pointer, length)
	if ok && length > 0 {
		first, last := pointer/meter.DirtyChunkBytes, (pointer+length-1)/meter.DirtyChunkBytes
		for chunk := first; chunk <= last; chunk++ {
			s.written |= 1 << (chunk % dirtyBits)
		}
	}
	return view, ok
}

// putBack makes the marked parts of memory what they are in clean, page by page, and as much around each of them as may
// have been written without a mark.
func putBack(memory, clean []byte, dirty uint64) {
	restored := 0
	restore := func(from, to int) {
		from, to = max(from, restored), min(to, len(memory))
		for ; from < to; from += resetPageBytes {
			page, was := memory[from:from+resetPageBytes], clean[from:from+resetPageBytes]
			if !bytes.Equal(page, was) {
				copy(page, was)
			}
		}
		restored = max(restored, to)
	}
	// Addresses wrap, so that the beginning of memory is beside a mark at the end of the 32-bit space.
	restore(0, meter.DirtyMarginBytes)
	for first := 0; first < len(memory)+meter.DirtyMarginBytes; first += dirtyBits * meter.DirtyChunkBytes {
		for left := dirty; left != 0; left &= left - 1 {
			chunk := first + bits.TrailingZeros64(left)*meter.DirtyChunkBytes
			restore(chunk-meter.DirtyMarginBytes, chunk+meter.DirtyChunkBytes+meter.DirtyMarginBytes)
		}
	}
}
