//go:build wasip1

// Command hostile is a policy that installs and configures like an honest one and misbehaves when it is asked. Its
// configuration says how. It is built by the tests of runtime/judge and cmd/purser.
package main

import (
	"strings"
	"unsafe"
)

// kept holds every buffer handed out, because the host writes to it behind the collector's back.
var kept = map[uint32][]byte{}

var config string

//go:wasmexport purser_abi_1
func abi() uint32 { return 0 }

//go:wasmexport purser_alloc
func alloc(size uint32) uint32 {
	b := make([]byte, size)
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	kept[p] = b
	return p
}

func result(b []byte) uint64 {
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	kept[p] = b
	return uint64(p)<<32 | uint64(len(b))
}

// configured is abi.ConfigureResult{Ok: true}, allowed is abi.DecideResult{Outcome: abi.Allow} without a reason.
var configured, allowed = []byte{0x08, 0x01}, []byte{0x08, 0x02}

//go:wasmexport purser_configure
func configure(p, n uint32) uint64 {
	config = string(kept[p][:n])
	return result(configured)
}

//go:wasmexport purser_policy_decide
func decide(_, _ uint32) uint64 {
	switch {
	case strings.Contains(config, "do-loop"):
		for {
		}
	case strings.Contains(config, "do-trap"):
		panic("no")
	case strings.Contains(config, "do-garbage"):
		return result([]byte("\xff\xff\xff not a result"))
	case strings.Contains(config, "do-trailing"): // an allow with something behind it
		return result(append(allowed[:len(allowed):len(allowed)], 0))
	case strings.Contains(config, "do-empty"): // the zero value is a deny, not an allow
		return result([]byte{0}) &^ 0xffffffff
	case strings.Contains(config, "do-huge"):
		return result(make([]byte, 1<<20))
	case strings.Contains(config, "do-outside"):
		return 0xfffffff0_00000020
	case strings.Contains(config, "do-fail"):
		return 0
	case strings.Contains(config, "do-grow"):
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	}
	return result(allowed)
}

func main() {}
