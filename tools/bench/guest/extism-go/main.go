//go:build wasip1

// Command extism-go is the bench's policy as an Extism plugin, on the bare imports of the Extism runtime and with JSON
// read by hand: faster than the PDK with encoding/json.
package main

import (
	"encoding/binary"

	sdk "github.com/purserhq/purser/sdk/go/abi"

	"github.com/purserhq/purser/tools/bench/jsonread"
	"github.com/purserhq/purser/tools/bench/policy"
	"github.com/purserhq/purser/tools/bench/sdkpolicy"
)

// The kernel of Extism keeps a memory of its own: a guest reads and writes it word by word.

//go:wasmimport extism:host/env input_length
func inputLength() uint64

//go:wasmimport extism:host/env input_load_u8
func inputLoadByte(at uint64) uint32

//go:wasmimport extism:host/env input_load_u64
func inputLoadWord(at uint64) uint64

//go:wasmimport extism:host/env alloc
func alloc(size uint64) uint64

//go:wasmimport extism:host/env length
func length(at uint64) uint64

//go:wasmimport extism:host/env load_u8
func loadByte(at uint64) uint32

//go:wasmimport extism:host/env load_u64
func loadWord(at uint64) uint64

//go:wasmimport extism:host/env store_u8
func storeByte(at uint64, b uint32)

//go:wasmimport extism:host/env store_u64
func storeWord(at, word uint64)

//go:wasmimport extism:host/env output_set
func outputSet(at, size uint64)

//go:wasmimport extism:host/env config_get
func configGet(key uint64) uint64

const (
	wordBytes = 8

	failed = 1
)

func read(size uint64, word func(uint64) uint64, single func(uint64) uint32) []byte {
	out := make([]byte, size)
	at := uint64(0)
	for ; at+wordBytes <= size; at += wordBytes {
		binary.LittleEndian.PutUint64(out[at:], word(at))
	}
	for ; at < size; at++ {
		out[at] = byte(single(at))
	}
	return out
}

func write(data []byte) (at uint64) {
	size := uint64(len(data))
	at = alloc(size)
	done := uint64(0)
	for ; done+wordBytes <= size; done += wordBytes {
		storeWord(at+done, binary.LittleEndian.Uint64(data[done:]))
	}
	for ; done < size; done++ {
		storeByte(at+done, uint32(data[done]))
	}
	return at
}

// settings are read from the plugin's configuration at its first call, and stay: Extism keeps the instance.
var settings *policy.Settings

func configure() error {
	at := configGet(write([]byte("policy")))
	text := read(length(at), func(i uint64) uint64 { return loadWord(at + i) }, func(i uint64) uint32 { return loadByte(at + i) })
	var err error
	settings, err = jsonread.Settings(string(text))
	return err
}

//go:wasmexport decide
func decide() uint32 {
	if settings == nil && configure() != nil {
		return failed
	}
	payment, readable, err := jsonread.Payment(string(read(inputLength(), inputLoadWord, inputLoadByte)))
	if err != nil {
		return failed
	}
	verdict := policy.Unreadable()
	if readable {
		verdict = settings.Decide(&payment)
	}
	out := jsonread.AppendVerdict(nil, verdict)
	outputSet(write(out), uint64(len(out)))
	return 0
}

// decideWire is the same in purser's encoding, by the codec of its SDK.
//
//go:wasmexport decide_wire
func decideWire() uint32 {
	if settings == nil && configure() != nil {
		return failed
	}
	var request sdk.DecideRequest
	if request.Unmarshal(read(inputLength(), inputLoadWord, inputLoadByte)) != nil ||
		request.Intent == nil || request.Quote == nil || request.Agent == nil || request.Facts == nil {
		return failed
	}
	out, err := sdkpolicy.Decide(settings, &request).Marshal()
	if err != nil {
		return failed
	}
	outputSet(write(out), uint64(len(out)))
	return 0
}

func main() {}
