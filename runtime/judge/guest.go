package judge

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync/atomic"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// guest is a plugin as one policy uses it, with the count of what it did wrong.
type guest struct {
	plugin *Plugin
	// faults is shared with the judge before this one when it used the same module: a reload clears nobody.
	faults atomic.Pointer[faults]
}

func newGuest(plugin *Plugin) *guest {
	g := &guest{plugin: plugin}
	g.faults.Store(newFaults())
	return g
}

// faultCodes are the failures that are the guest's own doing, and count towards its quarantine. A deadline, a full
// queue or a closed host are the host's.
var faultCodes = []string{abi.ReasonTrap, abi.ReasonFuelExhausted, abi.ReasonBadResult, abi.ReasonOutputTooLarge, abi.ReasonHostCallLimit}

// ask calls one policy plugin. Every failure, of whatever kind, is a denial that says which. fault is its code when
// the plugin is to blame.
func ask(ctx context.Context, name string, plugin *Plugin, request *abi.DecideRequest, encoded []byte) (verdict abi.Verdict, fault string) {
	identity := plugin.guest.Identity()
	requestHash := sha256.Sum256(encoded)
	run := &abi.PluginRun{
		ModuleSHA256: identity.Module[:], ConfigSHA256: identity.Config[:], GrantsSHA256: identity.Grants[:],
		RequestSHA256: requestHash[:], ABIMinor: identity.ABIMinor, Meter: identity.Meter,
	}
	verdict = abi.Verdict{Source: name, Outcome: abi.Deny, Run: run}
	answer, err := plugin.guest.Call(ctx, sandbox.Call{Export: abi.ExportDecide, Request: encoded, Now: request.NowUnixS})
	run.Fuel = answer.Fuel // after an error too: a replay compares it
	if err != nil {
		plugin.host.tellFault(plugin.module, err, answer.Log)
		code := abi.CodeOf(err)
		verdict.Reasons = []abi.Reason{{Code: code, Rule: name, Text: "the plugin gave no verdict, which denies"}}
		if !slices.Contains(faultCodes, code) {
			return verdict, ""
		}
		return verdict, code
	}
	resultHash := sha256.Sum256(answer.Bytes)
	run.ResultSHA256 = resultHash[:]
	var result abi.DecideResult
	if err := result.Unmarshal(answer.Bytes); err != nil || len(result.Reasons) > reasonsMax {
		plugin.host.tellFault(plugin.module, &abi.Error{Code: abi.ReasonBadResult, Message: "the verdict cannot be read", Cause: err}, answer.Log)
		verdict.Reasons = []abi.Reason{{Code: abi.ReasonBadResult, Rule: name, Text: "the plugin's verdict cannot be read, which denies"}}
		return verdict, abi.ReasonBadResult
	}
	verdict.Outcome, verdict.Reasons, verdict.Obligations = result.Outcome, result.Reasons, result.Obligations
	if verdict.Outcome != abi.Allow && len(verdict.Reasons) == 0 { // an empty answer reads as this
		verdict.Reasons = []abi.Reason{{Code: "reason_missing", Rule: name, Text: "the plugin did not allow the payment and gave no reason"}}
	}
	return verdict, ""
}

// reasonsMax bounds the reasons of one verdict.
const reasonsMax = 16

// deniedUnasked is the verdict of the host in the place of a plugin that was not called. It has no run, so a replay takes
// it as it is.
func deniedUnasked(name, code, observed, text string) abi.Verdict {
	return abi.Verdict{Source: name, Outcome: abi.Deny, Reasons: []abi.Reason{{Code: code, Rule: name, Observed: observed, Text: text}}}
}
