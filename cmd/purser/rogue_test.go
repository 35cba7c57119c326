package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// attempt is one thing that a runtime in an attacker's hands does. It returns what the co-signer's log must say of it,
// nothing where the log is bounded by design.
type attempt struct {
	name string
	try  func(t *testing.T, r *rogue) []string
}

// restartMax is asserted; what a supervisor needs on an idle machine is printed.
const restartMax = 10 * time.Second

// TestARogueRuntimeGetsNoSignatureThatTheCoSignersPolicyDidNotAllow runs every attempt against one co-signer process,
// which must be the same process at the end.
func TestARogueRuntimeGetsNoSignatureThatTheCoSignersPolicyDidNotAllow(t *testing.T) {
	r := newRogue(t)
	honest := r.enrol(t, abi.Enrolment{Agent: "honest", Wallet: demoWalletID})
	_, promise := r.armed(t, honest, 10_000)
	r.pay(t, honest, promise) // the attacker's tools are complete: they make signatures where the policy allows one
	for _, a := range attempts() {
		t.Run(a.name, func(t *testing.T) {
			before := r.mark(t)
			want := a.try(t, r)
			r.mustBeLogged(t, before, want)
			r.mustStand(t)
		})
	}
	if len(r.signatures) < 5 {
		t.Errorf("the attacker was allowed %d signatures: the attempts did not get far", len(r.signatures))
	}
	r.restarts(t)
}

func attempts() []attempt {
	var all []attempt
	all = append(all, policyAttempts...)
	all = append(all, claimAttempts...)
	all = append(all, agentAttempts...)
	all = append(all, sessionAttempts...)
	all = append(all, corpusAttempts()...)
	return append(all, lastAttempts...) // these end signing
}

// restarts kills the co-signer, as a panic of the library would, and measures how long its supervisor leaves the runtime
// without an answer.
func (r *rogue) restarts(t *testing.T) {
	t.Helper()
	process, err := os.FindProcess(r.child)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	must(t, process.Signal(syscall.SIGKILL))
	for {
		if _, _, err = r.link.Skew(t.Context()); err == nil && childOf(t, r.cosigner) != r.child {
			break
		}
		if time.Since(began) > restartMax {
			t.Fatalf("no answer %s after the co-signer was killed: %v", restartMax, err)
		}
	}
	t.Logf("the supervisor brought the co-signer back in %s, with %s of processor time on a machine that may be busy",
		time.Since(began).Round(time.Millisecond), processorTime(t, childOf(t, r.cosigner)))
}

// processorTime is what a process has used so far, in the system's ticks of 10 ms.
func processorTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on
	ticks := 0
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
