// Command liar is a policy without an SDK that breaks the contract in the way its configuration names. The conformance
// kit must catch each.
package main

import (
	"bytes"
	"unsafe"
)

var (
	input, output []byte
	mode          string
	calls         uint64
)

var modes = []string{"yes", "rising", "trap", "silent", "both", "garbage", "counting", "pointless", "late", "choosy"}

// Encoded results: DecideResult{outcome: allow}, DecideResult{} (deny), ConfigureResult{ok: true}.
var (
	allow = []byte{0x08, 0x02}
	deny  = []byte{}
	ok    = []byte{0x08, 0x01}
)

//go:wasmexport purser_abi_1
func version() uint32 { return 0 }

//go:wasmexport purser_alloc
func alloc(size uint32) uint32 {
	input = make([]byte, max(size, 1))
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(input))))
}

func answer(result []byte) uint64 {
	output = append(append([]byte{}, result...), 0)
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(output))))<<32 | uint64(len(result))
}

//go:wasmexport purser_configure
func configure(_, size uint32) uint64 {
	for _, name := range modes {
		if bytes.Contains(input[:size], []byte("\""+name+"\"")) {
			mode = name
		}
	}
	switch mode {
	case "trap":
		panic("as told")
	case "silent":
		return answer(deny) // not ok, and no problem
	case "choosy": // a problem at /mode, whatever the schema allows
		return answer([]byte{0x12, 0x07, 0x0a, 0x05, '/', 'm', 'o', 'd', 'e'})
	case "both":
		return answer([]byte{0x08, 0x01, 0x12, 0x00})
	case "":
		if bytes.Contains(input[:size], []byte("null")) {
			panic("nobody told me about null")
		}
		return answer([]byte{0x12, 0x07, 0x0a, 0x05, '/', 'm', 'o', 'd', 'e'})
	}
	return answer(ok)
}

//go:wasmexport purser_policy_decide
func decide(_, size uint32) uint64 {
	calls++
	switch mode {
	case "rising":
		if size > 30 {
			return answer(allow)
		}
		return answer(deny)
	case "late":
		panic("too late")
	case "garbage":
		return answer([]byte{0xff, 0xff})
	case "counting":
		if calls > 1 {
			return answer(deny)
		}
	}
	return answer(allow)
}

func main() {}
