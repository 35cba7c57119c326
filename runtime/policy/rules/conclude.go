package rules

import (
	"fmt"
	"strconv"
	"time"

	"github.com/purserhq/purser/abi"
)

// Conclusion is what all verdicts about one request amount to.
type Conclusion struct {
	Outcome abi.Outcome
	// Reasons say what combining added: obligations, approvals, verdicts that are missing. The verdicts keep theirs.
	Reasons []abi.Reason
	// ValidityMax is the shortest life of an authorization that any verdict wants. Zero when Outcome is deny.
	ValidityMax time.Duration
}

// Conclude combines the native verdict and the plugins' and enforces their obligations. The strictest outcome wins.
// It denies when the native verdict or one of the policy's plugins is missing, when another module than the pinned
// one spoke for a plugin, and when an obligation is not known. Approvals clear holds, whoever held, and never denials.
func (p *Policy) Conclude(request *abi.DecideRequest, verdicts []abi.Verdict) Conclusion {
	if fault := incomplete(request); fault != "" {
		return Conclusion{Reasons: []abi.Reason{{Code: ReasonRequestMalformed, Rule: p.Name(), Text: fault}}}
	}
	c := Conclusion{Outcome: abi.Combine(verdicts), ValidityMax: p.ValidityMax()}
	quorum := p.Quorum()
	for _, missing := range p.missing(verdicts) {
		c.add(abi.Deny, abi.Reason{
			Code: ReasonVerdictMissing, Rule: p.Name() + ".plugins", Observed: missing,
			Text: "a policy that must be asked has given no verdict",
		})
	}
	for _, verdict := range verdicts {
		for _, o := range verdict.Obligations {
			c.oblige(p, request, verdict.Source, o, &quorum)
		}
	}
	if c.Outcome == abi.Hold {
		outcome, reasons := p.clear(request, quorum)
		c.Outcome = outcome
		c.Reasons = append(c.Reasons, reasons...)
	}
	if c.Outcome == abi.Deny {
		c.ValidityMax = 0
	}
	return c
}

func (c *Conclusion) add(outcome abi.Outcome, reason abi.Reason) {
	c.Outcome = min(c.Outcome, outcome)
	c.Reasons = append(c.Reasons, reason)
}

// oblige applies one obligation. quorum rises to the most that any verdict asks for.
func (c *Conclusion) oblige(p *Policy, request *abi.DecideRequest, source string, o abi.Obligation, quorum *int) {
	if !o.Known() {
		c.add(abi.Deny, abi.Reason{
			Code: abi.ReasonObligationUnknown, Rule: clip(source), Observed: clip(o.Kind + "=" + o.Value),
			Text: "this host cannot enforce the obligation",
		})
		return
	}
	switch o.Kind {
	case abi.ObligationValidityMaxS:
		c.ValidityMax = min(c.ValidityMax, time.Duration(number(o.Value))*time.Second)
	case abi.ObligationApprovalsMin:
		*quorum = max(*quorum, number(o.Value))
		c.add(abi.Hold, abi.Reason{Code: abi.ReasonApprovalRequired, Rule: clip(source), Limit: o.Value, Text: "a policy wants people to approve"})
	case abi.ObligationEvidenceMin:
		want, err := abi.ParseEvidence(o.Value)
		if rank := p.Evidence(request.Intent, request.Quote); err != nil || rank < want {
			c.add(abi.Hold, abi.Reason{
				Code: abi.ReasonEvidenceTooWeak, Rule: clip(source), Observed: rank.String(), Limit: o.Value,
				WouldPass: o.Value, Text: "a policy wants the payee to be known better",
			})
		}
	default: // known to abi and not to this package
		c.add(abi.Deny, abi.Reason{
			Code: abi.ReasonObligationUnknown, Rule: clip(source), Observed: clip(o.Kind),
			Text: "this host cannot enforce the obligation",
		})
	}
}

// number reads what Obligation.Known accepted, at most abi.ValiditySecondsMax; anything else is 0, which shortens a
// validity to nothing.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// missing lists the required speakers without exactly one verdict.
func (p *Policy) missing(verdicts []abi.Verdict) []string {
	heard := map[string]int{}
	for _, v := range verdicts {
		if v.Source == SourceRules && v.Run == nil {
			heard[SourceRules]++
		}
		if v.Run != nil {
			heard[v.Source+" "+fmt.Sprintf("%x", v.Run.ModuleSHA256)]++
		}
	}
	var missing []string
	if heard[SourceRules] != 1 {
		missing = append(missing, SourceRules)
	}
	for _, plugin := range p.spec.Plugins {
		if heard[plugin.Name+" "+plugin.SHA256] != 1 {
			missing = append(missing, plugin.Name)
		}
	}
	return missing
}
