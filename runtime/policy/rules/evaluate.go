package rules

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/purserhq/purser/abi"
)

// SourceRules is the Source of the native rules' verdict.
const SourceRules = "rules"

// Reason codes of this package that abi does not list.
const (
	// ReasonRequestMalformed: the request lacks a part, or its parts contradict each other.
	ReasonRequestMalformed = "request_malformed"
	// ReasonPolicyMismatch: the request was made for another policy bundle.
	ReasonPolicyMismatch = "policy_mismatch"
	// ReasonAmountZero: there is nothing to pay.
	ReasonAmountZero = "amount_zero"
	// ReasonBudgetUnreadable: the level of a budget is missing from the facts.
	ReasonBudgetUnreadable = "budget_unreadable"
	// ReasonApproved: enough people approved what was held.
	ReasonApproved = "approved"
	// ReasonVerdictMissing: a policy that must be asked has given no verdict.
	ReasonVerdictMissing = "verdict_missing"
)

// clipBytesMax bounds what a reason repeats of a request or a policy.
const clipBytesMax = 200

// unixMax is the end of the year 9999; a later time is a broken clock.
const unixMax = 253_402_300_799

// finding is one rule's answer: a reason and how strict it is.
type finding struct {
	outcome abi.Outcome
	reason  abi.Reason
}

// evaluation is one run over one request.
type evaluation struct {
	*Policy
	request *abi.DecideRequest
	intent  *abi.Intent
	now     time.Time
	// token is the asset's, and known whether the bundle lists it.
	token    Token
	known    bool
	findings []finding
}

// rule looks at one thing and reports what is wrong with it. Rules never see each other's findings, so their order
// only orders the reasons.
type rule struct {
	name  string // the key in the file
	check func(*evaluation, string)
}

var everyRule = []rule{
	{"request", (*evaluation).checkConsistency},
	{"networks", (*evaluation).checkNetwork},
	{"assets", (*evaluation).checkAsset},
	{"max_transaction_usdc", (*evaluation).checkTransactionMax},
	{"budgets", (*evaluation).checkBudgets},
	{"amount_max", (*evaluation).checkAgentMax},
	{"allowed_recipients", (*evaluation).checkRecipient},
	{"merchants", (*evaluation).checkPin},
	{"evidence_min", (*evaluation).checkEvidence},
	{"active_hours", (*evaluation).checkHours},
	{"require_human_approval_above", (*evaluation).checkApprovalAbove},
}

// Evaluate asks every native rule and keeps every reason; the strictest wins, and a hold is cleared when enough
// valid approvals are in the request. It never fails: what it cannot read denies. It changes nothing and keeps
// nothing of the request.
func (p *Policy) Evaluate(request *abi.DecideRequest) abi.Verdict {
	e := &evaluation{Policy: p, request: request}
	verdict := abi.Verdict{Source: SourceRules, Outcome: abi.Deny}
	if fault := incomplete(request); fault != "" {
		verdict.Reasons = []abi.Reason{{Code: ReasonRequestMalformed, Rule: p.Name() + ".request", Text: fault}}
		return verdict
	}
	e.intent = request.Intent
	e.now = unix(request.NowUnixS)
	e.token, e.known = p.bundle.tokens[e.intent.Asset]
	for _, r := range everyRule {
		r.check(e, p.Name()+"."+r.name)
	}
	verdict.Outcome = abi.Allow
	for _, f := range e.findings {
		verdict.Outcome = min(verdict.Outcome, f.outcome)
		verdict.Reasons = append(verdict.Reasons, f.reason)
	}
	if verdict.Outcome == abi.Hold {
		outcome, reasons := p.clear(request, p.Quorum())
		verdict.Outcome = outcome
		verdict.Reasons = append(verdict.Reasons, reasons...)
	}
	if len(verdict.Reasons) == 0 {
		verdict.Reasons = []abi.Reason{{Code: abi.ReasonAllowed, Rule: p.Name(), Text: "every rule was satisfied"}}
	}
	verdict.Obligations = []abi.Obligation{{Kind: abi.ObligationValidityMaxS, Value: fmt.Sprint(p.spec.ValidityS)}}
	return verdict
}

func (e *evaluation) deny(reason abi.Reason) { e.add(abi.Deny, reason) }
func (e *evaluation) hold(reason abi.Reason) { e.add(abi.Hold, reason) }

func (e *evaluation) add(outcome abi.Outcome, reason abi.Reason) {
	reason.Observed, reason.Limit = clip(reason.Observed), clip(reason.Limit)
	e.findings = append(e.findings, finding{outcome, reason})
}

// clip keeps a reason readable and valid UTF-8, whatever a merchant or an agent wrote.
func clip(s string) string {
	if len(s) > clipBytesMax {
		s = s[:clipBytesMax] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

func unix(s uint64) time.Time { return time.Unix(int64(min(s, math.MaxInt64)), 0) }

// incomplete names what keeps a request from being evaluated at all.
func incomplete(r *abi.DecideRequest) string {
	switch {
	case r == nil || r.Intent == nil:
		return "the request has no intent"
	case r.Quote == nil:
		return "the request has no quote"
	case r.Agent == nil:
		return "the request has no agent"
	case r.Facts == nil:
		return "the request has no facts"
	case r.NowUnixS == 0 || r.NowUnixS > unixMax:
		return "the request has no time"
	}
	return ""
}

// checkConsistency denies a request whose parts do not speak of the same payment under this policy: every other
// rule looks at one of them only.
func (e *evaluation) checkConsistency(name string) {
	if string(e.request.PolicySHA256) != string(e.bundle.hash[:]) {
		e.deny(abi.Reason{
			Code: ReasonPolicyMismatch, Rule: name, Observed: fmt.Sprintf("%x", e.request.PolicySHA256),
			Limit: fmt.Sprintf("%x", e.bundle.hash), Text: "the request was made for another policy bundle",
		})
	}
	applies, ok := e.bundle.For(e.intent.Agent)
	if !ok || applies != e.Policy || e.request.Agent.ID != e.intent.Agent {
		e.deny(abi.Reason{
			Code: abi.ReasonNoPolicy, Rule: name, Observed: e.intent.Agent,
			Text: "this policy does not apply to the agent of the intent",
		})
	}
	i, q := e.intent, e.request.Quote
	if i.Scheme != q.Scheme || i.Network != q.Network || i.Asset != q.Asset || i.Payee != q.Payee || i.Amount != q.Amount {
		e.deny(abi.Reason{Code: abi.ReasonQuoteInvalid, Rule: name, Text: "the intent is not what the merchant quoted"})
	}
	if i.Payee == "" || strings.HasPrefix(i.Network, eip155Prefix) && (!isEVMAddress(i.Payee) || i.Payee != strings.ToLower(i.Payee)) {
		e.deny(abi.Reason{Code: ReasonRequestMalformed, Rule: name, Observed: i.Payee, Text: "the payee is not an account of the network"})
	}
	if i.Amount.IsZero() {
		e.deny(abi.Reason{Code: ReasonAmountZero, Rule: name, Observed: "0", Text: "there is nothing to pay"})
	}
}

func (e *evaluation) checkNetwork(name string) {
	if !e.bundle.networks[e.intent.Network] {
		e.deny(abi.Reason{
			Code: abi.ReasonNetworkUnknown, Rule: name, Observed: e.intent.Network,
			Text: "the network is not one this policy bundle pays on",
		})
	}
}

func (e *evaluation) checkAsset(name string) {
	if !e.known || string(abi.Asset(e.intent.Asset).Network()) != e.intent.Network {
		e.deny(abi.Reason{
			Code: abi.ReasonAssetUnknown, Rule: name, Observed: e.intent.Asset,
			Text: "the asset is not in the policy's table, or is on another network than the payment",
		})
	}
}

func (e *evaluation) checkHours(name string) {
	if len(e.spec.Hours) == 0 {
		return
	}
	next := time.Time{}
	for _, hours := range e.hours {
		if hours.Contains(e.now) {
			return
		}
		if opening, ok := hours.next(e.now); ok && (next.IsZero() || opening.Before(next)) {
			next = opening
		}
	}
	reason := abi.Reason{
		Code: abi.ReasonOutsideActiveHours, Rule: name, Observed: e.now.UTC().Format(time.RFC3339),
		Limit: strings.Join(e.spec.Hours, "; "), Text: "this agent may not pay at this time",
	}
	if !next.IsZero() {
		reason.WouldPass = next.UTC().Format(time.RFC3339)
	}
	e.deny(reason)
}
