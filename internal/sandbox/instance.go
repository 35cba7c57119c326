package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// instance is one running copy of a module. It serves one call and is closed whatever came of it.
type instance struct {
	plugin *Plugin
	module api.Module
	state  *callState
}

// newState is the host's side of a new instance: no time, the stream's start, a whole log budget.
func (p *Plugin) newState(config []byte) *callState {
	return &callState{
		random:   newRandomStream(p.identity.Module, config),
		log:      guestLog{bytesLeft: p.limits.LogBytes, callsLeft: p.limits.LogCalls},
		depthMax: p.limits.CallDepth,
	}
}

// allowed returns the context a guest runs under: the caller's, cut at the allowance and at Host.Close, with the
// state its host functions look for.
func (p *Plugin) allowed(ctx context.Context, state *callState, allowance time.Duration) (context.Context, context.CancelFunc) {
	limited, cancel := context.WithTimeout(ctx, allowance)
	stop := context.AfterFunc(p.host.running, cancel)
	return context.WithValue(limited, stateKey{}, state), func() { stop(); cancel() }
}

// start makes an instance and runs _initialize. The caller closes the instance.
func (p *Plugin) start(ctx context.Context, allowed context.Context, state *callState) (*instance, error) {
	// No start functions: wazero would run _start. No name: instances of a module run side by side.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	var module api.Module
	err := protect("instantiate", func() (err error) {
		module, err = p.runtime.InstantiateModule(allowed, p.compiled, config)
		return err
	})
	if err != nil {
		return nil, p.classify(ctx, "instantiation", err)
	}
	i := &instance{plugin: p, module: module, state: state}
	if initialize := module.ExportedFunction(abi.ExportInitialize); initialize != nil {
		if _, err := initialize.Call(allowed); err != nil {
			return nil, alsoFailed(p.classify(ctx, abi.ExportInitialize, err), i.close())
		}
	}
	return i, nil
}

func (i *instance) close() error {
	// The guest's context may be over; closing must not depend on it.
	if err := i.module.Close(context.Background()); err != nil {
		return fmt.Errorf("close instance: %w", err)
	}
	return nil
}

// send hands message to export and returns a copy of what it points to.
func (i *instance) send(ctx, allowed context.Context, export string, message []byte) ([]byte, error) {
	pointer, err := i.place(ctx, allowed, message)
	if err != nil {
		return nil, err
	}
	results, err := i.module.ExportedFunction(export).Call(allowed, uint64(pointer), uint64(len(message)))
	if err != nil {
		return nil, i.plugin.classify(ctx, export, err)
	}
	return readResult(i.module.ExportedMemory(abi.ExportMemory), export, results[0], i.plugin.limits.OutputBytes)
}

// place asks the guest for room and writes message there. An empty message needs no room and has the pointer 0.
func (i *instance) place(ctx, allowed context.Context, message []byte) (uint32, error) {
	if len(message) == 0 {
		return 0, nil
	}
	results, err := i.module.ExportedFunction(abi.ExportAlloc).Call(allowed, uint64(len(message)))
	if err != nil {
		return 0, i.plugin.classify(ctx, abi.ExportAlloc, err)
	}
	pointer := api.DecodeU32(results[0])
	if pointer == 0 {
		return 0, fault(CodeBadResult, abi.ExportAlloc, "purser_alloc refused %d bytes", len(message))
	}
	if !i.module.ExportedMemory(abi.ExportMemory).Write(pointer, message) {
		return 0, fault(CodeBadResult, abi.ExportAlloc, "purser_alloc returned %#x for %d bytes, outside its memory", pointer, len(message))
	}
	return pointer, nil
}

// classify turns an error of wazero into one of ours. ctx is the caller's context, without the allowance: if it is
// over, the guest is not to blame.
func (p *Plugin) classify(ctx context.Context, where string, err error) error {
	var thrown *hostFault
	if errors.As(err, &thrown) {
		return &abi.Error{Code: thrown.code, Message: thrown.message, Where: where}
	}
	var exit *sys.ExitError
	if !errors.As(err, &exit) {
		return &abi.Error{Code: CodeTrap, Message: "the guest trapped", Where: where, Cause: err}
	}
	// Only the host closes an instance, so an exit is always an interruption: proc_exit is a hostFault.
	switch {
	case p.host.running.Err() != nil:
		return &abi.Error{Code: CodeClosed, Message: "the sandbox was closed during the call", Where: where}
	case ctx.Err() != nil:
		return &abi.Error{Code: CodeDeadline, Message: "the caller's time was over before the guest was done", Where: where, Retry: abi.RetryLater, Cause: context.Cause(ctx)}
	default:
		return &abi.Error{
			Code: CodeTimeLimit, Message: "the guest used up its time", Where: where,
			Fix: "simplify the plugin, or relieve the machine", Retry: abi.RetryLater,
		}
	}
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
