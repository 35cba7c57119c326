package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

// policyKey reads one key of a policy.
type policyKey struct {
	name string
	read func(*compiler, *yaml.Node, *rules.PolicySpec)
}

// policyTable lists the keys of a policy. daily_spending_limit, max_transactions_per_hour and budgets are read by
// limits, whatever their order in the file, so that the order of keys changes nothing.
func policyTable() []policyKey {
	return []policyKey{
		{"max_transaction_usdc", nil},
		{rules.BudgetDaily, nil},
		{rules.BudgetHourly, nil},
		{"budgets", nil},
		{"allowed_recipients", (*compiler).recipients},
		{"require_human_approval_above", (*compiler).approvalAbove},
		{"active_hours", (*compiler).hours},
		{"breaker", (*compiler).breaker},
		{"repeats", (*compiler).repeats},
		{"plugins", (*compiler).plugins},
		{"validity_max", (*compiler).validity},
		{"evidence_min", (*compiler).evidence},
		{"approvals", (*compiler).approvals},
	}
}

func policyKeys() []string {
	var keys []string
	for _, k := range policyTable() {
		keys = append(keys, k.name)
	}
	return keys
}

// policies reads the policies of a file.
func (c *compiler) policies(n *yaml.Node) {
	for _, f := range c.entries(n, "policies", rules.PoliciesMax) {
		name, ok := c.name(f.key, "the policy's name")
		if ok && name == rules.TenantName {
			c.fail(f.key, "name_reserved", fmt.Sprintf("%q names the tenant's own rules", name), "choose another name")
		}
		c.policy(f.key, name, c.fields(f.value, "the policy", policyKeys()...))
	}
	slices.SortFunc(c.spec.Policies, func(a, b rules.PolicySpec) int { return strings.Compare(a.Name, b.Name) })
}

// policy reads one policy from its keys. at is where the policy as a whole is spoken of.
func (c *compiler) policy(at *yaml.Node, name string, found map[string]field) {
	p := rules.PolicySpec{
		Name: name, AnyPayee: true, Repeats: rules.RepeatsSequential, ValidityS: rules.ValidityDefaultS,
		Evidence: abi.EvidenceFetched, Approvals: rules.ApprovalsSpec{Quorum: 1, HoldS: rules.HoldDefaultS},
	}
	p.TransactionMax, p.Budgets = c.limits(found, rules.ByAgent)
	for _, key := range policyTable() {
		if f, ok := found[key.name]; ok && key.read != nil {
			key.read(c, f.value, &p)
		}
	}
	c.finishApprovals(at, found, &p)
	c.lint(at, found, p)
	c.spec.Policies = append(c.spec.Policies, p)
	c.policyPlaces = append(c.policyPlaces, use{at, name})
}
