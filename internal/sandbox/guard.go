package sandbox

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// callGuard runs at every guest function entry. wazero's own time-out looks only at loop heads, so a function that
// calls itself twice to a depth of sixty would hold its thread, and Go's garbage collector, for ever. It also bounds
// the depth of calls, because wazero lets a native stack grow to a hundred megabytes.
//
// It uses wazero's experimental listeners, which makes every guest call leave native code. Metering makes it obsolete.
type callGuard struct{}

var (
	_ experimental.FunctionListener        = callGuard{}
	_ experimental.FunctionListenerFactory = callGuard{}
)

func (g callGuard) NewFunctionListener(api.FunctionDefinition) experimental.FunctionListener {
	return g
}

func (callGuard) Before(ctx context.Context, mod api.Module, _ api.FunctionDefinition, _ []uint64, _ experimental.StackIterator) {
	if mod.IsClosed() {
		panic(sys.NewExitError(sys.ExitCodeDeadlineExceeded))
	}
	state := stateOf(ctx)
	if state.depth >= state.depthMax {
		panic(&hostFault{code: CodeTrap, message: fmt.Sprintf("more than %d nested calls", state.depthMax)})
	}
	state.depth++
}

func (callGuard) After(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64) {
	stateOf(ctx).depth--
}

// Abort has nothing to do: an instance that failed is never called again.
func (callGuard) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}

// callState is what the host functions and the guard know about the instance that calls them. One instance, one
// state, one goroutine.
type callState struct {
	// now is the request time in unix seconds, 0 during start-up.
	now             uint64
	random          *randomStream
	log             guestLog
	depth, depthMax uint32
}

type stateKey struct{}

// stateOf finds the state of the running instance. The context is the only thing wazero hands from a call to the
// host functions below it, which is why it is used this way here and nowhere else. Nothing calls a guest without it.
func stateOf(ctx context.Context) *callState {
	return ctx.Value(stateKey{}).(*callState)
}
