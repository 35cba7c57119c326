package runtime

import (
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/policy/rules"
)

func reasonView(side, source string, outcome abi.Outcome, r abi.Reason) api.ReasonView {
	return api.ReasonView{
		Side: side, Source: source, Outcome: outcome.String(),
		Code: r.Code, Rule: r.Rule, Observed: r.Observed, Limit: r.Limit, WouldPass: r.WouldPass, Text: r.Text,
	}
}

// View projects the payment.
func (p Payment) View() api.View {
	view := api.View{
		ID: p.ID, Agent: p.Agent, Key: p.Key, State: string(p.State), Method: p.Ask.Resource.Method, URL: p.Ask.Resource.URL,
		Receipt: p.Receipt, Delivery: p.Delivery, Refusal: p.Refusal, Response: p.Response, Pending: p.Failure,
		Created: p.Created, Updated: p.Updated, Reasons: p.reasons(),
	}
	if p.Offer != nil {
		quote := p.Offer.Quote
		view.Amount, view.Asset, view.Network, view.Payee = quote.Amount.String(), quote.Asset, quote.Network, quote.Payee
	}
	if p.State == Held {
		view.HoldExpires = &p.HoldUntil
	}
	if p.Armed != nil {
		view.Digest = fmt.Sprintf("%x", p.Armed.Digest)
	}
	if p.Ask.HandOut {
		view.Header = p.Header
	}
	return view
}

// sharedBudgets are the codes of reasons that may speak of a budget other agents share.
var sharedBudgets = []string{abi.ReasonBudgetExceeded, abi.ReasonRateExceeded, "budget_contended"}

// ownBudgets are the budgets that count one agent alone, whatever the policy.
var ownBudgets = []string{rules.BudgetDaily, rules.BudgetHourly}

// AgentView is what the payment's own agent may see: no levels of budgets that it shares with others.
func (p Payment) AgentView() api.View {
	view := p.View()
	for i, reason := range view.Reasons {
		policy, budget, _ := strings.Cut(reason.Rule, ".")
		own := policy != rules.TenantName && slices.Contains(ownBudgets, budget)
		if slices.Contains(sharedBudgets, reason.Code) && !own {
			view.Reasons[i].Observed, view.Reasons[i].Limit, view.Reasons[i].WouldPass = "", "", ""
		}
	}
	return view
}

// reasons lists what stands in the way, or after an allow what was remarked.
func (p Payment) reasons() []api.ReasonView {
	var all []api.ReasonView
	if p.Denial != nil {
		all = append(all, reasonView("runtime", "runtime", abi.Deny, *p.Denial))
	}
	for _, decision := range []*abi.Decision{p.Decision, p.CoDecision} {
		if decision == nil {
			continue
		}
		for _, verdict := range decision.Verdicts {
			for _, reason := range verdict.Reasons {
				all = append(all, reasonView(decision.Side, verdict.Source, verdict.Outcome, reason))
			}
		}
	}
	return all
}
