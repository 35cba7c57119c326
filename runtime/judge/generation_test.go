package judge

import (
	"fmt"
	"os"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

func TestAGenerationIsDrainedOnceWhenItsLastUserLeaves(t *testing.T) {
	var drained [3]int
	count := func(n int) func() { return func() { drained[n]++ } }
	current := NewCurrent("first", count(0))
	a, releaseA := current.Acquire()
	b, releaseB := current.Acquire()
	current.Swap("second", func(old string) {
		if old != "first" {
			t.Error(old)
		}
	}, count(1))
	releaseA()
	releaseA() // once more is nobody else's
	if a != "first" || b != "first" || drained != [3]int{} {
		t.Errorf("%s %s %v", a, b, drained)
	}
	releaseB()
	if drained != [3]int{1, 0, 0} {
		t.Errorf("after the last user: %v", drained)
	}
	current.Swap("third", nil, nil) // nobody uses the second
	if now, release := current.Acquire(); now != "third" || drained != [3]int{1, 1, 0} {
		t.Errorf("%s %v", now, drained)
	} else {
		release()
	}
}

const (
	swapsMin       = 200
	swappingAgents = 64
)

// Each version says in its verdict which it is. While 200 swaps go by, by module and by configuration, no decision may
// be lost, have parts of two, or be made by one that is not configured.
func TestTwoHundredSwapsWhileSixtyFourAgentsDecide(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	type versionOf struct{ path, says string }
	var versions []versionOf
	for _, letter := range []byte{'a', 'b'} {
		for _, digit := range []string{"2", "3", "4"} {
			path := versioned(t, version(t, letter, goodVectorsOf(letter)), digit)
			editFile(t, path, "agents: {shopper: {policy: test}}", `agents: {"*": {policy: test}}`)
			versions = append(versions, versionOf{path, fmt.Sprintf("%c_%s", letter, digit)})
		}
	}
	// Opened once to know what its decisions must say.
	says := map[string]string{} // by module, configuration and policy
	for _, v := range versions {
		j := mustOpen(t, host, v.path)
		says[fingerprintOf(t, rule(t, j, ledger, caseOf(1)).Decision)] = v.says
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(says) != len(versions) {
		t.Fatalf("%d fingerprints of %d versions", len(says), len(versions))
	}
	wantLoaded(t, host, 0, 0)
	goroutines := goruntime.NumGoroutine()
	var closed, decided, asked atomic.Int64
	closing := func(j *Judge) func() {
		return func() {
			closed.Add(1)
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	first := mustOpen(t, host, versions[0].path)
	current := NewCurrent(first, closing(first))
	stop := make(chan struct{})
	var agents sync.WaitGroup
	for n := range swappingAgents {
		agents.Go(func() {
			c := caseOf(1)
			c.Intent.Agent = fmt.Sprintf("agent-%d", n)
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				j, release := current.Acquire()
				ruling, err := j.Rule(t.Context(), ledger, c)
				hash := j.Bundle().Hash()
				release()
				if err != nil {
					t.Error(err)
					return
				}
				want := says[fingerprintOf(t, ruling.Decision)]
				got := verdictOf(t, ruling).Reasons[0].Code
				if want == "" || got != want || string(hash[:]) != string(ruling.Decision.PolicySHA256) || (ruling.Decision.Outcome == abi.Deny) != strings.HasSuffix(got, "3") {
					t.Errorf("a decision of two: it says %s, its hashes %q; %s %v", got, want, ruling.Decision.Outcome, codesOf(ruling.Decision))
					return
				}
				decided.Add(1)
			}
		})
	}
	seen := int64(0)
	for n := range swapsMin {
		next := mustOpen(t, host, versions[(n*5+1)%len(versions)].path)
		current.Swap(next, func(old *Judge) { next.Succeed(old) }, closing(next))
		for n%20 == 0 && decided.Load() == seen { // agents do decide meanwhile
			time.Sleep(time.Millisecond)
		}
		seen = decided.Load()
	}
	close(stop)
	agents.Wait()
	current.Swap(nil, nil, nil)
	if asked.Load() != decided.Load() || decided.Load() < swappingAgents {
		t.Errorf("%d asked, %d decided", asked.Load(), decided.Load())
	}
	if closed.Load() != swapsMin+1 {
		t.Errorf("%d generations were closed, want %d", closed.Load(), swapsMin+1)
	}
	wantLoaded(t, host, 0, 0)
	for deadline := time.Now().Add(10 * time.Second); goruntime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", goruntime.NumGoroutine(), goroutines)
		}
	}
	t.Logf("%d decisions over %d swaps", decided.Load(), swapsMin)
}

func goodVectorsOf(letter byte) string {
	return strings.ReplaceAll(goodVectors, `"a_`, fmt.Sprintf(`"%c_`, letter))
}

// fingerprintOf is what a decision's record says about who made it.
func fingerprintOf(t testing.TB, decision abi.Decision) string {
	for _, v := range decision.Verdicts {
		if v.Run != nil {
			return fmt.Sprintf("%x %x %x", v.Run.ModuleSHA256, v.Run.ConfigSHA256, decision.PolicySHA256)
		}
	}
	t.Errorf("no plugin decided: %v", codesOf(decision))
	return ""
}

func editFile(t testing.TB, path, old, next string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q (%v)", path, old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, next, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
