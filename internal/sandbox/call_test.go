package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

func TestEveryCallOfAPolicySeesAFreshGuest(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "echo_policy"), "")
	var first Result
	for i := range 5 {
		got, err := decide(c, "pay 10")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("\x01pay 10", string(got.Bytes)); diff != "" {
			t.Fatalf("call %d: %s", i, diff)
		}
		if diff := cmp.Diff([]LogLine{{Level: LevelInfo, Text: "deciding"}}, got.Log); diff != "" {
			t.Errorf("log: %s", diff)
		}
		if i == 0 {
			first = got
			first.Bytes[0] = 'X' // the caller's own copy
		}
	}
	if string(first.Bytes) != "Xpay 10" {
		t.Errorf("a later call changed an earlier result: %q", first.Bytes)
	}
}

func TestConfigureReturnsTheGuestsBytes(t *testing.T) {
	p := install(t, openHost(t, Config{}), "echo_policy")
	config := []byte(`{"limit":5}`)
	c, answer, err := p.Configure(context.Background(), config)
	if err != nil || string(answer) != `{"limit":5}` {
		t.Fatalf("%q, %v", answer, err)
	}
	config[0] = 'X' // the plugin keeps its own copy
	if _, err := decide(c, "x"); err != nil {
		t.Error(err)
	}
}

func TestEveryFunctionOfAChainAdapterIsCalledByItsName(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "echo_chain"), "{}")
	large := bytes.Repeat([]byte{'x'}, 200<<10)
	for i, call := range abi.KindChain.Calls()[1:] { // behind configure
		export := call.Export
		got, err := c.Call(context.Background(), Call{Export: export, Request: large})
		if err != nil {
			t.Fatalf("%s: %v", export, err)
		}
		if got.Bytes[0] != byte(i+1) || !bytes.Equal(got.Bytes[1:], large) {
			t.Errorf("%s answered as function %d with %d bytes", export, got.Bytes[0], len(got.Bytes))
		}
	}
}

func TestCallsOutsideTheContractNeverReachTheGuest(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "echo_policy"), "")
	for name, call := range map[string]Call{
		"another kind's call": {Export: "purser_chain_build"},
		"a base export":       {Export: "purser_configure"},
		"a time past 2262":    {Export: "purser_policy_decide", Now: callNowMax + 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Call(context.Background(), call)
			wantCode(t, err, CodeInputInvalid)
		})
	}
	_, err := decide(c, strings.Repeat("x", abi.PolicyInputBytesMax+1))
	wantCode(t, err, CodeInputTooLarge)
	_, _, err = c.plugin.Configure(context.Background(), make([]byte, abi.PolicyInputBytesMax+1))
	wantCode(t, err, CodeInputTooLarge)
	if _, err = decide(c, strings.Repeat("x", abi.PolicyInputBytesMax-1)); err != nil {
		t.Errorf("a request at the limit: %v", err)
	}
}

func TestAHostileCallFailsWithItsOwnCode(t *testing.T) {
	p := install(t, openHost(t, Config{}), "hostile")
	c := configure(t, p, "")
	cases := []struct{ name, request, code string }{
		{"endless loop", "a", CodeFuelExhausted},
		{"endless recursion", "b", CodeTrap},
		{"tree of calls without a loop", "c", CodeFuelExhausted},
		{"unreachable", "e", CodeTrap},
		{"pointer plus length wraps around", "f", CodeBadResult},
		{"one byte past the end", "g", CodeBadResult},
		{"failure", "h", CodeBadResult},
		{"one byte too many", "i", CodeOutputTooLarge},
		{"four gigabytes", "j", CodeOutputTooLarge},
		{"log storm", "k", CodeHostCallLimit},
		{"log outside memory", "m", CodeTrap},
		{"log with no level", "n", CodeTrap},
		{"exit with success", "o", CodeTrap},
		{"exit dressed as a time-out", "p", CodeTrap},
		{"memory filled for ever", "w", CodeFuelExhausted},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			result, err := decide(c, tc.request)
			wantCode(t, err, tc.code)
			if result.Bytes != nil {
				t.Errorf("a result came with the error: %q", result.Bytes)
			}
			// The next call is none the worse.
			if _, err := decide(c, "!"); err != nil {
				t.Errorf("the call after: %v", err)
			}
		})
	}
}

func TestAHostileCallThatReturnsIsContained(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "hostile"), "")
	cases := []struct {
		name, request string
		check         func(*testing.T, Result)
	}{
		{"memory stops at the cap", "d", func(t *testing.T, r Result) {
			if pages := binary.LittleEndian.Uint32(r.Bytes); pages != abi.PolicyMemoryPagesMax || r.MemoryPages != pages {
				t.Errorf("%d pages, host says %d", pages, r.MemoryPages)
			}
		}},
		{"a table without a maximum does not grow past ours", "q", func(t *testing.T, r Result) {
			if got := binary.LittleEndian.Uint32(r.Bytes); got != 0xffffffff {
				t.Errorf("table.grow returned %d", got)
			}
		}},
		{"a result may overlap the request", "r-same", func(t *testing.T, r Result) {
			if string(r.Bytes) != "R-same" {
				t.Errorf("%q", r.Bytes)
			}
		}},
		{"an empty result is empty, not nil", "x", func(t *testing.T, r Result) {
			if r.Bytes == nil || len(r.Bytes) != 0 {
				t.Errorf("%#v", r.Bytes)
			}
		}},
		{"a long log is cut with a mark", "l", func(t *testing.T, r Result) {
			if diff := cmp.Diff([]LogLine{{Level: LevelInfo, Text: logTruncatedMark}}, r.Log); diff != "" || !r.LogTruncated {
				t.Errorf("truncated %v: %s", r.LogTruncated, diff)
			}
		}},
		{"what a guest prints is cut too", "v", func(t *testing.T, r Result) {
			total := 0
			for _, line := range r.Log {
				total += len(line.Text)
			}
			// Each kept NUL became a replacement character of three bytes.
			if !r.LogTruncated || total > 3*abi.LogBytesMax+len(logTruncatedMark) {
				t.Errorf("%d bytes of log, truncated %v", total, r.LogTruncated)
			}
		}},
		{"a log cannot drive a terminal", "s", func(t *testing.T, r Result) {
			if diff := cmp.Diff([]LogLine{{Level: LevelError, Text: "\ufffd[2J\ufffd"}}, r.Log); diff != "" {
				t.Error(diff)
			}
		}},
		{"bad pointers get error numbers from WASI", "t", func(t *testing.T, r Result) {
			want := []byte{wasiFault, wasiInvalid, wasiBadFile, wasiFault, wasiInvalid, wasiFault, wasiInvalid, wasiFault}
			if diff := cmp.Diff(want, r.Bytes); diff != "" {
				t.Error(diff)
			}
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			result, err := decide(c, tc.request)
			if err != nil {
				t.Fatal(err)
			}
			tc.check(t, result)
		})
	}
}

func TestAGuestThatFailsBeforeItsCallIsNotConfigured(t *testing.T) {
	p := install(t, openHost(t, Config{}), "hostile")
	for config, cause := range map[string]string{"c": CodeTrap, "i": CodeFuelExhausted, "z": CodeBadResult} {
		c, answer, err := p.Configure(context.Background(), []byte(config))
		wantCode(t, err, CodeConfigureFailed)
		if c != nil || answer != nil || !errors.Is(err, &abi.Error{Code: cause}) {
			t.Errorf("configuration %q: %v does not contain %s", config, err, cause)
		}
	}
	for config, code := range map[string]string{"0": CodeBadResult, "h": CodeBadResult, "t": CodeTrap, "l": CodeFuelExhausted} {
		c := configure(t, p, config)
		_, err := decide(c, "!")
		wantCode(t, err, code)
	}
	if got, err := decide(configure(t, p, "o"), "r-odd"); err != nil || string(got.Bytes) != "R-odd" {
		t.Errorf("an odd pointer is a pointer: %q, %v", got.Bytes, err)
	}
}

func TestAGuestsClockAndRandomnessRepeat(t *testing.T) {
	h := openHost(t, Config{})
	run := func(p *Plugin, config string, now uint64) []byte {
		got, err := configure(t, p, config).Call(context.Background(), Call{Export: "purser_policy_decide", Request: []byte("u"), Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return got.Bytes
	}
	a, b := install(t, h, "hostile"), install(t, h, "hostile")
	one := run(a, "x", 1_700_000_000)
	if !bytes.Equal(one, run(b, "x", 1_700_000_000)) {
		t.Error("the same call differs between two installs")
	}
	if got := binary.LittleEndian.Uint64(one); got != 1_700_000_000*nanosecondsPerSecond {
		t.Errorf("the clock says %d", got)
	}
	if !bytes.Equal(one[16:], run(a, "y", 1_700_000_000)[16:]) {
		t.Error("the stream depends on the configuration")
	}
	if !bytes.Equal(one[16:], run(a, "x", 5)[16:]) {
		t.Error("the stream depends on the time")
	}
}

func TestTheCallersEndIsNotTheGuestsFault(t *testing.T) {
	c := configure(t, install(t, openHost(t, Config{}), "hostile"), "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := c.Call(ctx, Call{Export: "purser_policy_decide", Request: []byte("!")})
	wantCode(t, err, CodeDeadline)
	_, _, err = c.plugin.Configure(ctx, nil)
	wantCode(t, err, CodeDeadline)
	_, err = c.plugin.host.Install(ctx, guest(t, "hostile"), abi.KindPolicy, everything)
	wantCode(t, err, CodeDeadline)
}

func TestManyCallersShareOnePlugin(t *testing.T) {
	var mu sync.Mutex
	told := 0
	h := openHost(t, Config{QueueWait: time.Minute, Log: func(r LogRecord) {
		mu.Lock()
		defer mu.Unlock()
		if r.Plugin == "echo-policy" && r.Text == "deciding" {
			told++
		}
	}})
	c := configure(t, install(t, h, "echo_policy"), "shared")
	const callers, calls = 8, 10
	var wg sync.WaitGroup
	for who := range callers {
		wg.Go(func() {
			request := strings.Repeat(string(rune('a'+who)), 1000)
			for range calls {
				if got, err := decide(c, request); err != nil || string(got.Bytes) != "\x01"+request {
					t.Errorf("caller %d: %v", who, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if told != callers*calls {
		t.Errorf("the sink heard %d lines, want %d", told, callers*calls)
	}
}
