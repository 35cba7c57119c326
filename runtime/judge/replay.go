package judge

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// Codes of Replay's errors.
const (
	// CodeNotReplayable: the recorded decision cannot be made again by this judge.
	CodeNotReplayable = "not_replayable"
	// CodeOtherMeter: the plugin runs out of fuel as this version of the meter counts, and did not as another one did.
	CodeOtherMeter = "other_meter"
)

// What of a recorded decision a replay can only believe. Each of the first three denies.
const (
	// UnprovenQuarantine: the plugin was not asked, because the host had it in quarantine.
	UnprovenQuarantine = "a plugin was in quarantine"
	// UnprovenHost: the host was too busy to ask the plugin, or was closing.
	UnprovenHost = "the host could not ask a plugin"
	// UnprovenRequest: the request could not be written, or no budget can count the payment.
	UnprovenRequest = "denied without a request"
	// UnprovenFuel: another version of the meter counted the fuel. Everything else is compared.
	UnprovenFuel = "fuel counted by another version of the meter"
)

// hostCodes are the failures of a call that its bytes do not explain: the host was busy, shut down, or out of memory.
var hostCodes = []string{abi.ReasonDeadline, sandbox.CodeClosed, sandbox.CodeHostMemory}

// Replay makes a recorded decision again, from the request it was made from, and returns it for comparison. unproven
// says what had to be taken as it was recorded: where the host denied in a plugin's place, and fuel that another version
// of the meter counted. Even there the record must be what this judge would have written for that reason; an allow is
// never taken. Errors have the codes not_replayable, other_meter and deadline, or are the context's.
func (j *Judge) Replay(ctx context.Context, recorded *abi.Decision) (again *abi.Decision, unproven []string, err error) {
	hash := j.bundle.Hash()
	if !bytes.Equal(hash[:], recorded.PolicySHA256) {
		return nil, nil, notReplayable("it was made under the policy bundle %x, this judge applies %x", recorded.PolicySHA256, hash)
	}
	if len(recorded.Request) == 0 {
		return j.replayUnasked(ctx, recorded)
	}
	var request abi.DecideRequest
	if err := request.Unmarshal(recorded.Request); err != nil || request.Intent == nil {
		return nil, nil, notReplayable("its request cannot be read: %v", err)
	}
	policy, ok := j.bundle.For(request.Intent.Agent)
	if !ok {
		return nil, nil, notReplayable("no policy of the bundle names the agent %.80q", request.Intent.Agent)
	}
	retrial := retrial{policy: policy.Name(), recorded: recorded, request: &request}
	made := j.decide(policy, &request, recorded.Request, func(name string, guest *guest) abi.Verdict { return retrial.verdict(ctx, name, guest) })
	made.Side = recorded.Side
	if ctx.Err() != nil { // what was just decided may be its work
		return nil, nil, fmt.Errorf("replay: %w", context.Cause(ctx))
	}
	if retrial.err != nil {
		return nil, nil, retrial.err
	}
	slices.Sort(retrial.unproven)
	return &made, slices.Compact(retrial.unproven), nil
}

// replayUnasked makes a decision again for which no request was written. All of them deny.
func (j *Judge) replayUnasked(ctx context.Context, recorded *abi.Decision) (*abi.Decision, []string, error) {
	if recorded.Outcome != abi.Deny || len(recorded.Verdicts) != 1 || len(recorded.Verdicts[0].Reasons) != 1 {
		return nil, nil, notReplayable("it was made from no request, and is not the denial that this gives")
	}
	reason := recorded.Verdicts[0].Reasons[0]
	if reason.Code != abi.ReasonNoPolicy {
		if reason.Code != rules.ReasonRequestMalformed && !slices.Contains(hostRules, reason.Rule) {
			return nil, nil, notReplayable("it was made from no request, which %.80q does not explain", reason.Code)
		}
		made := j.denied(Case{Side: recorded.Side}, reason).Decision
		return &made, []string{UnprovenRequest}, nil
	}
	if _, named := j.bundle.For(reason.Observed); named {
		return nil, nil, notReplayable("it says that no policy names the agent %.80q, and the bundle does", reason.Observed)
	}
	// With no policy the ledger is not asked.
	ruling, err := j.Rule(ctx, nil, Case{Intent: abi.Intent{Agent: reason.Observed}, Side: recorded.Side})
	return &ruling.Decision, nil, err
}

// hostRules name what a host denies by before it asks any policy: budgets that cannot count the payment, operators'
// orders, the other side's ledger, the clock. A replay cannot know them again and takes the record's word for a denial.
var hostRules = []string{"budgets", "orders", "ledgers", "clock"}

// retrial is one decision that is made again.
type retrial struct {
	policy   string
	recorded *abi.Decision
	request  *abi.DecideRequest
	unproven []string
	err      error
}

// verdict asks a plugin again, unless the record says that the host denied in its place.
func (r *retrial) verdict(ctx context.Context, name string, guest *guest) abi.Verdict {
	was := r.verdictBefore(name)
	switch {
	case was != nil && was.Run == nil && was.Outcome == abi.Deny && codeOf(was) == abi.ReasonPluginQuarantined:
		r.unproven = append(r.unproven, UnprovenQuarantine)
		return r.quarantined(ctx, name, guest, was)
	case was != nil && hostFailed(was):
		r.unproven = append(r.unproven, UnprovenHost)
		return r.unasked(ctx, name, guest, was)
	}
	verdict, _ := ask(ctx, name, guest.plugin, r.request, r.recorded.Request)
	if hostFailed(&verdict) {
		r.err = &abi.Error{Code: abi.ReasonDeadline, Where: name, Message: "this machine is too busy to ask the plugin again", Retry: abi.RetryLater, Fix: "replay again"}
	}
	if was == nil || was.Run == nil || was.Run.Meter == verdict.Run.Meter {
		return verdict
	}
	r.unproven = append(r.unproven, UnprovenFuel)
	switch {
	case ranOut(was): // where another meter ends a call, this one may not
		verdict = r.unasked(ctx, name, guest, was)
	case ranOut(&verdict):
		r.err = &abi.Error{
			Code: CodeOtherMeter, Where: name, Message: fmt.Sprintf("the fuel was counted by %.80q; as %q counts, the plugin runs out of it", was.Run.Meter, verdict.Run.Meter),
			Fix: "replay with the release that decided",
		}
	}
	verdict.Run.Meter, verdict.Run.Fuel = was.Run.Meter, was.Run.Fuel
	return verdict
}

// quarantined is what a plugin in quarantine for the recorded fault gives.
func (r *retrial) quarantined(ctx context.Context, name string, known *guest, was *abi.Verdict) abi.Verdict {
	after := was.Reasons[0].Observed
	if !slices.Contains(faultCodes, after) {
		r.err = notReplayable("%s was in quarantine for %.80q, which quarantines nothing", name, after)
	}
	faults := newFaults()
	faults.everybody = &Quarantine{Code: after}
	kept := &guest{plugin: known.plugin}
	kept.faults.Store(faults)
	verdict, _ := kept.guarded(ctx, r.policy, name, r.request, r.recorded.Request, time.Time{})
	return verdict
}

// unasked is the denial in the place of a result, under the recorded code. A call for which there was no turn used no
// fuel; one that closing cut short did.
func (r *retrial) unasked(ctx context.Context, name string, guest *guest, was *abi.Verdict) abi.Verdict {
	over, cancel := context.WithCancel(ctx)
	cancel()
	verdict, _ := ask(over, name, guest.plugin, r.request, r.recorded.Request)
	if !hostFailed(&verdict) {
		return verdict
	}
	verdict.Run.Meter, verdict.Reasons[0].Code = was.Run.Meter, codeOf(was)
	if codeOf(was) != abi.ReasonDeadline {
		verdict.Run.Fuel = was.Run.Fuel
	}
	return verdict
}

func (r *retrial) verdictBefore(source string) *abi.Verdict {
	at := slices.IndexFunc(r.recorded.Verdicts, func(v abi.Verdict) bool { return v.Source == source })
	if at < 0 {
		return nil
	}
	return &r.recorded.Verdicts[at]
}

// hostFailed reports whether the host, and not the plugin, is why there is no verdict. An allow never is.
func hostFailed(v *abi.Verdict) bool {
	return gaveNothing(v) && slices.Contains(hostCodes, codeOf(v))
}

func ranOut(v *abi.Verdict) bool { return gaveNothing(v) && codeOf(v) == abi.ReasonFuelExhausted }

// gaveNothing holds for the denial in the place of a result.
func gaveNothing(v *abi.Verdict) bool {
	return v.Outcome == abi.Deny && v.Run != nil && len(v.Run.ResultSHA256) == 0
}

// codeOf is the code of the only reason, or nothing.
func codeOf(v *abi.Verdict) string {
	if len(v.Reasons) != 1 {
		return ""
	}
	return v.Reasons[0].Code
}

func notReplayable(format string, args ...any) error {
	return &abi.Error{Code: CodeNotReplayable, Message: "the decision cannot be made again: " + fmt.Sprintf(format, args...)}
}
