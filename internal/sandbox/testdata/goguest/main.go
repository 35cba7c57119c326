//go:build wasip1

// Command goguest is the smallest policy in plain Go that shows what Go's runtime asks of the host: start-up time,
// random map seeds, a garbage collector, printing and panicking. It is built by the tests.
package main

import (
	"strconv"
	"strings"
	"unsafe"
)

// kept holds every buffer handed out, because the host writes to it behind the collector's back.
var kept = map[uint32][]byte{}

var config string

//go:wasmimport purser_host_1 log
func hostLog(level uint32, p unsafe.Pointer, n uint32)

// clock is here because package time would import files as well, which no guest can have.
//
//go:wasmimport wasi_snapshot_preview1 clock_time_get
func clock(id uint32, precision uint64, at unsafe.Pointer) uint32

//go:wasmexport purser_abi_1
func abi() uint32 { return 0 }

//go:wasmexport purser_alloc
func alloc(size uint32) uint32 {
	b := make([]byte, size)
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	kept[p] = b
	return p
}

func result(s string) uint64 {
	b := []byte(s)
	p := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b))))
	kept[p] = b
	return uint64(p)<<32 | uint64(len(b))
}

//go:wasmexport purser_configure
func configure(p, n uint32) uint64 {
	config = string(kept[p][:n])
	return result("configured " + config)
}

//go:wasmexport purser_policy_decide
func decide(p, n uint32) uint64 {
	request := string(kept[p][:n])
	switch request {
	case "log":
		text := []byte("hello")
		hostLog(2, unsafe.Pointer(unsafe.SliceData(text)), uint32(len(text)))
	case "print":
		println("printed", len(kept))
	case "time":
		var at uint64
		clock(0, 0, unsafe.Pointer(&at))
		return result(strconv.FormatUint(at, 10))
	case "panic":
		panic("no")
	case "nil":
		var m map[string]int
		m["x"] = 1
	case "loop":
		for {
		}
	case "grow":
		var all [][]byte
		for {
			all = append(all, make([]byte, 1<<20))
		}
	case "map":
		m := map[string]bool{}
		for _, w := range strings.Fields("the order of a map is random, except here: it is seeded by module and configuration") {
			m[w] = true
		}
		var order []string
		for w := range m {
			order = append(order, w)
		}
		return result(strings.Join(order, " "))
	}
	return result(config + ":" + request)
}

func main() {}
