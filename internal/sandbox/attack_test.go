package sandbox

import (
	"context"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

// answers is what a guest said to one request, and what it took.
type answers struct {
	Code, Bytes string
	Fuel        uint64
	Log         []LogLine
}

func ask(c *Configured, requests string) []answers {
	var all []answers
	for _, request := range requests {
		result, err := decide(c, string(request))
		one := answers{Bytes: string(result.Bytes), Fuel: result.Fuel, Log: result.Log}
		if err != nil {
			one.Code = abi.CodeOf(err)
		}
		all = append(all, one)
	}
	return all
}

// TestAWarmUpIsNoMemory asks a guest whose warm-up leaves traces everywhere. Whether its instance is used again ('?'
// behind '?'), or new because the one before trapped ('?' behind '!'), it must find the same traces, on both engines; a
// warm-up that fails must leave none.
func TestAWarmUpIsNoMemory(t *testing.T) {
	for config, traces := range map[string]byte{"": 2, "t": 0, "x": 0, "g": 0} {
		var compiled []answers
		for _, engine := range []Engine{Compiler, Interpreter} {
			c := configure(t, install(t, openHost(t, Config{Engine: engine, Calls: 1}), "attack_warm"), config)
			got := ask(c, "???!?!!??")
			first := got[0]
			if len(first.Bytes) != 36 || first.Bytes[0] != traces || first.Bytes[4] != traces || first.Bytes[20] != 1+traces || first.Bytes[32] != 0 {
				t.Errorf("%s, configuration %q: the first call finds %x, want %d traces", engine, config, first.Bytes, traces)
			}
			for at, one := range got {
				if one.Code == "" && !cmp.Equal(one, first) {
					t.Errorf("%s, configuration %q: call %d gives %x for %d, the first %x for %d", engine, config, at, one.Bytes, one.Fuel, first.Bytes, first.Fuel)
				}
			}
			if compiled == nil {
				compiled = got
			}
			if diff := cmp.Diff(compiled, got); diff != "" {
				t.Errorf("%s, configuration %q: not what the compiler gives: %s", engine, config, diff)
			}
		}
	}
}

// TestNoWriteHidesBehindAMark writes in every way that could make the meter leave out a mark it needs.
func TestNoWriteHidesBehindAMark(t *testing.T) {
	for _, engine := range []Engine{Compiler, Interpreter} {
		c := configure(t, install(t, openHost(t, Config{Engine: engine, Calls: 1}), "attack_marks"), "")
		for at, one := range ask(c, "aabbccddeeffgghhiiabcdefghi") {
			if one.Code != "" || one.Bytes != "\x00\x00\x00\x00" {
				t.Errorf("%s: call %d finds %x of an earlier one, code %q", engine, at, one.Bytes, one.Code)
			}
		}
	}
}

// TestThereIsNoWayAroundTheHostsAccount reaches the host's functions through a table and by exporting one of them.
func TestThereIsNoWayAroundTheHostsAccount(t *testing.T) {
	var compiled []answers
	for _, engine := range []Engine{Compiler, Interpreter} {
		c := configure(t, install(t, openHost(t, Config{Engine: engine}), "attack_indirect"), "")
		got := ask(c, "alpa")
		for at, code := range []string{"", CodeHostCallLimit, CodeTrap, ""} {
			if got[at].Code != code {
				t.Errorf("%s: call %d has the code %q, want %q", engine, at, got[at].Code, code)
			}
		}
		if diff := cmp.Diff([]LogLine{{Level: LevelInfo, Text: "a"}}, got[0].Log); diff != "" {
			t.Errorf("%s: %s", engine, diff)
		}
		// Two calls of the host and the bytes of one of them.
		if least := uint64(2*hostCallFuel + 16*randomByteFuel); got[0].Fuel < least {
			t.Errorf("%s: %d units of fuel, want at least the host's %d", engine, got[0].Fuel, least)
		}
		if compiled == nil {
			compiled = got
		}
		if diff := cmp.Diff(compiled, got); diff != "" {
			t.Errorf("%s: not what the compiler gives: %s", engine, diff)
		}
	}
}

// TestClosingUnderLoadFreesEverything closes configurations, modules and the host, in all orders, under the feet of callers.
// A view of freed memory, or native code freed under a guest, would end the process.
func TestClosingUnderLoadFreesEverything(t *testing.T) {
	wasm := guest(t, "forgetful")
	round := func(n int) {
		h, err := Open(Config{Calls: 4, QueueWait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.Install(context.Background(), wasm, abi.KindPolicy, Grants{})
		if err != nil {
			t.Fatal(err)
		}
		c := configure(t, p, "")
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				for call := range 40 {
					if _, err := decide(c, string("megwfrtTilszdD"[(worker+call)%14])); err != nil && abi.CodeOf(err) != CodeTrap && abi.CodeOf(err) != CodeClosed {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			for range 5 {
				if _, _, err := p.Configure(context.Background(), []byte("x")); err != nil && abi.CodeOf(err) != CodeClosed {
					t.Error(err)
				}
			}
		})
		closers := []func() error{c.Close, p.Close, h.Close}
		for at := range closers {
			wg.Go(func() {
				time.Sleep(time.Duration(n%3) * time.Millisecond)
				if err := closers[(at+n)%3](); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for n := range 3 {
		round(n)
	}
	goroutines, mapped := goruntime.NumGoroutine(), mappedMiB(t)
	for n := range 24 {
		round(n)
	}
	leftNothing(t, goroutines, mapped)
}

// TestATrapUnmapsItsInstance makes a new instance a thousand times.
func TestATrapUnmapsItsInstance(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "hostile"), "")
	_, err := decide(c, "e")
	wantCode(t, err, CodeTrap)
	goroutines, mapped := goruntime.NumGoroutine(), mappedMiB(t)
	for range 1000 {
		if _, err := decide(c, "e"); err == nil {
			t.Fatal("no trap")
		}
	}
	leftNothing(t, goroutines, mapped)
}

// leftNothingMiBMax allows for what Go maps for itself. One guest's memory is 16 MiB.
const leftNothingMiBMax = 256

// leftNothing allows for goroutines that are about to end.
func leftNothing(t *testing.T, goroutines, mapped int) {
	t.Helper()
	if after := goruntime.NumGoroutine(); after > goroutines+2 {
		t.Errorf("%d goroutines, %d before", after, goroutines)
	}
	if after := mappedMiB(t); after > mapped+leftNothingMiBMax {
		t.Errorf("%d MiB are mapped, %d before", after, mapped)
	}
}

// mappedMiB is the size of the process's address space, where the system tells; elsewhere it is 0. The number of mappings
// says nothing: the kernel joins those that touch.
func mappedMiB(t *testing.T) int {
	t.Helper()
	if goruntime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(status), "VmSize:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		t.Fatalf("no size in %q", status)
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// TestALieAboutAResultIsNeverRead hands readResult every corner of the 64 bits a guest may return.
func TestALieAboutAResultIsNeverRead(t *testing.T) {
	memory := flatMemory(strings.Repeat("m", 1<<16))
	edges := []uint64{0, 1, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1 << 31, 1<<32 - 1<<16, 1<<32 - 1}
	for _, pointer := range edges {
		for _, length := range edges {
			got, err := readResult(memory, "export", pointer<<32|length, 1<<16)
			inside := pointer+length <= 1<<16 && pointer|length != 0
			if (err == nil) != inside || uint64(len(got)) > 1<<16 {
				t.Errorf("%d bytes at %#x: %d bytes, %v", length, pointer, len(got), err)
			}
		}
	}
}
