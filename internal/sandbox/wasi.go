package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero/api"
)

// Error numbers of WASI preview 1.
const (
	wasiSuccess = 0
	wasiBadFile = 8
	wasiFault   = 21
	wasiInvalid = 28
)

const (
	wasiBuffersMax       = 1024
	wasiSubscriptionsMax = 64
	wasiRandomBytesMax   = 64 << 10

	wasiSubscriptionBytes = 48
	wasiEventBytes        = 32
	wasiEventClock        = 0

	nanosecondsPerSecond = 1_000_000_000
)

// What host functions cost, in fuel: leaving native code and coming back, and the bytes they touch. A test measures
// that no host function gives more time for its fuel than instructions do.
const (
	hostCallFuel    = 250
	hostBufferFuel  = 32
	logBytesPerFuel = 4
	randomByteFuel  = 5
)

// hostFunctions is everything a guest can import: our log, and abi.WASIImports in versions that always answer the same.
// A test compares the two lists.
var hostFunctions = []hostFunction{
	{abi.ImportModule, abi.ImportLog, []api.ValueType{i32, i32, i32}, nil, hostLog},
	{abi.WASIModule, "args_get", []api.ValueType{i32, i32}, []api.ValueType{i32}, wasiNothing},
	{abi.WASIModule, "args_sizes_get", []api.ValueType{i32, i32}, []api.ValueType{i32}, wasiNoSizes},
	{abi.WASIModule, "clock_time_get", []api.ValueType{i32, i64, i32}, []api.ValueType{i32}, wasiClock},
	{abi.WASIModule, "environ_get", []api.ValueType{i32, i32}, []api.ValueType{i32}, wasiNothing},
	{abi.WASIModule, "environ_sizes_get", []api.ValueType{i32, i32}, []api.ValueType{i32}, wasiNoSizes},
	{abi.WASIModule, "fd_write", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}, wasiWrite},
	{abi.WASIModule, "poll_oneoff", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}, wasiPoll},
	{abi.WASIModule, "proc_exit", []api.ValueType{i32}, nil, wasiExit},
	{abi.WASIModule, "random_get", []api.ValueType{i32, i32}, []api.ValueType{i32}, wasiRandom},
	{abi.WASIModule, "sched_yield", nil, []api.ValueType{i32}, wasiYield},
}

// hostLog is purser_host_1.log(level, pointer, length).
func hostLog(ctx context.Context, mod api.Module, stack []uint64) {
	log := &stateOf(ctx).log
	if log.callsLeft == 0 {
		panic(&hostFault{code: CodeHostCallLimit, message: "too many calls of purser_host_1.log"})
	}
	log.callsLeft--
	level, pointer, length := api.DecodeU32(stack[0]), api.DecodeU32(stack[1]), api.DecodeU32(stack[2])
	stateOf(ctx).charge(uint64(length) / logBytesPerFuel)
	if level > uint32(LevelError) {
		panic(&hostFault{code: CodeTrap, message: fmt.Sprintf("purser_host_1.log called with the level %d", level)})
	}
	text, ok := mod.Memory().Read(pointer, length)
	if !ok {
		panic(&hostFault{code: CodeTrap, message: "purser_host_1.log called with a text outside memory"})
	}
	log.add(Level(level), text) // #nosec G115 -- at most LevelError
}

func wasiNothing(_ context.Context, _ api.Module, stack []uint64) { stack[0] = wasiSuccess }

func wasiYield(_ context.Context, _ api.Module, stack []uint64) { stack[0] = wasiSuccess }

// wasiNoSizes answers args_sizes_get and environ_sizes_get: no strings, no bytes.
func wasiNoSizes(ctx context.Context, mod api.Module, stack []uint64) {
	count, size := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	stack[0] = wasiResult(writeUint32(ctx, mod, count, 0) && writeUint32(ctx, mod, size, 0))
}

// wasiClock answers every clock with the request time. At start-up there is none: it answers one nanosecond, not
// zero, because Go's runtime throws "nanotime returning zero".
func wasiClock(ctx context.Context, mod api.Module, stack []uint64) {
	at := max(stateOf(ctx).now*nanosecondsPerSecond, 1)
	stack[0] = wasiResult(stateOf(ctx).write(mod.Memory(), api.DecodeU32(stack[2]), binary.LittleEndian.AppendUint64(nil, at)))
}

// wasiWrite appends what a guest prints to its log. It succeeds even when the log is full: a guest must not be able
// to find out how much of its log was kept.
func wasiWrite(ctx context.Context, mod api.Module, stack []uint64) {
	file, vectors := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	count, writtenAt := api.DecodeU32(stack[2]), api.DecodeU32(stack[3])
	if file != 1 && file != 2 {
		stack[0] = wasiBadFile
		return
	}
	if count > wasiBuffersMax {
		stack[0] = wasiInvalid
		return
	}
	memory, state := mod.Memory(), stateOf(ctx)
	state.charge(uint64(count) * hostBufferFuel)
	list, ok := memory.Read(vectors, count*8)
	if !ok {
		stack[0] = wasiFault
		return
	}
	written := uint64(0)
	for ; len(list) > 0; list = list[8:] {
		text, ok := memory.Read(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:]))
		if !ok {
			stack[0] = wasiFault
			return
		}
		state.charge(uint64(len(text)) / logBytesPerFuel)
		state.log.add(LevelOutput, text)
		written += uint64(len(text))
	}
	// Overlapping buffers can claim more than 32 bits; the low half is as good an answer as any.
	stack[0] = wasiResult(writeUint32(ctx, mod, writtenAt, uint32(written))) // #nosec G115 -- see above
}

// wasiPoll answers every wait at once: clocks have gone off, files are not there. Go's runtime throws if it fails.
func wasiPoll(ctx context.Context, mod api.Module, stack []uint64) {
	in, out := api.DecodeU32(stack[0]), api.DecodeU32(stack[1])
	count, countAt := api.DecodeU32(stack[2]), api.DecodeU32(stack[3])
	if count == 0 || count > wasiSubscriptionsMax {
		stack[0] = wasiInvalid
		return
	}
	stateOf(ctx).charge(uint64(count) * hostBufferFuel)
	memory := mod.Memory()
	subscriptions, ok := memory.Read(in, count*wasiSubscriptionBytes)
	if !ok {
		stack[0] = wasiFault
		return
	}
	events := make([]byte, 0, count*wasiEventBytes)
	for ; len(subscriptions) > 0; subscriptions = subscriptions[wasiSubscriptionBytes:] {
		var event [wasiEventBytes]byte
		copy(event[:8], subscriptions[:8]) // user data
		event[10] = subscriptions[8]       // event type
		if subscriptions[8] != wasiEventClock {
			event[8] = wasiBadFile
		}
		events = append(events, event[:]...)
	}
	stack[0] = wasiResult(stateOf(ctx).write(memory, out, events) && writeUint32(ctx, mod, countAt, count))
}

// wasiExit ends the guest whatever the exit code: a guest has nothing to exit from.
func wasiExit(_ context.Context, _ api.Module, stack []uint64) {
	panic(&hostFault{code: CodeTrap, message: fmt.Sprintf("the guest exited with code %d", api.DecodeU32(stack[0]))})
}

func wasiRandom(ctx context.Context, mod api.Module, stack []uint64) {
	length := api.DecodeU32(stack[1])
	if length > wasiRandomBytesMax {
		stack[0] = wasiInvalid
		return
	}
	stateOf(ctx).charge(uint64(length) * randomByteFuel)
	buffer, ok := stateOf(ctx).writable(mod.Memory(), api.DecodeU32(stack[0]), length)
	if ok {
		stateOf(ctx).random.fill(buffer)
	}
	stack[0] = wasiResult(ok)
}

func writeUint32(ctx context.Context, mod api.Module, pointer, value uint32) bool {
	return stateOf(ctx).write(mod.Memory(), pointer, binary.LittleEndian.AppendUint32(nil, value))
}

func wasiResult(ok bool) uint64 {
	if ok {
		return wasiSuccess
	}
	return wasiFault
}
