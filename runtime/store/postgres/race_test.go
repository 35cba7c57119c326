package postgres_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// childEnv makes the test binary one of several processes on one ledger; it holds "name|connection string".
const childEnv = "PURSER_TEST_POSTGRES_CHILD"

const (
	processes      = 3
	processCallers = 20
	decisionsEach  = 10
	raceLimit      = processes * processCallers * decisionsEach / 2
	childTimeMax   = 2 * time.Minute
)

// child makes its decisions and prints how many were allowed.
func child(target string) int {
	name, dsn, _ := strings.Cut(target, "|")
	ctx, cancel := context.WithTimeout(context.Background(), childTimeMax)
	defer cancel()
	ledger, err := postgres.Open(ctx, postgres.Config{DSN: dsn})
	if err != nil {
		fmt.Println("open:", err)
		return 1
	}
	var mu sync.Mutex
	var group sync.WaitGroup
	allowed, failed := 0, 0
	for c := range processCallers {
		group.Go(func() {
			for i := range decisionsEach {
				id := fmt.Sprintf("p-%s-%d-%d", name, c, i)
				err := storetest.Decision(ctx, ledger, "race", fmt.Sprint("a", c%5), id, raceLimit)
				mu.Lock()
				switch {
				case err == nil:
					allowed++
				case !storetest.NoRoom(err):
					failed++
					fmt.Println(id, err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	fmt.Println("allowed", allowed)
	if err := ledger.Close(); err != nil || failed > 0 {
		return 1
	}
	return 0
}

func TestThreeProcessesNeverOverspendOneBudget(t *testing.T) {
	dsn := pgtest.Start(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	outputs := make([]string, processes)
	var group sync.WaitGroup
	for i := range processes { // they also race for the migration: the schema is empty
		group.Go(func() {
			command := exec.CommandContext(t.Context(), self) // #nosec G204 -- this test binary
			command.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s", childEnv, i, dsn))
			out, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v: %s", i, err, out)
			}
			outputs[i] = string(out)
		})
	}
	group.Wait()
	total := 0
	for i, out := range outputs {
		var allowed int
		if _, err := fmt.Sscanf(out, "allowed %d", &allowed); err != nil {
			t.Fatalf("process %d said %q", i, out)
		}
		total += allowed
	}
	ledger := open(t, dsn)
	if level := storetest.LoadLevel(t, ledger, "race"); level != raceLimit || total != raceLimit {
		t.Errorf("%d were allowed and %d is reserved; the limit is %d", total, level, raceLimit)
	}
	storetest.CheckLedger(t, ledger, "race")
}

func TestSeveralHandlesRaceOnOneLedger(t *testing.T) {
	dsn := pgtest.Start(t)
	var handles [processes]store.Store
	var group sync.WaitGroup
	for i := range handles {
		group.Go(func() { handles[i] = open(t, dsn) })
	}
	group.Wait()
	for _, handle := range handles {
		if handle == nil || handle.ID() != handles[0].ID() {
			t.Fatal("the handles do not share one identity")
		}
	}
	storetest.Race(t, 20, handles[:]...)
}
