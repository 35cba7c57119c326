package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// instance is one running copy of a module. It serves one call at a time and is restored to an image after each;
// after a fault it is closed.
type instance struct {
	plugin *Plugin
	module api.Module
	memory api.Memory
	state  *callState
	// ctx carries state to the host functions.
	ctx context.Context
	// functions are looked up once: each handle has a native stack of its own.
	functions map[string]api.Function

	fuel, yield, stack, taint, dirty api.MutableGlobal
	// globals are all the guest's own mutable ones.
	globals []api.MutableGlobal
	// budget is what the fuel was when the guest was let run.
	budget uint64
	// words is the parameters and results of a call.
	words [2]uint64
}

// instantiate makes an instance without running anything of it. The caller closes the instance.
func (p *Plugin) instantiate() (*instance, error) {
	// No start functions: wazero would run _start. No name: instances of a module run side by side.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	state := &callState{random: newRandomStream(p.identity.Module)}
	state.begin(0, p.limits)
	i := &instance{plugin: p, state: state, ctx: withState(state), functions: map[string]api.Function{}}
	var memory *linear
	err := protect("instantiate", func() (err error) {
		withMemory := experimental.WithMemoryAllocator(i.ctx, experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
			memory = &linear{reserve(most)}
			return memory
		}))
		i.module, err = p.runtime.InstantiateModule(withMemory, p.compiled, config)
		return err
	})
	if err != nil {
		return nil, i.notMade(memory, err)
	}
	i.memory = i.module.ExportedMemory(abi.ExportMemory)
	if err := i.bind(); err != nil {
		return nil, alsoFailed(err, i.close())
	}
	return i, nil
}

// notMade frees what a failed instantiation leaves behind, which wazero frees with a module only, and there is none. A
// host without memory is not the guest's fault.
func (i *instance) notMade(memory *linear, err error) error {
	if memory != nil && memory.reserved == nil {
		return &abi.Error{Code: CodeHostMemory, Message: "the host has no memory for another instance", Where: "instantiation", Retry: abi.RetryLater, Cause: err}
	}
	if memory != nil {
		memory.Free()
	}
	return i.classify("instantiation", err)
}

// bind finds the globals that metering added.
func (i *instance) bind() error {
	names := append([]string{meter.FuelGlobal, meter.YieldGlobal, meter.StackGlobal, meter.TaintGlobal, meter.DirtyGlobal}, i.plugin.globals...)
	found := make([]api.MutableGlobal, len(names))
	for at, name := range names {
		global, ok := i.module.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			return fault(CodeInstallRefused, name, "the metered module lacks the global %s", name)
		}
		found[at] = global
	}
	i.state.fuel = found[0]
	i.fuel, i.yield, i.stack, i.taint, i.dirty, i.globals = found[0], found[1], found[2], found[3], found[4], found[5:]
	return nil
}

// allow gives the guest fuel and a whole stack.
func (i *instance) allow(fuel uint64) {
	i.budget = fuel
	i.fuel.Set(fuel)
	i.yield.Set(meter.YieldLevel(fuel))
	i.stack.Set(i.plugin.limits.StackSlots)
}

// used is the fuel used since allow. A run that is charged before it is begun can overdraw; what was allowed is then
// all that was used.
func (i *instance) used() uint64 {
	if i.exhausted() {
		return i.budget
	}
	return i.budget - min(i.budget, i.fuel.Get())
}

// exhausted reports whether the fuel is below zero.
func (i *instance) exhausted() bool { return i.fuel.Get() > math.MaxInt64 }

// tainted reports whether the guest changed something that an image does not hold.
func (i *instance) tainted() bool { return api.DecodeU32(i.taint.Get()) != 0 }

func (i *instance) close() error {
	if err := i.module.Close(context.Background()); err != nil {
		return fmt.Errorf("close instance: %w", err)
	}
	return nil
}

// call runs an export with the parameters in i.words and leaves its result there.
func (i *instance) call(export string) error {
	f := i.functions[export]
	if f == nil {
		if f = i.module.ExportedFunction(export); f == nil {
			return fault(CodeTrap, export, "the guest does not export %s", export)
		}
		i.functions[export] = f
	}
	if err := f.CallWithStack(i.ctx, i.words[:]); err != nil {
		return i.classify(export, err)
	}
	if i.exhausted() { // the last run of instructions was charged and no check came after it
		return i.classify(export, nil)
	}
	return nil
}

// send hands message to export and returns a copy of what it points to.
func (i *instance) send(export string, message []byte) ([]byte, error) {
	pointer, err := i.place(message)
	if err != nil {
		return nil, err
	}
	i.words = [2]uint64{uint64(pointer), uint64(len(message))}
	if err := i.call(export); err != nil {
		return nil, err
	}
	return readResult(i.memory, export, i.words[0], i.plugin.limits.OutputBytes)
}

// place asks the guest for room and writes message there. An empty message needs no room and has the pointer 0.
func (i *instance) place(message []byte) (uint32, error) {
	if len(message) == 0 {
		return 0, nil
	}
	i.words = [2]uint64{uint64(len(message))}
	if err := i.call(abi.ExportAlloc); err != nil {
		return 0, err
	}
	pointer := api.DecodeU32(i.words[0])
	if pointer == 0 {
		return 0, fault(CodeBadResult, abi.ExportAlloc, "purser_alloc refused %d bytes", len(message))
	}
	if !i.state.write(i.memory, pointer, message) {
		return 0, fault(CodeBadResult, abi.ExportAlloc, "purser_alloc returned %#x for %d bytes, outside its memory", pointer, len(message))
	}
	return pointer, nil
}

// classify turns an error of wazero into one of ours.
func (i *instance) classify(where string, err error) error {
	var thrown *hostFault
	if errors.As(err, &thrown) {
		return &abi.Error{Code: thrown.code, Message: thrown.message, Where: where}
	}
	var exit *sys.ExitError
	if errors.As(err, &exit) { // only the host closes an instance: proc_exit is a hostFault
		return &abi.Error{Code: CodeClosed, Message: "the instance was closed during the call", Where: where}
	}
	if i.fuel != nil && i.exhausted() {
		return &abi.Error{
			Code: CodeFuelExhausted, Message: fmt.Sprintf("the guest used up its %d units of fuel", i.budget), Where: where,
			Fix: "simplify the plugin, or grant it more fuel",
		}
	}
	if i.stack != nil && int32(api.DecodeU32(i.stack.Get())) < 0 { // #nosec G115 -- the same bits
		return &abi.Error{Code: CodeTrap, Message: fmt.Sprintf("the guest's calls nest deeper than %d stack slots", i.plugin.limits.StackSlots), Where: where}
	}
	return &abi.Error{Code: CodeTrap, Message: "the guest trapped", Where: where, Cause: withoutTrace(err)}
}

// protect keeps a panic inside wazero from ending the process. wazero recovers those of running guests itself, but
// not those of its decoder and compiler, which read hostile bytes.
func protect(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: wazero panicked: %v", what, r)
		}
	}()
	return f()
}
