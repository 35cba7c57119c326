package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// childEnv makes the test binary the process that is killed; it names the ledger and the run.
const childEnv = "PURSER_TEST_SQLITE_CHILD"

const (
	kills          = 4
	acksBeforeKill = 150
	childCallers   = 16
	childTimeMax   = 60 * time.Second
)

// child makes decisions until it is killed, and prints each one only after the ledger has answered.
func child(target string) int {
	path, run, _ := strings.Cut(target, "|")
	ctx, cancel := context.WithTimeout(context.Background(), childTimeMax)
	defer cancel()
	ledger, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range childCallers {
		group.Go(func() {
			for ctx.Err() == nil {
				id := fmt.Sprintf("p-%s-%d", run, next.Add(1))
				if err := storetest.Decision(ctx, ledger, "acme", "a"+id[len(id)-1:], id, 1<<50); err != nil {
					fmt.Fprintln(os.Stderr, id, err)
					return
				}
				fmt.Println(id)
			}
		})
	}
	group.Wait()
	return 1
}

func TestAfterKillNineEveryAnswerIsThereAndTheChainsVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	acknowledged := map[string]bool{}
	for run := range kills {
		for _, id := range killOne(t, path, run) {
			acknowledged[id] = true
		}
		ledger := open(t, path)
		storetest.CheckLedger(t, ledger, "acme")
		allowed := uint64(0)
		for _, row := range storetest.AllRows(t, ledger, "acme") {
			if row.State == "allowed" {
				allowed++
				delete(acknowledged, row.ID)
			}
		}
		if len(acknowledged) > 0 {
			t.Errorf("run %d: %d acknowledged decisions are gone", run, len(acknowledged))
		}
		if level := storetest.LoadLevel(t, ledger, "acme"); level != allowed {
			t.Errorf("run %d: %d rows are allowed, %d is reserved", run, allowed, level)
		}
		if err := ledger.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killOne starts a child, kills it in the middle of its work, and returns what it had acknowledged.
func killOne(t *testing.T, path string, run int) (acknowledged []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), self) // #nosec G204 -- this test binary
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%s|%d", childEnv, path, run))
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(output)
	killed := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is left without a newline was not acknowledged
		}
		acknowledged = append(acknowledged, strings.TrimSpace(line))
		if len(acknowledged) >= acksBeforeKill && !killed {
			killed = true
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := command.Wait(); err == nil || !killed {
		t.Fatalf("the child ended by itself after %d decisions: %v", len(acknowledged), err)
	}
	return acknowledged
}
