package guest

import (
	"unsafe"

	"github.com/purserhq/purser/sdk/go/abi"
)

// input and output are what the host may be looking at. They are variables of
// the package because the garbage collector does not know that the host holds
// their addresses; what only the host points to would be freed.
var (
	input  []byte
	output []byte
)

// inputBytesMax is the most the host ever sends: a chain adapter's input.
const inputBytesMax = 1 << 20

//go:wasmexport purser_abi_1
func version() uint32 { return abi.Minor }

//go:wasmexport purser_alloc
func alloc(size uint32) uint32 {
	if size > inputBytesMax {
		return 0
	}
	input = make([]byte, max(size, 1)) // never 0 bytes: its address would not be ours
	return address(input)
}

//go:wasmexport purser_configure
func configureExport(at, size uint32) uint64 {
	return Call(at, size, func(in []byte) ([]byte, bool) { return Serve(in, Configure) })
}

// Call answers one call of the host: address and length of the result in one
// number, 0 for failure. The request must lie where alloc said; an empty one
// lies nowhere, and the host asks for no space for it.
func Call(at, size uint32, serve func(in []byte) (out []byte, ok bool)) uint64 {
	if size > 0 && (len(input) == 0 || at != address(input) || uint64(size) > uint64(len(input))) {
		return 0
	}
	out, ok := serve(input[:size])
	if !ok {
		return 0
	}
	// An empty result is a valid one, so it needs an address other than 0.
	output = append(out, 0)
	return uint64(address(output))<<32 | uint64(len(out))
}

func address(b []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
}
