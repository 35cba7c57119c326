// Package judge turns what is known of an intent into a decision: facts from one ledger snapshot, the native rules, the
// policy plugins, and one conclusion that anybody can replay. Both sides use it, each with its own bundle, plugins,
// ledger and clock. It refuses to reserve or sign anything, and whatever goes wrong inside it denies.
package judge

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// Judge is one policy bundle with its plugins loaded. What it decides by never changes; beside that it counts what its
// plugins do wrong. It is safe for concurrent use.
type Judge struct {
	bundle *rules.Bundle
	tokens pinned.Table
	guests map[guestKey]*guest
	steps  []Step
}

// guestKey names a plugin as one policy uses it: the same module may have another configuration elsewhere.
type guestKey struct{ policy, plugin string }

// Case is one intent to judge.
type Case struct {
	Intent    abi.Intent
	Quote     abi.Quote
	Approvals []abi.ApprovalStatement
	// Requester is the agent's own Ed25519 key, empty when it has none: whoever holds it approves nothing.
	Requester ed25519.PublicKey
	// SignedRequest says that the agent's own signature on the request was verified.
	SignedRequest bool
	// Side names who judges: abi's "runtime" or "cosigner".
	Side string
	// Now is the judge's clock. The ledger's time is used where that is later, so that a clock that steps back
	// cannot reopen a window.
	Now time.Time
}

// Sides of a decision.
const (
	Runtime  = "runtime"
	CoSigner = "cosigner"
)

// Ruling is a decision and what it takes to act on it.
type Ruling struct {
	Decision abi.Decision
	// Reserve must become durable together with an allow.
	Reserve []store.Reservation
	// Validity is how long an authorization may live, in whole seconds.
	Validity time.Duration
	// Quarantined are the quarantines that this case began, to be told to an operator.
	Quarantined []Quarantine
}

// Bundle is the policy the judge applies.
func (j *Judge) Bundle() *rules.Bundle { return j.bundle }

// Tokens are the assets the bundle lets agents pay with, with their pinned EIP-712 domains.
func (j *Judge) Tokens() pinned.Table { return j.tokens }

// ValidityMax is how many seconds an agent's authorizations may live; 0 when no policy applies to it.
func (j *Judge) ValidityMax(agent string) uint64 {
	policy, ok := j.bundle.For(agent)
	if !ok {
		return 0
	}
	return uint64(policy.ValidityMax() / time.Second) //nolint:gosec // never negative
}

// Rule judges a case on one snapshot of the ledger. The error is only ever the ledger's: a policy that cannot be
// asked, or answers nonsense, is a denial in the ruling.
func (j *Judge) Rule(ctx context.Context, ledger store.Store, c Case) (Ruling, error) {
	policy, ok := j.bundle.For(c.Intent.Agent)
	if !ok {
		return j.denied(c, abi.Reason{Code: abi.ReasonNoPolicy, Rule: "agents", Observed: c.Intent.Agent, Text: "no policy names this agent"}), nil
	}
	facts, err := ledger.Facts(ctx, policy.FactQuery(&c.Intent))
	if err != nil {
		return Ruling{}, fmt.Errorf("read facts for payment %s: %w", c.Intent.Payment, err)
	}
	request := j.request(policy, c, facts)
	encoded, err := request.Marshal()
	if err != nil {
		return j.denied(c, abi.Reason{Code: rules.ReasonRequestMalformed, Rule: "request", Text: "the request cannot be encoded"}), nil //nolint:nilerr // a request nobody can read is a denial, not a failure
	}
	ruling := Ruling{}
	decision := j.decide(policy, request, encoded, func(name string, guest *guest) abi.Verdict {
		verdict, began := guest.guarded(ctx, policy.Name(), name, request, encoded, c.Now)
		if began != nil {
			ruling.Quarantined = append(ruling.Quarantined, *began)
		}
		return verdict
	})
	decision.Side = c.Side
	ruling.Decision = decision
	if decision.Outcome != abi.Allow {
		return ruling, nil
	}
	ruling.Validity = policy.Conclude(request, decision.Verdicts).ValidityMax
	if ruling.Reserve, err = policy.Reservations(&c.Intent); err != nil {
		return j.denied(c, abi.Reason{Code: abi.CodeOf(err), Rule: "budgets", Text: "no budget can count this payment"}), nil
	}
	return ruling, nil
}

// request is the one canonical snapshot that every policy sees and the log keeps.
func (j *Judge) request(policy *rules.Policy, c Case, facts store.Facts) *abi.DecideRequest {
	agent, _ := j.bundle.Agent(c.Intent.Agent)
	agent.SignedRequest = c.SignedRequest
	now := c.Now
	if facts.Now.After(now) {
		now = facts.Now
	}
	request := &abi.DecideRequest{
		ABIMinor: abi.Minor, Intent: &c.Intent, Quote: &c.Quote, Agent: agent,
		Facts: &abi.Facts{
			Budgets: policy.Levels(&c.Intent, facts.Levels),
			Quotes:  &abi.QuoteHistory{Provenance: abi.ProvenanceOwn},
			Payee:   &abi.PayeeHistory{Provenance: abi.ProvenanceOwn, FirstSeenUnixS: unixOf(facts.PayeeFirst), Payments: facts.PayeeCount},
		},
		Approvals: j.approvals(policy, c, now), NowUnixS: unixOf(now), PolicySHA256: policy.PolicySHA256(),
	}
	for _, seen := range facts.Quotes {
		request.Facts.Quotes.Samples = append(request.Facts.Quotes.Samples, abi.QuoteSample{Amount: seen.Amount, ObservedUnixS: unixOf(seen.At)})
	}
	return request
}

// Decide asks every policy about one encoded request and concludes. It depends on nothing but its arguments and the
// judge's code and configuration, so that a recorded request gives the recorded decision again: it knows no quarantine,
// which is the host's decision and is recorded as such.
func (j *Judge) Decide(ctx context.Context, policy *rules.Policy, request *abi.DecideRequest, encoded []byte) abi.Decision {
	return j.decide(policy, request, encoded, func(name string, guest *guest) abi.Verdict {
		verdict, _ := ask(ctx, name, guest.plugin, request, encoded)
		return verdict
	})
}

func (j *Judge) decide(policy *rules.Policy, request *abi.DecideRequest, encoded []byte, ask func(name string, guest *guest) abi.Verdict) abi.Decision {
	verdicts := []abi.Verdict{policy.Evaluate(request)}
	for _, plugin := range policy.Plugins() {
		guest := j.guests[guestKey{policy.Name(), plugin.Name}]
		if guest == nil {
			verdicts = append(verdicts, deniedUnasked(plugin.Name, "plugin_missing", "", "the plugin is not loaded"))
			continue
		}
		verdicts = append(verdicts, ask(plugin.Name, guest))
	}
	conclusion := policy.Conclude(request, verdicts)
	if len(conclusion.Reasons) > 0 {
		verdicts = append(verdicts, abi.Verdict{Source: sourceConclusion, Outcome: conclusion.Outcome, Reasons: conclusion.Reasons})
	}
	return abi.Decision{Outcome: conclusion.Outcome, Verdicts: verdicts, PolicySHA256: policy.PolicySHA256(), Request: encoded}
}

// sourceConclusion is the source of the verdict that says what combining the others added.
const sourceConclusion = "conclusion"

func (j *Judge) denied(c Case, reason abi.Reason) Ruling {
	hash := j.bundle.Hash()
	return Ruling{Decision: abi.Decision{
		Outcome: abi.Deny, PolicySHA256: hash[:], Side: c.Side,
		Verdicts: []abi.Verdict{{Source: rules.SourceRules, Outcome: abi.Deny, Reasons: []abi.Reason{reason}}},
	}}
}

// unixOf is 0 for the zero time, and for any time before 1970.
func unixOf(t time.Time) uint64 { return uint64(max(0, t.Unix())) }
