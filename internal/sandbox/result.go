package sandbox

import "bytes"

// guestMemory is the part of a linear memory that reading a result needs.
type guestMemory interface {
	// Size is the present size in bytes.
	Size() uint32
	// Read returns a view that aliases the memory.
	Read(offset, length uint32) ([]byte, bool)
}

// readResult copies the message that packed points to, pointer in the upper and length in the lower 32 bits. The
// memory's size is read here, after the call, because the guest may have grown it. The copy is the caller's: the
// view would change under a guest that runs again.
func readResult(memory guestMemory, export string, packed, bytesMax uint64) ([]byte, error) {
	if packed == 0 {
		return nil, fault(CodeBadResult, export, "%s reported failure", export)
	}
	pointer, length := uint32(packed>>32), uint32(packed&0xffffffff)
	if uint64(length) > bytesMax {
		return nil, fault(CodeOutputTooLarge, export, "%s returned %d bytes, at most %d", export, length, bytesMax)
	}
	// In 64 bits: in 32, a pointer near the end plus a length wraps around to a small number.
	if uint64(pointer)+uint64(length) > uint64(memory.Size()) {
		return nil, fault(CodeBadResult, export, "%s returned %d bytes at %#x, outside its memory", export, length, pointer)
	}
	view, ok := memory.Read(pointer, length)
	if !ok {
		return nil, fault(CodeBadResult, export, "%s returned %d bytes at %#x, outside its memory", export, length, pointer)
	}
	if length == 0 {
		return []byte{}, nil
	}
	return bytes.Clone(view), nil
}
