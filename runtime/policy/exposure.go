package policy

import (
	"math/big"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// exposureShareBits says which part of the tenant's ceiling may be open with one payee at once, where the file names no
// budget for that: one in 2 to the power of it, so half. Authorizations that a merchant does not settle hold their money
// until they are dead, so without a cap one merchant could starve everybody's budget.
const exposureShareBits = 1

// exposure gives every policy a cap on what may be open with one payee, unless it names one of its own. A cap below one
// payment would refuse it for ever, so the cap is at least the largest one allowed.
func (c *compiler) exposure() {
	ceiling, ok := c.ceiling()
	if !ok { // the co-signer refuses such a file, and the runtime warns of it
		return
	}
	for i := range c.spec.Policies {
		p := &c.spec.Policies[i]
		if p.TransactionMax == nil || slices.ContainsFunc(p.Budgets, capsExposure) {
			continue
		}
		limit, err := abi.AmountFromBytes(new(big.Int).Rsh(new(big.Int).SetBytes(ceiling.Bytes()), exposureShareBits).Bytes())
		if err != nil { // a part of an amount is one
			limit = ceiling
		}
		if limit.Cmp(*p.TransactionMax) < 0 {
			limit = *p.TransactionMax
		}
		p.Budgets = append(p.Budgets, rules.BudgetSpec{
			Name: rules.BudgetExposure, Limit: limit, Window: store.Open().String(), By: rules.ByPayee, Unit: rules.UnitUSDC,
		})
	}
}

func capsExposure(b rules.BudgetSpec) bool {
	return b.By == rules.ByPayee && b.Window == store.Open().String()
}

// ceiling is the tightest of the tenant's limits on spending over time.
func (c *compiler) ceiling() (tightest abi.Amount, ok bool) {
	for _, b := range c.spec.Tenant.Budgets {
		if !b.LimitsSpending() {
			continue
		}
		if !ok || b.Limit.Cmp(tightest) < 0 {
			tightest, ok = b.Limit, true
		}
	}
	return tightest, ok
}
