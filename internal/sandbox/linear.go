package sandbox

import "github.com/tetratelabs/wazero/experimental"

// linear is the memory of one instance. All it may ever grow to is reserved at once and taken from the system page by
// page as it is touched, so that growing copies nothing: a guest that grows page by page would otherwise have a
// hundred copies of its memory made, at the price of a few instructions. It lies outside of Go's heap, which a guest
// then cannot make the collector work on.
type linear struct{ reserved []byte }

var _ experimental.LinearMemory = (*linear)(nil)

// Reallocate returns the first size bytes. It returns nil, which refuses, when nothing could be reserved.
func (l *linear) Reallocate(size uint64) []byte {
	if size > uint64(len(l.reserved)) {
		return nil
	}
	return l.reserved[:size:size]
}

// Free gives the memory back. Nobody may hold a view of it any more.
func (l *linear) Free() {
	release(l.reserved)
	l.reserved = nil
}
