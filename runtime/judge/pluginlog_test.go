package judge

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// heard collects what a host is told.
type heard struct {
	mu      sync.Mutex
	records []LogRecord
}

func (h *heard) hear(r LogRecord) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, r)
}

// The denial of a plugin that panics says "trap" and no more; the operator hears the panic.
func TestAPanicOfAPluginReachesTheOperatorAndNotTheDecision(t *testing.T) {
	module := buildHostile(t)
	digest := sha256.Sum256(module)
	ledger := openLedger(t)
	decided := func(does string, log func(LogRecord)) abi.Decision {
		host, err := OpenHost(HostConfig{CacheDir: filepath.Join(cacheFolder, "wasm"), QueueWait: time.Minute, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := host.Close(); err != nil {
				t.Error(err)
			}
		}()
		j, err := openJudge(t, host, writePolicy(t, map[string][]byte{"hostile": module},
			fmt.Sprintf("    plugins: [{use: hostile.wasm, sha256: %x, config: {what: %s}}]\n", digest, does)))
		if err != nil {
			t.Fatal(err)
		}
		return rule(t, j, ledger, caseOf(1)).Decision
	}
	for does, want := range map[string]LogRecord{
		"do-trap":    {Fault: "trap", Text: "unreachable; the guest's last words: panic: no"},
		"do-loop":    {Fault: "fuel_exhausted", Text: "fuel"},
		"do-garbage": {Fault: "bad_result", Text: "cannot be read"},
	} {
		var said heard
		decision := decided(does, said.hear)
		at := slices.IndexFunc(said.records, func(r LogRecord) bool { return r.Fault != "" })
		if at < 0 {
			t.Errorf("%s: no fault in %+v", does, said.records)
			continue
		}
		got := said.records[at]
		if got.Plugin != "hostile" || got.Module != digest || got.Level != slog.LevelWarn || got.Fault != want.Fault || !strings.Contains(got.Text, want.Text) {
			t.Errorf("%s: %+v", does, got)
		}
		if strings.Contains(got.Text, "\n") || strings.Contains(got.Text, "$") {
			t.Errorf("%s: the fault shows wazero's frames: %q", does, got.Text)
		}
		ordinary := slices.ContainsFunc(said.records[:at], func(r LogRecord) bool { return r.Level == slog.LevelInfo && r.Text == "panic: no" })
		if ordinary != (does == "do-trap") {
			t.Errorf("%s: %+v", does, said.records)
		}
		with, err := decision.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		silent := decided(does, nil)
		without, err := silent.Marshal()
		if err != nil || !bytes.Equal(with, without) {
			t.Errorf("%s: the log changed the decision: %v", does, err)
		}
	}
	var quiet heard
	if decision := decided("do-nothing", quiet.hear); decision.Outcome != abi.Allow || len(quiet.records) != 0 {
		t.Errorf("an honest call is %s and says %+v", decision.Outcome, quiet.records)
	}
}
