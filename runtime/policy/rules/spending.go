package rules

import (
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// money writes an amount for a reason: "12.5 usdc".
func money(a abi.Amount) string { return a.FormatDecimal(UnitDecimals) + " " + UnitUSDC }

func quantity(unit string, a abi.Amount) string {
	if unit == store.UnitCount {
		return a.String()
	}
	return money(a)
}

// checkTransactionMax caps one payment. A missing cap denies: nothing is unlimited because nobody wrote a number.
func (e *evaluation) checkTransactionMax(name string) {
	if e.known && e.token.Unit != UnitUSDC {
		e.deny(abi.Reason{
			Code: abi.ReasonNoLimit, Rule: name, Observed: e.token.Unit, Limit: UnitUSDC,
			Text: "no limit counts in the unit of this asset",
		})
		return
	}
	if e.spec.TransactionMax == nil {
		e.deny(abi.Reason{Code: abi.ReasonNoLimit, Rule: name, Text: "the policy sets no ceiling for one payment"})
	}
	e.checkCeiling(name, e.spec.TransactionMax)
	e.checkCeiling(TenantName+".max_transaction_usdc", e.bundle.spec.Tenant.TransactionMax)
}

func (e *evaluation) checkCeiling(name string, most *abi.Amount) {
	if most != nil && e.intent.Amount.Cmp(*most) > 0 {
		e.deny(abi.Reason{
			Code: abi.ReasonOverMaxTransaction, Rule: name, Observed: money(e.intent.Amount), Limit: money(*most),
			WouldPass: money(*most), Text: "the amount is above the ceiling for one payment",
		})
	}
}

// checkBudgets compares every budget with the level in the request. It may not be the last word: the ledger repeats
// the comparison when it reserves, in one transaction. Here it gives the complete explanation.
func (e *evaluation) checkBudgets(name string) {
	if !e.hasSpendingLimit() {
		e.deny(abi.Reason{Code: abi.ReasonNoLimit, Rule: e.Name() + "." + BudgetDaily, Text: "the policy sets no limit on spending over time"})
	}
	budgets, levels := e.Budgets(e.intent), e.request.Facts.Budgets
	if len(budgets) != len(levels) {
		e.deny(abi.Reason{
			Code: ReasonBudgetUnreadable, Rule: name, Observed: fmt.Sprint(len(levels)), Limit: fmt.Sprint(len(budgets)),
			Text: "the facts do not hold one level per budget",
		})
	}
	for i, b := range budgets {
		if i >= len(levels) || levels[i].Name != b.Name || levels[i].Unit != b.Meter.Unit ||
			levels[i].Window != b.Window.String() || levels[i].Limit != b.Max {
			e.deny(abi.Reason{Code: ReasonBudgetUnreadable, Rule: b.Name, Text: "the facts do not hold the level of this budget"})
			continue
		}
		e.checkBudget(b, levels[i].Used)
	}
}

func (e *evaluation) checkBudget(b Budget, used abi.Amount) {
	add, code := e.intent.Amount, abi.ReasonBudgetExceeded
	if b.Meter.Unit == store.UnitCount {
		add, code = abi.NewAmount(1), abi.ReasonRateExceeded
	}
	after, err := used.Add(add)
	if err == nil && after.Cmp(b.Max) <= 0 {
		return
	}
	left, err := b.Max.Sub(used)
	if err != nil { // more was used than this version of the policy allows
		left = abi.Amount{}
	}
	e.deny(abi.Reason{
		Code: code, Rule: b.Name, Limit: quantity(b.Meter.Unit, b.Max), WouldPass: quantity(b.Meter.Unit, left),
		Observed: fmt.Sprintf("%s used in %s, this payment is %s", quantity(b.Meter.Unit, used), b.Window, quantity(b.Meter.Unit, add)),
		Text:     "the payment does not fit into what is left of this budget",
	})
}

// hasSpendingLimit reports whether the policy itself bounds spending over time.
func (p *Policy) hasSpendingLimit() bool {
	for _, b := range p.spec.Budgets {
		if b.LimitsSpending() {
			return true
		}
	}
	return false
}

// checkAgentMax keeps the promise an agent made to itself: its own ceiling, and the one it signed.
func (e *evaluation) checkAgentMax(name string) {
	ceilings := []abi.Amount{e.intent.AmountMax}
	if e.intent.Request != nil {
		ceilings = append(ceilings, e.intent.Request.AmountMax)
	}
	for _, most := range ceilings {
		if !most.IsZero() && e.intent.Amount.Cmp(most) > 0 {
			e.deny(abi.Reason{
				Code: abi.ReasonOverAgentMax, Rule: name, Observed: e.intent.Amount.String(), Limit: most.String(),
				WouldPass: most.String(), Text: "the price is above the ceiling the agent named, in the asset's smallest unit",
			})
			return
		}
	}
}

func (e *evaluation) checkApprovalAbove(name string) {
	above := e.spec.ApprovalAbove
	if above != nil && e.intent.Amount.Cmp(*above) > 0 {
		e.hold(abi.Reason{
			Code: abi.ReasonApprovalRequired, Rule: name, Observed: money(e.intent.Amount), Limit: money(*above),
			WouldPass: money(*above), Text: "a person has to approve a payment of this size",
		})
	}
}
