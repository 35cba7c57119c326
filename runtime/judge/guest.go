package judge

import (
	"context"
	"crypto/sha256"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// meterTimeout is the PluginRun.Meter of guests that wazero's time-out bounds, until they are metered.
const meterTimeout = "wazero-timeout"

// ask calls one policy plugin. Every failure, of whatever kind, is a denial that says which.
func ask(ctx context.Context, name string, guest *sandbox.Configured, request *abi.DecideRequest, encoded []byte) abi.Verdict {
	if guest == nil {
		return abi.Verdict{Source: name, Outcome: abi.Deny, Reasons: []abi.Reason{{Code: "plugin_missing", Rule: name, Text: "the plugin is not loaded"}}}
	}
	identity := guest.Identity()
	requestHash := sha256.Sum256(encoded)
	run := &abi.PluginRun{
		ModuleSHA256: identity.Module[:], ConfigSHA256: identity.Config[:], GrantsSHA256: identity.Grants[:],
		RequestSHA256: requestHash[:], ABIMinor: identity.ABIMinor, Meter: meterTimeout,
	}
	verdict := abi.Verdict{Source: name, Outcome: abi.Deny, Run: run}
	answer, err := guest.Call(ctx, sandbox.Call{Export: abi.ExportDecide, Request: encoded, Now: request.NowUnixS})
	run.Fuel = answer.Fuel
	if err != nil {
		verdict.Reasons = []abi.Reason{{Code: abi.CodeOf(err), Rule: name, Text: "the plugin gave no verdict, which denies"}}
		return verdict
	}
	resultHash := sha256.Sum256(answer.Bytes)
	run.ResultSHA256 = resultHash[:]
	var result abi.DecideResult
	if err := result.Unmarshal(answer.Bytes); err != nil || len(result.Reasons) > reasonsMax {
		verdict.Reasons = []abi.Reason{{Code: "bad_result", Rule: name, Text: "the plugin's verdict cannot be read, which denies"}}
		return verdict
	}
	verdict.Outcome, verdict.Reasons, verdict.Obligations = result.Outcome, result.Reasons, result.Obligations
	if verdict.Outcome != abi.Allow && len(verdict.Reasons) == 0 { // an empty answer reads as this
		verdict.Reasons = []abi.Reason{{Code: "reason_missing", Rule: name, Text: "the plugin did not allow the payment and gave no reason"}}
	}
	return verdict
}

// reasonsMax bounds the reasons of one verdict.
const reasonsMax = 16
