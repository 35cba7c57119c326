package judge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// atTheBar is a judge with a plugin that allows, denies or traps, and what it decided.
type atTheBar struct {
	*testing.T
	judge *Judge
}

// arraigned is a judge whose plugin allows under an even digit, denies under an odd one, and traps when told to.
func arraigned(t *testing.T, digit string) atTheBar {
	return atTheBar{t, everyAgent(t, openHost(t), version(t, 'a', ""), digit)}
}

// replayed makes a decision again and returns whether the bytes are the same, and what was not proven.
func (b atTheBar) replayed(recorded abi.Decision) (same bool, unproven []string, err error) {
	b.Helper()
	again, unproven, err := b.judge.Replay(b.Context(), &recorded)
	if err != nil {
		return false, nil, err
	}
	want, wantErr := recorded.Marshal()
	got, gotErr := again.Marshal()
	if wantErr != nil || gotErr != nil {
		b.Fatal(wantErr, gotErr)
	}
	return bytes.Equal(want, got), unproven, nil
}

func (b atTheBar) holds(what string, recorded abi.Decision, unproven ...string) {
	b.Helper()
	same, open, err := b.replayed(recorded)
	if !same || err != nil || !slices.Equal(open, unproven) {
		b.Errorf("%s: the same %v, unproven %q (want %q), %v", what, same, open, unproven, err)
	}
}

// fails wants a difference or an error.
func (b atTheBar) fails(what string, recorded abi.Decision) {
	b.Helper()
	if same, open, err := b.replayed(recorded); same && err == nil {
		b.Errorf("%s: replays, unproven %q", what, open)
	}
}

// copyOf is a decision that shares nothing with the original.
func copyOf(t testing.TB, decision abi.Decision) (next abi.Decision) {
	t.Helper()
	encoded, err := decision.Marshal()
	if err == nil {
		err = next.Unmarshal(encoded)
	}
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// versionsIn is the plugin's verdict.
func versionsIn(d *abi.Decision) *abi.Verdict {
	return &d.Verdicts[slices.IndexFunc(d.Verdicts, func(v abi.Verdict) bool { return v.Source == "versions" })]
}

func TestWhatAJudgeDecidesReplays(t *testing.T) {
	for _, digit := range []string{"2", "3"} {
		b := arraigned(t, digit)
		b.holds("asked under "+digit, asks(t, b.judge, "alice", false, testNow).Decision)
		b.holds("trapped under "+digit, asks(t, b.judge, "alice", true, testNow).Decision)
	}
}

// Whoever edits a log wants one of these to pass.
func TestAForgedDecisionDoesNotReplay(t *testing.T) {
	denies := arraigned(t, "3")
	denied := asks(t, denies.judge, "alice", false, testNow).Decision
	allows := arraigned(t, "2")
	allowed := asks(t, allows.judge, "alice", false, testNow).Decision
	if denied.Outcome != abi.Deny || allowed.Outcome != abi.Allow {
		t.Fatal(denied.Outcome, allowed.Outcome)
	}
	allowInstead := func(d *abi.Decision) {
		v := versionsIn(d)
		v.Outcome, d.Outcome = abi.Allow, abi.Allow
	}
	for name, forge := range map[string]func(*abi.Decision){
		"a deny made an allow":                       allowInstead,
		"a deny made an allow, by another meter":     func(d *abi.Decision) { allowInstead(d); versionsIn(d).Run.Meter = "purser-meter-0" },
		"a deny made an allow, with the allow's run": func(d *abi.Decision) { *versionsIn(d) = *versionsIn(&allowed); d.Outcome = abi.Allow },
		"a deny made an allow that nobody ran":       func(d *abi.Decision) { allowInstead(d); versionsIn(d).Run = nil },
		"a deny made an allow, without the plugin":   func(d *abi.Decision) { d.Verdicts, d.Outcome = d.Verdicts[:1], abi.Allow },
		"a deny made an allow, without a request":    func(d *abi.Decision) { allowInstead(d); d.Request = nil },
		"a deny without its run":                     func(d *abi.Decision) { versionsIn(d).Run = nil },
		"a deny without its request":                 func(d *abi.Decision) { d.Request = nil },
		"another reason":                             func(d *abi.Decision) { versionsIn(d).Reasons[0].Code = "b_3" },
		"another reason, by another meter": func(d *abi.Decision) {
			versionsIn(d).Run.Meter, versionsIn(d).Reasons[0].Code = "purser-meter-0", "b_3"
		},
		"another result, by another meter": func(d *abi.Decision) {
			versionsIn(d).Run.Meter, versionsIn(d).Run.ResultSHA256[0] = "purser-meter-0", 0
		},
		"a unit of fuel":                            func(d *abi.Decision) { versionsIn(d).Run.Fuel++ },
		"another module":                            func(d *abi.Decision) { versionsIn(d).Run.ModuleSHA256[0]++ },
		"other grants, by another meter":            func(d *abi.Decision) { versionsIn(d).Run.Meter, versionsIn(d).Run.GrantsSHA256 = "purser-meter-0", nil },
		"another policy":                            func(d *abi.Decision) { d.PolicySHA256[0]++ },
		"a denial that no policy names the agent":   func(d *abi.Decision) { *d = denied; d.Request = nil; d.Verdicts = noPolicy("alice") },
		"a deadline after which the plugin had run": func(d *abi.Decision) { hostSays(versionsIn(d), abi.ReasonDeadline); versionsIn(d).Run.Fuel = 7 },
		"a deadline of another module": func(d *abi.Decision) {
			hostSays(versionsIn(d), abi.ReasonDeadline)
			versionsIn(d).Run.ModuleSHA256[0]++
		},
		"a deadline in other words":                  func(d *abi.Decision) { hostSays(versionsIn(d), abi.ReasonDeadline); versionsIn(d).Reasons[0].Text = "" },
		"a quarantine after a deadline":              func(d *abi.Decision) { quarantine(versionsIn(d), abi.ReasonDeadline) },
		"a quarantine in other words":                func(d *abi.Decision) { quarantine(versionsIn(d), abi.ReasonTrap); versionsIn(d).Reasons[0].Text = "" },
		"a host's verdict of a kind that it has not": func(d *abi.Decision) { versionsIn(d).Run = nil; versionsIn(d).Reasons[0].Code = "plugin_missing" },
		"an allow in quarantine":                     func(d *abi.Decision) { quarantine(versionsIn(d), abi.ReasonTrap); allowInstead(d) },
		"an allow after a deadline":                  func(d *abi.Decision) { hostSays(versionsIn(d), abi.ReasonDeadline); allowInstead(d) },
	} {
		forged := copyOf(t, denied)
		forge(&forged)
		denies.fails(name, forged)
	}
}

func noPolicy(agent string) []abi.Verdict {
	return []abi.Verdict{{Source: "rules", Outcome: abi.Deny, Reasons: []abi.Reason{{Code: abi.ReasonNoPolicy, Rule: "agents", Observed: agent, Text: "no policy names this agent"}}}}
}

// hostSays is the verdict that a call without a turn leaves.
func hostSays(v *abi.Verdict, code string) {
	v.Outcome, v.Obligations, v.Run.Fuel, v.Run.ResultSHA256 = abi.Deny, nil, 0, nil
	v.Reasons = []abi.Reason{{Code: code, Rule: v.Source, Text: "the plugin gave no verdict, which denies"}}
}

func quarantine(v *abi.Verdict, after string) {
	*v = deniedUnasked(v.Source, abi.ReasonPluginQuarantined, after, "the plugin failed repeatedly and is not called until an operator clears it")
}

// patient is a ledger that answers those whose time is over.
type patient struct{ store.Store }

func (p patient) Facts(_ context.Context, query store.FactQuery) (store.Facts, error) {
	return p.Store.Facts(context.Background(), query)
}

// These are real: the host decided, and the same bytes come out, but nobody can prove that it had to.
func TestWhatTheHostDecidedIsTakenAndSaidToBe(t *testing.T) {
	b := arraigned(t, "2")
	for n := range quarantineFaults {
		b.holds("a fault", asks(t, b.judge, "mallory", true, testNow.Add(time.Duration(n)*time.Second)).Decision)
	}
	inQuarantine := asks(t, b.judge, "mallory", false, testNow.Add(time.Minute))
	wantCode(t, inQuarantine, abi.Deny, abi.ReasonPluginQuarantined, false)
	b.holds("in quarantine", inQuarantine.Decision, UnprovenQuarantine)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	late, err := b.judge.Rule(over, patient{openLedger(t)}, caseOf(1))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, late, abi.Deny, abi.ReasonDeadline, true)
	b.holds("too late", late.Decision, UnprovenHost)

	other := mustOpen(t, openHost(t), versioned(t, version(t, 'a', ""), "2"))
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	closed := rule(t, other, openLedger(t), caseOf(1))
	wantCode(t, closed, abi.Deny, "closed", true)
	fresh := atTheBar{t, mustOpen(t, openHost(t), versioned(t, version(t, 'a', ""), "2"))}
	fresh.holds("closed", closed.Decision, UnprovenHost)
}

func TestADenialWithoutARequestReplays(t *testing.T) {
	b := atTheBar{t, mustOpen(t, openHost(t), versioned(t, version(t, 'a', ""), "2"))}
	stranger := asks(t, b.judge, "mallory", false, testNow)
	if len(stranger.Decision.Request) != 0 {
		t.Fatalf("%+v", stranger.Decision)
	}
	b.holds("no policy", stranger.Decision)
	unwritable := b.judge.denied(Case{Side: Runtime}, abi.Reason{Code: "request_malformed", Rule: "request", Text: "the request cannot be encoded"})
	b.holds("no request", unwritable.Decision, UnprovenRequest)
	unwritable.Decision.Verdicts[0].Source = "versions"
	b.fails("the denial of another source", unwritable.Decision)
}

// The fuel of another version cannot be compared; the outcome, the reasons and the result's bytes can.
func TestAnotherMeterExcusesTheFuelAndNothingElse(t *testing.T) {
	b := arraigned(t, "2")
	recorded := asks(t, b.judge, "alice", false, testNow).Decision
	before := copyOf(t, recorded)
	run := versionsIn(&before).Run
	run.Meter, run.Fuel = "purser-meter-0", run.Fuel+1000
	b.holds("an allow by another meter", before, UnprovenFuel)

	ended := copyOf(t, recorded) // the other meter ended the call, this one does not
	ended.Outcome = abi.Deny
	hostSays(versionsIn(&ended), abi.ReasonFuelExhausted)
	versionsIn(&ended).Run.Meter, versionsIn(&ended).Run.Fuel = "purser-meter-0", 50_000_000
	b.holds("out of fuel by another meter", ended, UnprovenFuel)
	versionsIn(&ended).Run.Meter = versionsIn(&recorded).Run.Meter
	b.fails("out of fuel by this meter", ended)
}

func TestAPluginThatRunsOutOfFuelByThisMeterDoesNotProveAnAllow(t *testing.T) {
	module := buildHostile(t)
	loops := atTheBar{t, mustJudge(t, writePolicy(t, map[string][]byte{"versions": module},
		fmt.Sprintf("    plugins: [{use: versions.wasm, sha256: %x, config: {what: do-loop}}]\n", sha256.Sum256(module))))}
	recorded := rule(t, loops.judge, openLedger(t), caseOf(1)).Decision
	wantCode(t, Ruling{Decision: recorded}, abi.Deny, abi.ReasonFuelExhausted, true)
	loops.holds("a loop", recorded)
	forged := copyOf(t, recorded)
	v := versionsIn(&forged)
	v.Outcome, v.Reasons, forged.Outcome, v.Run.Meter, v.Run.ResultSHA256 = abi.Allow, nil, abi.Allow, "purser-meter-0", bytes.Repeat([]byte{1}, 32)
	if _, _, err := loops.replayed(forged); abi.CodeOf(err) != CodeOtherMeter {
		t.Errorf("an allow that only another meter gives: %v", err)
	}
}

// A replay that is stopped must not accuse the log.
func TestAReplayThatIsStoppedSaysSo(t *testing.T) {
	b := arraigned(t, "2")
	recorded := asks(t, b.judge, "alice", false, testNow).Decision
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.judge.Replay(over, &recorded); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
