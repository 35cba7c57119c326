package policy

import (
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// lint warns of what is legal and probably not meant.
func (c *compiler) lint(n *yaml.Node, found map[string]field, p rules.PolicySpec) {
	at := func(key string) *yaml.Node {
		if f, ok := found[key]; ok {
			return f.value
		}
		return n
	}
	if _, written := found["max_transaction_usdc"]; !written {
		c.warn(n, abi.ReasonNoLimit, "without max_transaction_usdc every payment is denied", "add `max_transaction_usdc:`")
	}
	spends := rules.BudgetSpec.LimitsSpending
	if !slices.ContainsFunc(p.Budgets, spends) {
		c.warn(n, abi.ReasonNoLimit, "without a limit on spending over time every payment is denied", "add `daily_spending_limit:`")
	}
	if p.ApprovalAbove != nil && p.TransactionMax != nil && p.ApprovalAbove.Cmp(*p.TransactionMax) >= 0 {
		c.warn(at("require_human_approval_above"), "rule_unreachable", "no payment is both above this and within max_transaction_usdc",
			"raise max_transaction_usdc, or lower this")
	}
	if p.Evidence == abi.EvidenceAsserted {
		c.warn(at("evidence_min"), "evidence_weak", "a payee that somebody merely names is paid without asking", "use fetched, signed_offer or pinned")
	}
	if f, ok := found["allowed_recipients"]; ok && f.value.Kind == yaml.SequenceNode && len(f.value.Content) == 0 {
		c.warn(f.value, "list_empty", "allowed_recipients lists nobody, so every payment is denied", "list somebody, or remove the key")
	}
	if rolls := slices.ContainsFunc(p.Budgets, func(b rules.BudgetSpec) bool { return spends(b) && strings.HasPrefix(b.Window, "rolling") }); !rolls &&
		slices.ContainsFunc(p.Budgets, func(b rules.BudgetSpec) bool { return strings.HasPrefix(b.Window, "calendar") }) {
		c.warn(at("budgets"), "calendar_edge", "around midnight of a calendar window twice its limit can be spent", "add daily_spending_limit or another rolling budget")
	}
}

// tenantCeiling wants a root ceiling over all agents, present and future.
func (c *compiler) tenantCeiling(root *yaml.Node, top map[string]field) {
	if slices.ContainsFunc(c.spec.Tenant.Budgets, rules.BudgetSpec.LimitsSpending) {
		return
	}
	at := root
	if f, ok := top["tenant"]; ok {
		at = f.value
	}
	const (
		message = "no ceiling holds for all agents together, so each new agent is a new budget"
		fix     = "add `tenant: {daily_spending_limit: …}`"
	)
	if c.options.Cosigner {
		c.fail(at, "tenant_ceiling_missing", message, fix)
	} else {
		c.warn(at, "tenant_ceiling_missing", message, fix)
	}
}
