package policy

import (
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// Standing says what a rule is worth on the day the runtime is in an attacker's hands and only the co-signer, with
// the same bundle, is left to refuse.
type Standing struct {
	// Policy is the policy's name, or "tenant".
	Policy string
	// Rule is the key in the file, or the name of a budget or plugin.
	Rule string
	// Provenance is the weakest fact the rule needs at the co-signer.
	Provenance abi.Provenance
	// Survives reports whether the rule still holds.
	Survives bool
	// Because is one sentence for people, without a full stop.
	Because string
}

// Describe lists every rule of a bundle with its standing, by policy and in the order of the file's documentation.
func Describe(b *Bundle) ([]Standing, error) {
	spec, err := b.Spec()
	if err != nil {
		return nil, fmt.Errorf("describe policy: %w", err)
	}
	var all []Standing
	all = append(all, ceilings(rules.TenantName, spec.Tenant.TransactionMax, spec.Tenant.Budgets)...)
	for _, p := range spec.Policies {
		all = append(all, ceilings(p.Name, p.TransactionMax, p.Budgets)...)
		all = append(all, describePayees(spec, p)...)
		all = append(all, describeRest(p)...)
	}
	return all, nil
}

func own(policy, rule, because string) Standing {
	return Standing{Policy: policy, Rule: rule, Provenance: abi.ProvenanceOwn, Survives: true, Because: because}
}

func ceilings(policy string, most *abi.Amount, budgets []rules.BudgetSpec) (all []Standing) {
	if most != nil {
		all = append(all, own(policy, "max_transaction_usdc", "the co-signer decodes the amount from what it signs"))
	}
	for _, b := range budgets {
		all = append(all, own(policy, b.Name, "the co-signer counts in its own ledger, by its own clock"))
	}
	return all
}

func describePayees(spec rules.Spec, p rules.PolicySpec) (all []Standing) {
	for _, s := range p.Recipients {
		r, err := rules.ParseRecipient(s)
		if err != nil || r.Elided {
			continue
		}
		rule := "allowed_recipients " + s
		pinnedHere := slices.ContainsFunc(spec.Merchants, func(m rules.Merchant) bool { return m.Origin == s })
		switch {
		case r.Origin == "":
			all = append(all, own(p.Name, rule, "the co-signer decodes the payee from what it signs"))
		case pinnedHere:
			all = append(all, own(p.Name, rule, "the operator pinned who is paid at this origin"))
		default:
			all = append(all, Standing{
				Policy: p.Name, Rule: rule, Provenance: abi.ProvenanceAsserted,
				Because: "which payee belongs to the origin is the runtime's word, unless a signed offer or the co-signer's own fetch shows it; pin the merchant",
			})
		}
	}
	evidence := Standing{
		Policy: p.Name, Rule: "evidence_min", Provenance: abi.ProvenanceProven, Survives: true,
		Because: "a payee the co-signer cannot place is held for a person",
	}
	if p.Evidence == abi.EvidenceAsserted {
		evidence.Provenance, evidence.Survives, evidence.Because = abi.ProvenanceAsserted, false, "asserted payees are paid without asking"
	}
	return append(all, evidence)
}

func describeRest(p rules.PolicySpec) (all []Standing) {
	if p.ApprovalAbove != nil {
		all = append(all, Standing{
			Policy: p.Name, Rule: "require_human_approval_above", Provenance: abi.ProvenanceProven, Survives: true,
			Because: "the co-signer checks the approvers' signatures itself",
		})
	}
	if len(p.Hours) > 0 {
		all = append(all, own(p.Name, "active_hours", "the co-signer has its own clock"))
	}
	if p.Breaker.PaidUndelivered > 0 {
		all = append(all, Standing{
			Policy: p.Name, Rule: "breaker", Provenance: abi.ProvenanceAsserted,
			Because: "whether a merchant delivered is the runtime's word",
		})
	}
	all = append(all, Standing{
		Policy: p.Name, Rule: "repeats", Provenance: abi.ProvenanceProven, Survives: true,
		Because: "the agent signs its request; an agent with only a bearer token loses this rule",
	})
	for _, plugin := range p.Plugins {
		all = append(all, Standing{
			Policy: p.Name, Rule: "plugin " + plugin.Name, Provenance: abi.ProvenanceAsserted,
			Because: "it holds only if its manifest says co-signer-enforced and the co-signer has the module",
		})
	}
	return all
}
