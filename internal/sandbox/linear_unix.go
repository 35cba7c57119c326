//go:build unix

package sandbox

import "syscall"

// reserve returns zeroed memory that takes no room until it is touched, or nil.
func reserve(size uint64) []byte {
	if size == 0 {
		return []byte{}
	}
	memory, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON) // #nosec G115 -- at most Limits.MemoryPages
	if err != nil {
		return nil // wazero has no way to say why; the instance is refused
	}
	return memory
}

// release unmaps what reserve returned. It cannot fail for that.
func release(memory []byte) {
	if len(memory) > 0 {
		_ = syscall.Munmap(memory) //nolint:errcheck // nothing can be done, and nothing was written to keep
	}
}
