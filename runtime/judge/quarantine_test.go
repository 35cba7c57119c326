package judge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
)

// everyAgent gives every agent the policy of the tests.
func everyAgent(t testing.TB, host *Host, module []byte, config string) *Judge {
	t.Helper()
	path := versioned(t, module, config)
	editFile(t, path, "agents: {shopper: {policy: test}}", `agents: {"*": {policy: test}}`)
	return mustOpen(t, host, path)
}

// asks has an agent ask once; with trap the plugin is made to trap.
func asks(t testing.TB, j *Judge, agent string, trap bool, at time.Time) Ruling {
	t.Helper()
	c := caseOf(1)
	c.Intent.Agent, c.Now = agent, at
	c.Intent.Payment = PaymentID("default", agent, c.Intent.Key)
	if trap {
		c.Intent.Purpose = "trap"
	}
	return rule(t, j, openLedger(t), c)
}

func verdictOf(t testing.TB, ruling Ruling) abi.Verdict {
	t.Helper()
	i := slices.IndexFunc(ruling.Decision.Verdicts, func(v abi.Verdict) bool { return v.Source == "versions" })
	if i < 0 || len(ruling.Decision.Verdicts[i].Reasons) == 0 {
		t.Fatalf("no verdict of the plugin: %+v", ruling.Decision)
	}
	return ruling.Decision.Verdicts[i]
}

func wantCode(t testing.TB, ruling Ruling, outcome abi.Outcome, code string, called bool) {
	t.Helper()
	v := verdictOf(t, ruling)
	if ruling.Decision.Outcome != outcome || v.Reasons[0].Code != code || (v.Run != nil) != called {
		t.Errorf("%s %s, called %v; want %s %s, called %v", ruling.Decision.Outcome, v.Reasons[0].Code, v.Run != nil, outcome, code, called)
	}
}

func TestAnAgentWhoseRequestsKeepFailingIsQuarantinedAlone(t *testing.T) {
	j := everyAgent(t, openHost(t), version(t, 'a', ""), "2")
	for n := range quarantineFaults {
		ruling := asks(t, j, "mallory", true, testNow.Add(time.Duration(n)*time.Second))
		wantCode(t, ruling, abi.Deny, "trap", true)
		if began := len(ruling.Quarantined) == 1; began != (n == quarantineFaults-1) {
			t.Errorf("fault %d: began %+v", n, ruling.Quarantined)
		}
	}
	for _, trap := range []bool{true, false} { // whatever it asks now, and for ever
		for _, later := range []time.Duration{3 * time.Second, 90 * 24 * time.Hour} {
			ruling := asks(t, j, "mallory", trap, testNow.Add(later))
			wantCode(t, ruling, abi.Deny, abi.ReasonPluginQuarantined, false)
			if len(ruling.Reserve) != 0 || len(ruling.Quarantined) != 0 {
				t.Errorf("%+v", ruling)
			}
		}
	}
	wantCode(t, asks(t, j, "alice", false, testNow.Add(4*time.Second)), abi.Allow, "a_2", true)
	all := j.Quarantines()
	if len(all) != 1 || all[0].Agent != "mallory" || all[0].By != "mallory" || all[0].Code != "trap" || all[0].Policy != "test" ||
		all[0].Plugin != "versions" || len(all[0].Module) != 64 || !all[0].Since.Equal(testNow.Add(2*time.Second)) {
		t.Errorf("%+v", all)
	}
	j.ClearQuarantine("test", "versions", "mallory")
	wantCode(t, asks(t, j, "mallory", false, testNow.Add(5*time.Second)), abi.Allow, "a_2", true)
	wantCode(t, asks(t, j, "mallory", true, testNow.Add(5*time.Second)), abi.Deny, "trap", true)
	if all := j.Quarantines(); len(all) != 0 {
		t.Errorf("its old faults were not forgotten: %+v", all)
	}
}

func TestFaultsThatAreFarApartAreForgotten(t *testing.T) {
	j := everyAgent(t, openHost(t), version(t, 'a', ""), "2")
	for n := range 3 * quarantineFaults {
		ruling := asks(t, j, "mallory", true, testNow.Add(time.Duration(n)*quarantineWindow/2))
		wantCode(t, ruling, abi.Deny, "trap", true)
	}
	for n := range 2 * quarantineAgents {
		wantCode(t, asks(t, j, fmt.Sprintf("agent-%d", n), true, testNow.Add(time.Duration(n+20)*quarantineWindow)), abi.Deny, "trap", true)
	}
	if all := j.Quarantines(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestAPluginThatFailsForSeveralAgentsIsQuarantinedForEverybody(t *testing.T) {
	j := everyAgent(t, openHost(t), version(t, 'a', ""), "2")
	var last Ruling
	for n := range quarantineAgents {
		last = asks(t, j, fmt.Sprintf("agent-%d", n), true, testNow)
		wantCode(t, last, abi.Deny, "trap", true)
	}
	if len(last.Quarantined) != 1 || last.Quarantined[0].Agent != "" || last.Quarantined[0].By != "agent-2" {
		t.Errorf("%+v", last.Quarantined)
	}
	wantCode(t, asks(t, j, "alice", false, testNow), abi.Deny, abi.ReasonPluginQuarantined, false)
	j.ClearQuarantine("test", "versions", "alice") // who is not the one that is quarantined
	j.ClearQuarantine("test", "other", "")
	wantCode(t, asks(t, j, "alice", false, testNow), abi.Deny, abi.ReasonPluginQuarantined, false)
	j.ClearQuarantine("test", "versions", "")
	wantCode(t, asks(t, j, "alice", false, testNow), abi.Allow, "a_2", true)
}

func TestWhatTheHostDoesIsNoFaultOfThePlugin(t *testing.T) {
	host := openHost(t)
	j := everyAgent(t, host, version(t, 'a', ""), "2")
	policy, _ := j.bundle.For("shopper")
	c := caseOf(1)
	var request abi.DecideRequest
	if err := request.Unmarshal(rule(t, j, openLedger(t), c).Decision.Request); err != nil {
		t.Fatal(err)
	}
	encoded, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	plugin := j.guests[guestKey{policy.Name(), "versions"}].plugin
	if verdict, fault := ask(ended, "versions", plugin, &request, encoded); fault != "" || verdict.Reasons[0].Code != abi.ReasonDeadline {
		t.Errorf("%q for %+v", fault, verdict.Reasons)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if verdict, fault := ask(t.Context(), "versions", plugin, &request, encoded); fault != "" || verdict.Reasons[0].Code != "closed" {
		t.Errorf("%q for %+v", fault, verdict.Reasons)
	}
}

func TestEveryOtherWayToFailCountsToo(t *testing.T) {
	host, ledger := openHost(t), openLedger(t)
	module := buildHostile(t)
	for _, does := range []string{"do-garbage", "do-fail", "do-huge", "do-outside"} {
		j := mustOpen(t, host, writePolicy(t, map[string][]byte{"hostile": module},
			fmt.Sprintf("    plugins: [{use: hostile.wasm, sha256: %x, config: {what: %s}}]\n", hashOf(module), does)))
		for range quarantineFaults {
			rule(t, j, ledger, caseOf(1))
		}
		if codes := codesOf(rule(t, j, ledger, caseOf(1)).Decision); !slices.Contains(codes, "hostile/"+abi.ReasonPluginQuarantined) {
			t.Errorf("%s: %v", does, codes)
		}
	}
}

// To forget one of too many would let it out: everybody is denied instead.
func TestTooManyQuarantinedAgentsAreEverybody(t *testing.T) {
	f, now := newFaults(), testNow
	agent := func(n int) string { return fmt.Sprintf("agent-%d", n) }
	for n := range faultyAgentsMax {
		for range quarantineFaults {
			f.add(Quarantine{}, agent(n), "trap", now)
		}
		if f.over(agent(n)) == nil || f.everybody != nil {
			t.Fatalf("agent %d: %+v, %+v", n, f.over(agent(n)), f.everybody)
		}
		now = now.Add(quarantineWindow)
	}
	if began := f.add(Quarantine{}, "one-more", "trap", now.Add(time.Hour)); began == nil || began.Agent != "" || began.By != "one-more" {
		t.Fatalf("%+v", began)
	}
	for _, who := range []string{agent(0), agent(faultyAgentsMax - 1), "one-more", "alice"} {
		if f.over(who) == nil {
			t.Errorf("%s is let through", who)
		}
	}
	if len(f.agents) > faultyAgentsMax {
		t.Errorf("%d agents are remembered", len(f.agents))
	}
}

func TestAgentsWhoseFaultsAreOldMakeRoom(t *testing.T) {
	f, now := newFaults(), testNow
	for n := range 3 * faultyAgentsMax {
		if f.add(Quarantine{}, fmt.Sprintf("agent-%d", n), "trap", now); f.everybody != nil || len(f.agents) > faultyAgentsMax {
			t.Fatalf("agent %d: %+v with %d remembered", n, f.everybody, len(f.agents))
		}
		now = now.Add(quarantineWindow)
	}
}

func TestAClockThatStepsBackLetsNobodyOut(t *testing.T) {
	f := newFaults()
	for n := range quarantineFaults {
		f.add(Quarantine{}, "mallory", "trap", testNow.Add(-time.Duration(n)*time.Hour))
	}
	if f.over("mallory") == nil {
		t.Error("faults under a clock that steps back count for nothing")
	}
}

func TestAQuarantineStaysWithItsModuleOverReloads(t *testing.T) {
	host := openHost(t)
	a, b := version(t, 'a', ""), version(t, 'b', "")
	first := everyAgent(t, host, a, "2")
	for range quarantineFaults {
		asks(t, first, "mallory", true, testNow)
	}
	configured := everyAgent(t, host, a, "4") // another configuration is the same plugin
	configured.Succeed(first)
	wantCode(t, asks(t, configured, "mallory", false, testNow), abi.Deny, abi.ReasonPluginQuarantined, false)
	configured.ClearQuarantine("test", "versions", "mallory")
	wantCode(t, asks(t, first, "mallory", false, testNow), abi.Allow, "a_2", true) // whoever still decides by the old one
	for range quarantineFaults {
		asks(t, configured, "mallory", true, testNow)
	}
	replaced := everyAgent(t, host, b, "4")
	replaced.Succeed(configured)
	wantCode(t, asks(t, replaced, "mallory", false, testNow), abi.Allow, "b_4", true)
	if all := replaced.Quarantines(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestAReplayKnowsNoQuarantine(t *testing.T) {
	j := everyAgent(t, openHost(t), version(t, 'a', ""), "2")
	recorded := asks(t, j, "mallory", false, testNow).Decision
	for range quarantineFaults {
		asks(t, j, "mallory", true, testNow)
	}
	var request abi.DecideRequest
	if err := request.Unmarshal(recorded.Request); err != nil {
		t.Fatal(err)
	}
	policy, _ := j.bundle.For("mallory")
	if again := j.Decide(t.Context(), policy, &request, recorded.Request); again.Outcome != abi.Allow {
		t.Errorf("the recorded allow replays as %s %v", again.Outcome, codesOf(again))
	}
	if len(j.Quarantines()) != 1 {
		t.Error("a replay counts")
	}
}

func TestCountingIsSafeForConcurrentUse(t *testing.T) {
	f := newFaults()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				agent := fmt.Sprintf("agent-%d", (n*i)%50)
				f.over(agent)
				f.add(Quarantine{}, agent, "trap", testNow.Add(time.Duration(i)*quarantineWindow))
				f.list()
				if i%50 == 0 {
					f.clear(strings.Repeat(agent, i%2))
				}
			}
		})
	}
	all.Wait()
}
