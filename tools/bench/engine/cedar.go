package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/cedar-policy/cedar-go"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/policy"
)

// cedarPolicy is formatted with the settings: Cedar has no other place for them. It cannot walk a list, so budgets have
// names, and it cannot divide, so the host hands it the hour.
const cedarPolicy = `
permit (principal, action, resource);
@id("quote_mismatch") forbid (principal, action, resource)
  when { context.quote_amount != context.amount || context.quote_payee != context.payee };
@id("network_not_allowed") forbid (principal, action, resource) unless { %s.contains(context.network) };
@id("asset_not_allowed") forbid (principal, action, resource) unless { %s.contains(context.asset) };
@id("payee_not_listed") forbid (principal, action, resource) unless { resource in Group::"payees" };
@id("origin_not_https") forbid (principal, action, resource) unless { context.origin like "https://*" };
@id("amount_above_max") forbid (principal, action, resource) when { context.amount > %d };
@id("budget_exceeded") forbid (principal, action, resource) when {
  (context has day && context.day.used + context.amount > context.day.limit) ||
  (context has month && context.month.used + context.amount > context.month.limit)
};
@id("outside_hours") forbid (principal, action, resource) when { context.hour < %d || context.hour >= %d };
@id("needs_approval") forbid (principal, action, resource) when { context.amount > %d && context.tier != "trusted" };
@id("price_jumped") forbid (principal, action, resource) when { context.last_price != 0 && context.amount > %d * context.last_price };
`

type cedarSet struct {
	policies cedarPolicies
	entities cedar.EntityMap
}

var _ Engine = (*cedarSet)(nil)

// cedarPolicies is a policy set in order: ranging over the library's own map takes longer.
type cedarPolicies []struct {
	id     cedar.PolicyID
	policy *cedar.Policy
}

var _ cedar.PolicyIterator = cedarPolicies(nil)

// All yields the policies in the order of the document.
func (s cedarPolicies) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range s {
			if !yield(s[i].id, s[i].policy) {
				return
			}
		}
	}
}

const cedarPayee cedar.EntityType = "Payee"

// OpenCedar parses the policies and makes the payees members of one group.
func OpenCedar(c Config) (Engine, error) {
	list := func(names []string) string {
		text, _ := json.Marshal(names) // strings always encode; ASCII ones as Cedar spells them
		return string(text)
	}
	text := fmt.Sprintf(cedarPolicy, list(c.Networks), list(c.Assets), c.AmountMax, c.OpenHour, c.CloseHour, c.ApprovalAbove, c.PriceFactor)
	parsed, err := cedar.NewPolicyListFromBytes("policy.cedar", []byte(text))
	if err != nil {
		return nil, err
	}
	e := &cedarSet{entities: cedar.EntityMap{}}
	for _, p := range parsed {
		e.policies = append(e.policies, struct {
			id     cedar.PolicyID
			policy *cedar.Policy
		}{cedar.PolicyID(p.Annotations()["id"]), p})
	}
	group := cedar.NewEntityUID("Group", "payees")
	e.entities[group] = cedar.Entity{UID: group}
	for _, payee := range c.Payees {
		uid := cedar.NewEntityUID(cedarPayee, cedar.String(payee))
		e.entities[uid] = cedar.Entity{UID: uid, Parents: cedar.NewEntityUIDSet(group)}
	}
	return e, nil
}

func (e *cedarSet) Decide(_ context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	p, readable := payment(r)
	if !readable {
		return policy.Unreadable(), nil
	}
	long := func(n uint64) cedar.Long { return cedar.Long(n) } //nolint:gosec // amounts are at most policy.AmountMax, times are seconds
	values := cedar.RecordMap{
		"network": cedar.String(p.Network), "asset": cedar.String(p.Asset), "payee": cedar.String(p.Payee), "origin": cedar.String(p.Origin),
		"tier": cedar.String(p.Tier), "quote_payee": cedar.String(p.QuotePayee), "amount": long(p.Amount), "quote_amount": long(p.QuoteAmount),
		"last_price": long(p.LastPrice), "hour": long(p.NowUnixS / 3600 % 24),
	}
	for i, b := range p.Budgets {
		values[cedar.String(r.Facts.Budgets[i].Name)] = cedar.NewRecord(cedar.RecordMap{"used": long(b.Used), "limit": long(b.Limit)})
	}
	decision, diagnostic := cedar.Authorize(e.policies, e.entities, cedar.Request{
		Principal: cedar.NewEntityUID("Agent", cedar.String(r.Agent.ID)), Action: cedar.NewEntityUID("Action", "pay"),
		Resource: cedar.NewEntityUID(cedarPayee, cedar.String(p.Payee)), Context: cedar.NewRecord(values),
	})
	// A policy that fails is skipped by Cedar, even one that forbids.
	if len(diagnostic.Errors) > 0 {
		return policy.Verdict{}, fmt.Errorf("policy %s: %s", diagnostic.Errors[0].PolicyID, diagnostic.Errors[0].Message)
	}
	verdict := policy.Verdict{Outcome: policy.Allow}
	if decision == cedar.Allow {
		return verdict, nil
	}
	for _, reason := range diagnostic.Reasons {
		if !verdict.Say(string(reason.PolicyID)) {
			return policy.Verdict{}, fmt.Errorf("unknown policy %q", reason.PolicyID)
		}
	}
	return verdict, nil
}

func (e *cedarSet) Close(context.Context) error { return nil }
