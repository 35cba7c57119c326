package meter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// engines are wazero's two, as the host configures them.
var engines = map[string]func() wazero.RuntimeConfig{
	"compiler":    wazero.NewRuntimeConfigCompiler,
	"interpreter": wazero.NewRuntimeConfigInterpreter,
}

const testPagesMax = 16

func newRuntime(t testing.TB, engine string) wazero.Runtime {
	t.Helper()
	ctx := context.Background()
	config := engines[engine]().WithCoreFeatures(api.CoreFeaturesV2 &^ api.CoreFeatureSIMD).WithMemoryLimitPages(max(testPagesMax, 256))
	r := wazero.NewRuntimeWithConfig(ctx, config)
	t.Cleanup(func() {
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if _, err := r.NewHostModuleBuilder("host").NewFunctionBuilder().WithFunc(func(uint32) {}).Export("log").Instantiate(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// outcome is everything that can be seen of a call.
type outcome struct {
	trap    string
	results []uint64
	memory  []byte
	globals []uint64
	// fuel, stack and taint are zero for a module that is not metered.
	fuel  int64
	stack int32
	taint uint32
}

func (o outcome) String() string {
	return fmt.Sprintf("trap %q results %x globals %x fuel %d stack %d taint %d", o.trap, o.results, o.globals, o.fuel, o.stack, o.taint)
}

// sameAs compares what the guest's author could see.
func (o outcome) sameAs(p outcome) bool {
	return o.trap == p.trap && fmt.Sprint(o.results, o.globals) == fmt.Sprint(p.results, p.globals) && bytes.Equal(o.memory, p.memory)
}

// limits are what a test gives a metered call.
type limits struct {
	fuel  uint64
	stack uint32
}

var plenty = limits{fuel: 1 << 40, stack: StackSlotsMax}

// instantiate opens a module. A nil module and an error mean that wazero refuses it.
func instantiate(t testing.TB, engine string, module []byte) (api.Module, error) {
	t.Helper()
	r := newRuntime(t, engine)
	return r.InstantiateWithConfig(context.Background(), module, wazero.NewModuleConfig().WithName("").WithStartFunctions())
}

func setLimits(t testing.TB, m api.Module, l limits) {
	t.Helper()
	set := func(name string, v uint64) {
		g, ok := m.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			t.Fatalf("no global %s", name)
		}
		g.Set(v)
	}
	set(FuelGlobal, l.fuel)
	set(YieldGlobal, YieldLevel(l.fuel))
	set(StackGlobal, uint64(l.stack))
}

// call runs one export and looks at everything. globals are the names to read.
func call(t testing.TB, m api.Module, metered bool, l limits, name string, globals []string, args ...uint64) outcome {
	t.Helper()
	if metered {
		setLimits(t, m, l)
	}
	f := m.ExportedFunction(name)
	if f == nil {
		t.Fatalf("no export %s", name)
	}
	var before []byte
	if metered {
		before = memoryOf(m)
		m.ExportedGlobal(DirtyGlobal).(api.MutableGlobal).Set(0)
	}
	results, err := f.Call(context.Background(), args...)
	o := outcome{results: results}
	if err != nil {
		o.trap, _, _ = strings.Cut(err.Error(), "\n")
		var fatal interface{ RuntimeError() }
		if errors.As(err, &fatal) {
			t.Errorf("a Go run time error: %v", err)
		}
	}
	o.memory = memoryOf(m)
	for _, name := range globals {
		o.globals = append(o.globals, m.ExportedGlobal(name).Get())
	}
	if metered {
		o.fuel = int64(m.ExportedGlobal(FuelGlobal).Get())
		o.stack = int32(uint32(m.ExportedGlobal(StackGlobal).Get()))
		o.taint = uint32(m.ExportedGlobal(TaintGlobal).Get())
		checkMarks(t, before, o.memory, m.ExportedGlobal(DirtyGlobal).Get())
	}
	return o
}

func memoryOf(m api.Module) []byte {
	all, _ := m.Memory().Read(0, m.Memory().Size())
	return bytes.Clone(all)
}

// checkMarks fails if memory changed where the marks do not say so.
func checkMarks(t testing.TB, before, after []byte, dirty uint64) {
	t.Helper()
	marked := func(address int) bool { return dirty>>(address>>dirtyChunkShift&(dirtyBits-1))&1 == 1 }
	for page := 0; page < len(before); page += DirtyMarginBytes {
		if bytes.Equal(before[page:page+DirtyMarginBytes], after[page:page+DirtyMarginBytes]) {
			continue
		}
		for at := page; at < page+DirtyMarginBytes; at++ {
			if before[at] != after[at] && at >= DirtyMarginBytes && !marked(at) && !marked(at-DirtyMarginBytes) && !marked(at+DirtyMarginBytes) {
				t.Errorf("the byte at %#x changed, the marks are %#x", at, dirty)
				return
			}
		}
	}
}

// runMetered rewrites a module and calls one export of it in a new instance.
func runMetered(t testing.TB, engine string, module []byte, l limits, name string, args ...uint64) outcome {
	t.Helper()
	rewritten, err := Rewrite(module)
	if err != nil {
		t.Fatal(err)
	}
	m, err := instantiate(t, engine, rewritten.Wasm)
	if err != nil {
		t.Fatalf("%s refuses the rewritten module: %v", engine, err)
	}
	return call(t, m, true, l, name, rewritten.Globals, args...)
}
