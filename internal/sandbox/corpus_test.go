package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// bombs are the requests of testdata/bombs.wat. Each works for ever.
var bombs = []struct{ request, name, code string }{
	{"a", "empty loop", CodeFuelExhausted},
	{"b", "indirect recursion", CodeTrap},
	{"c", "mutual recursion", CodeTrap},
	{"d", "recursion with large frames", CodeTrap},
	{"e", "divisions", CodeFuelExhausted},
	{"f", "square roots", CodeFuelExhausted},
	{"g", "a global", CodeFuelExhausted},
	{"h", "loads and stores all over memory", CodeFuelExhausted},
	{"i", "calls", CodeFuelExhausted},
	{"j", "fills of 15 MiB", CodeFuelExhausted},
	{"k", "overlapping copies of 7 MiB", CodeFuelExhausted},
	{"l", "fills of one byte", CodeFuelExhausted},
	{"m", "initialising 64 bytes", CodeFuelExhausted},
	{"n", "growing by nothing", CodeFuelExhausted},
	{"o", "growing in vain", CodeFuelExhausted},
	{"p", "filling a table", CodeFuelExhausted},
	{"q", "copying a table", CodeFuelExhausted},
	{"r", "initialising a table", CodeFuelExhausted},
	{"s", "growing a table", CodeFuelExhausted},
	{"t", "storing references", CodeFuelExhausted},
	{"u", "random bytes", CodeFuelExhausted},
	{"v", "printing a gigabyte at once", CodeFuelExhausted},
	{"w", "waiting for 64 things", CodeFuelExhausted},
	{"x", "host calls that do nothing", CodeFuelExhausted},
	{"y", "a branch table", CodeFuelExhausted},
	{"z", "conversions of floats", CodeFuelExhausted},
	{"A", "loads that wait for each other", CodeFuelExhausted},
}

// TestNoBombHoldsACoreLongerThanItsFuelAllows prints how long each bomb ran on a policy's whole fuel, and how long a
// garbage collection had to wait beside it.
func TestNoBombHoldsACoreLongerThanItsFuelAllows(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "bombs"), "")
	var worst, worstWait time.Duration
	for _, bomb := range bombs {
		stop := make(chan struct{})
		waited := make(chan time.Duration)
		go func() { waited <- longestCollection(stop) }()
		result, err := decide(c, bomb.request)
		close(stop)
		wait := <-waited
		wantCode(t, err, bomb.code)
		if bomb.code == CodeFuelExhausted && result.Fuel != abi.PolicyFuelMax {
			t.Errorf("%s: %d units of fuel, want all %d", bomb.name, result.Fuel, abi.PolicyFuelMax)
		}
		t.Logf("%-34s %-15s %11d fuel %9.1f ms %6.2f ns a unit; longest collection beside it %5.1f ms", bomb.name, bomb.code, result.Fuel,
			milliseconds(result.Elapsed), nanosecondsPerUnit(result), milliseconds(wait))
		worst, worstWait = max(worst, result.Elapsed), max(worstWait, wait)
	}
	t.Logf("worst stall: %.1f ms of a core; %.1f ms of a garbage collection", milliseconds(worst), milliseconds(worstWait))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 } //nolint:forbidigo // a figure for people

func nanosecondsPerUnit(r Result) float64 {
	return float64(r.Elapsed.Nanoseconds()) / float64(max(r.Fuel, 1))
}

// longestCollection collects garbage until stop is closed. A collection begins by stopping every goroutine, and a
// guest in native code stops when it next comes out of it.
func longestCollection(stop <-chan struct{}) time.Duration {
	longest := time.Duration(0)
	for {
		select {
		case <-stop:
			return longest
		default:
		}
		begin := time.Now()
		goruntime.GC()
		longest = max(longest, time.Since(begin))
	}
}

// TestAGuestRemembersNothing asks a guest that tries to keep count in every place it has. Each place is asked in turn
// with all others, so that what one leaves behind another would find.
func TestAGuestRemembersNothing(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{Calls: 1}), "forgetful"), "")
	first := map[rune]Result{}
	for round := range 20 {
		for _, place := range "megwfrtTilszdD" {
			got, err := decide(c, string(place))
			if err != nil {
				t.Fatalf("round %d, place %c: %v", round, place, err)
			}
			if round == 0 {
				first[place] = got
				continue
			}
			if !bytes.Equal(got.Bytes, first[place].Bytes) || got.Fuel != first[place].Fuel {
				t.Errorf("round %d, place %c: %x for %d fuel, at first %x for %d", round, place, got.Bytes, got.Fuel, first[place].Bytes, first[place].Fuel)
			}
		}
	}
}

func TestTheBitsOfNaNsAreTheSameEverywhere(t *testing.T) {
	var want []byte
	for _, engine := range []Engine{Compiler, Interpreter} {
		got, err := decide(configure(t, install(t, openHost(t, Config{Engine: engine}), "nan"), ""), "")
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < 64; at += 8 {
			if bits := binary.LittleEndian.Uint64(got.Bytes[at:]); bits != 0x7ff8000000000000 {
				t.Errorf("%s: NaN %d has the bits %#x", engine, at/8, bits)
			}
		}
		if want == nil {
			want = got.Bytes
		}
		if !bytes.Equal(got.Bytes, want) {
			t.Errorf("%s gives %x, the compiler %x", engine, got.Bytes, want)
		}
	}
}

// TestTheEnginesAgree runs the whole corpus on both: bytes, fuel and code must be the same.
func TestTheEnginesAgree(t *testing.T) {
	for guest, requests := range map[string][]string{
		"bombs": letters('a', 'z'), "hostile": letters('a', 'x'), "forgetful": letters('d', 'z'), "echo_policy": {"", "x", "pay"},
	} {
		type outcome struct {
			code, bytes string
			fuel        uint64
		}
		all := map[Engine][]outcome{}
		for _, engine := range []Engine{Compiler, Interpreter} {
			c := configure(t, install(t, openHost(t, Config{Engine: engine, Policy: Limits{Fuel: 1_000_000}}), guest), "")
			for _, request := range requests {
				result, err := decide(c, request)
				code := ""
				if err != nil {
					code = abi.CodeOf(err)
				}
				all[engine] = append(all[engine], outcome{code, string(result.Bytes), result.Fuel})
			}
		}
		for at, request := range requests {
			if compiled, interpreted := all[Compiler][at], all[Interpreter][at]; compiled != interpreted {
				t.Errorf("%s %q: compiled %+v, interpreted %+v", guest, request, compiled, interpreted)
			}
		}
	}
}

func letters(from, to rune) []string {
	var all []string
	for r := from; r <= to; r++ {
		all = append(all, string(r))
	}
	return all
}

// hostileCalls is how many calls the storm makes; it must leave nothing behind.
const hostileCalls = 10_000

// TestTenThousandHostileCallsLeaveNothingBehind runs them beside an honest plugin, whose latency it prints.
func TestTenThousandHostileCallsLeaveNothingBehind(t *testing.T) {
	calls := hostileCalls
	if testing.Short() {
		calls /= 20
	}
	h := openHost(t, Config{QueueWait: time.Minute})
	h.afterRestore = nil // other tests look at every byte
	honest := configure(t, install(t, h, "echo_policy"), "")
	quiet := honestLatencies(t, honest, func(n int) bool { return n < 2000 })
	grants := Grants{Limits: Limits{Fuel: 50_000}}
	var hostile []*Configured
	for _, name := range []string{"hostile", "bombs", "forgetful"} {
		p, err := h.Install(context.Background(), guest(t, name), abi.KindPolicy, grants)
		if err != nil {
			t.Fatal(err)
		}
		hostile = append(hostile, configure(t, p, ""))
	}
	storm := func(calls int) {
		for n := range calls {
			c := hostile[n%len(hostile)]
			_, _ = decide(c, string(rune('a'+n/len(hostile)%26))) //nolint:errcheck // any outcome will do, what stays behind is the question
		}
	}
	storm(300)
	goroutines, held := goruntime.NumGoroutine(), heldBytes()
	var over atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { storm(calls / 2) })
	}
	latencies := make(chan []time.Duration)
	go func() { latencies <- honestLatencies(t, honest, func(int) bool { return !over.Load() }) }()
	wg.Wait()
	over.Store(true)
	beside := <-latencies
	t.Logf("an honest plugin: alone %s; beside two hostile callers %s", quantiles(quiet), quantiles(beside))
	if after := goruntime.NumGoroutine(); after > goroutines {
		t.Errorf("%d goroutines, %d before", after, goroutines)
	}
	// One instance of bombs is 16 MiB: were one kept for each call, or for each letter, this would be far more.
	if after := heldBytes(); after > held+64<<20 {
		t.Errorf("%d MiB are held, %d before", after>>20, held>>20)
	}
}

func honestLatencies(t *testing.T, c *Configured, more func(int) bool) []time.Duration {
	var all []time.Duration
	for n := 0; more(n); n++ {
		begin := time.Now()
		got, err := decide(c, "pay 10")
		all = append(all, time.Since(begin))
		if err != nil || string(got.Bytes) != "\x01pay 10" {
			t.Errorf("an honest call: %q, %v", got.Bytes, err)
			return all
		}
	}
	return all
}

func quantiles(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("p50 %s, p99 %s of %d calls", all[len(all)/2], all[len(all)*99/100], len(all))
}

func heldBytes() uint64 {
	goruntime.GC()
	var memory goruntime.MemStats
	goruntime.ReadMemStats(&memory)
	return memory.HeapAlloc
}
