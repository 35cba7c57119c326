package meter

import (
	"context"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/internal/sandbox/wasm"
)

// endless is a guest that loops until its fuel is gone.
func endless() []byte {
	b := newBuilder()
	b.export("run", wasm.KindFunction, b.function(nil, nil, []byte{tI64},
		ops(wasm.OpLoop, wasm.TypeEmpty), index(wasm.OpLocalGet, 0), i64(1), ops(wasm.OpI64Add), index(wasm.OpLocalSet, 0), ops(wasm.OpBr, 0, wasm.OpEnd)))
	return b.build()
}

// TestTheCollectorNeedNotWaitForAGuest collects garbage beside a guest that never ends by itself. Without yielding the
// first collection takes as long as the guest; a hundred of them fit beside it when it lets them in.
func TestTheCollectorNeedNotWaitForAGuest(t *testing.T) {
	rewritten, err := Rewrite(endless())
	if err != nil {
		t.Fatal(err)
	}
	m, err := instantiate(t, "compiler", rewritten.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	const fuel = 2_000_000_000
	setLimits(t, m, limits{fuel, StackSlotsMax})
	var done atomic.Bool
	started := make(chan struct{})
	ended := make(chan error)
	go func() {
		close(started)
		_, err := m.ExportedFunction("run").Call(context.Background())
		done.Store(true)
		ended <- err
	}()
	<-started
	collections, longest, began := 0, time.Duration(0), time.Now()
	for !done.Load() {
		begin := time.Now()
		goruntime.GC()
		if done.Load() {
			break
		}
		longest = max(longest, time.Since(begin))
		collections++
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("the guest ended with %v", err)
	}
	if left := int64(m.ExportedGlobal(FuelGlobal).Get()); left >= 0 {
		t.Errorf("%d fuel is left", left)
	}
	t.Logf("%d collections beside %v of one guest, the longest %v", collections, time.Since(began), longest)
	if collections < 2 {
		t.Errorf("%d collections ended while the guest ran", collections)
	}
}
