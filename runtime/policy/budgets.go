package policy

import (
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
	"go.yaml.in/yaml/v4"
)

// limits reads the ceilings of a policy or of the tenant. The budgets with a key of their own come first, whatever
// the order in the file.
func (c *compiler) limits(found map[string]field, by rules.By) (transactionMax *abi.Amount, budgets []rules.BudgetSpec) {
	if f, ok := found["max_transaction_usdc"]; ok {
		transactionMax = c.dollars(f.value, "max_transaction_usdc")
	}
	if f, ok := found[rules.BudgetDaily]; ok {
		if limit := c.dollars(f.value, rules.BudgetDaily); limit != nil {
			budgets = append(budgets, rules.BudgetSpec{Name: rules.BudgetDaily, Limit: *limit, Window: "rolling 24h", By: by, Unit: rules.UnitUSDC})
		}
	}
	if f, ok := found[rules.BudgetHourly]; ok {
		if limit, ok := c.number(f.value, rules.BudgetHourly, 0); ok {
			budgets = append(budgets, rules.BudgetSpec{Name: rules.BudgetHourly, Limit: limit, Window: "rolling 1h", By: by, Unit: store.UnitCount})
		}
	}
	if f, ok := found["budgets"]; ok {
		const named = 3 // the two with a key of their own, and the one that is added
		for _, item := range c.items(f.value, "budgets", rules.BudgetsMax-named) {
			b := c.budget(item, by)
			if b.Name != "" && slices.ContainsFunc(budgets, func(other rules.BudgetSpec) bool { return other.Name == b.Name }) {
				c.fail(item, "name_repeated", fmt.Sprintf("there is already a budget %q", b.Name), "give each budget its own name")
			}
			budgets = append(budgets, b)
		}
	}
	return transactionMax, budgets
}

func (c *compiler) dollars(n *yaml.Node, what string) *abi.Amount {
	if amount, ok := c.number(n, what, rules.UnitDecimals); ok {
		return &amount
	}
	return nil
}

func (c *compiler) budget(n *yaml.Node, by rules.By) rules.BudgetSpec {
	found := c.fields(n, "the budget", "name", "limit", "window", "by", "unit")
	c.need(n, "the budget", found, "name", "limit", "window")
	b := rules.BudgetSpec{By: by, Unit: rules.UnitUSDC}
	if f, ok := found["name"]; ok {
		if b.Name, _ = c.name(f.value, "the budget's name"); b.Name == rules.BudgetDaily || b.Name == rules.BudgetHourly || b.Name == rules.BudgetExposure {
			c.fail(f.value, "name_reserved", fmt.Sprintf("%q is a budget of purser's own", b.Name), "choose another name")
			b.Name = ""
		}
	}
	if f, ok := found["unit"]; ok {
		b.Unit, _ = c.word(f.value, "unit", rules.UnitUSDC, store.UnitCount)
	}
	if f, ok := found["limit"]; ok {
		decimals := uint8(rules.UnitDecimals)
		if b.Unit == store.UnitCount {
			decimals = 0
		}
		b.Limit, _ = c.number(f.value, "limit", decimals)
	}
	if f, ok := found["window"]; ok {
		b.Window = c.window(f.value)
	}
	if b.Unit == store.UnitCount && b.Window == store.Open().String() {
		c.fail(n, "window_invalid", "a count is final at once, so none is ever open", "count in usdc, or use another window")
	}
	if f, ok := found["by"]; ok {
		words := []string{string(rules.ByAgent), string(rules.ByTenant), string(rules.ByPayee), string(rules.ByPolicy)}
		if by == rules.ByTenant { // the root ceiling is over everything
			words = []string{string(rules.ByTenant)}
		}
		word, _ := c.word(f.value, "by", words...)
		b.By = rules.By(word)
	}
	return b
}

func (c *compiler) window(n *yaml.Node) string {
	s, ok := c.text(n, "window")
	if !ok {
		return ""
	}
	window, err := store.ParseWindow(s)
	if err != nil {
		c.failWith(n, err)
	}
	return window.String()
}
