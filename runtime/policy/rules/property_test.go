package rules_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// limit and level draw numbers close to each other, so that limits bite about as often as not.
func limit(t *rapid.T, label string) abi.Amount {
	return abi.NewAmount(rapid.Uint64Range(4, 16).Draw(t, label))
}

func level(t *rapid.T, label string) abi.Amount {
	return abi.NewAmount(rapid.Uint64Range(0, 6).Draw(t, label))
}

func smallPointer(t *rapid.T, label string) *abi.Amount {
	if rapid.IntRange(0, 9).Draw(t, label+" absent") == 9 {
		return nil
	}
	a := limit(t, label)
	return &a
}

func drawBudget(t *rapid.T, name string, scopes ...rules.By) rules.BudgetSpec {
	return rules.BudgetSpec{
		Name: name, Limit: limit(t, name),
		Window: rapid.SampledFrom([]string{"lifetime", "rolling 1h", "rolling 24h", "calendar day Europe/Berlin"}).Draw(t, name+" window"),
		By:     rapid.SampledFrom(scopes).Draw(t, name+" by"),
		Unit:   rapid.SampledFrom([]string{rules.UnitUSDC, store.UnitCount}).Draw(t, name+" unit"),
	}
}

func drawSpec(t *rapid.T) rules.Spec {
	s := baseSpec()
	p := &s.Policies[0]
	p.TransactionMax, p.ApprovalAbove = smallPointer(t, "max"), smallPointer(t, "above")
	p.Budgets = []rules.BudgetSpec{{Name: "first", Limit: limit(t, "first"), Window: "rolling 24h", By: rules.ByAgent, Unit: rules.UnitUSDC}}
	for i := range rapid.IntRange(0, 2).Draw(t, "budgets") {
		p.Budgets = append(p.Budgets, drawBudget(t, fmt.Sprint("b", i), rules.ByAgent, rules.ByPayee, rules.ByPolicy, rules.ByTenant))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "tenant budgets") {
		s.Tenant.Budgets = append(s.Tenant.Budgets, drawBudget(t, fmt.Sprint("b", i), rules.ByTenant))
	}
	s.Tenant.TransactionMax = smallPointer(t, "tenant max")
	if p.AnyPayee = rapid.Bool().Draw(t, "any payee"); !p.AnyPayee {
		p.Recipients = rapid.SampledFrom([][]string{{merchant, origin}, {merchant}, {origin}, {stranger}, nil}).Draw(t, "recipients")
	}
	s.Merchants = rapid.SampledFrom([][]rules.Merchant{nil, {{Origin: origin, PayTo: []string{merchant}}}, {{Origin: "https://b.example.com", PayTo: []string{stranger}}}, {{Origin: origin, PayTo: []string{stranger}}}}).Draw(t, "pins")
	p.Evidence = abi.Evidence(rapid.IntRange(0, 2).Draw(t, "evidence min"))
	p.Hours = rapid.SampledFrom([][]string{nil, {"09:00-17:00 UTC"}, {"12:00-12:01 UTC"}, {"13:00-14:00 UTC"}}).Draw(t, "hours")
	p.Approvals.Quorum = rapid.Uint64Range(1, 2).Draw(t, "quorum")
	return s
}

// situation is what happens outside the policy: it is the same before and after a change of it.
type situation struct {
	amount    abi.Amount
	evidence  abi.Evidence
	approvals []abi.Approval
	levels    map[string]abi.Amount // by meter and window
}

func drawSituation(t *rapid.T) situation {
	s := situation{amount: level(t, "amount"), evidence: abi.Evidence(rapid.IntRange(0, 3).Draw(t, "evidence")), levels: map[string]abi.Amount{}}
	for _, who := range []string{"ada", "bea"} {
		if rapid.Bool().Draw(t, who) {
			s.approvals = append(s.approvals, yes(who))
		}
	}
	for _, scope := range []string{"agent/a", "tenant", "policy/p", "payee/eip155:8453/" + merchant} {
		for _, unit := range []string{rules.UnitUSDC, store.UnitCount} {
			meter := store.Meter{Scope: scope, Unit: unit}
			s.levels[meter.String()] = level(t, "level of "+meter.String())
		}
	}
	return s
}

func (s situation) request(t rapid.TB, b *rules.Bundle) (*rules.Policy, *abi.DecideRequest) {
	p, ok := b.For("a")
	if !ok {
		t.Fatal("no policy")
	}
	intent := &abi.Intent{
		Payment: "pay_1", Tenant: "t", Agent: "a", Method: "GET", URL: origin + "/paid", Origin: origin, Scheme: "exact",
		Network: "eip155:8453", Asset: usdcBase, Payee: merchant, Amount: s.amount,
	}
	var levels []abi.Amount
	for _, budget := range p.Budgets(intent) {
		levels = append(levels, s.levels[budget.Meter.String()])
	}
	return p, &abi.DecideRequest{
		Intent: intent, Agent: &abi.Agent{ID: "a"}, NowUnixS: uint64(noon.Unix()), PolicySHA256: p.PolicySHA256(), Approvals: s.approvals,
		Quote: &abi.Quote{Scheme: "exact", Network: intent.Network, Asset: intent.Asset, Payee: intent.Payee, Amount: intent.Amount, Evidence: s.evidence},
		Facts: &abi.Facts{Budgets: p.Levels(intent, levels)},
	}
}

func bundleOf(t rapid.TB, s rules.Spec) *rules.Bundle {
	b, err := rules.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lower draws a number at most n.
func lower(t *rapid.T, n abi.Amount) abi.Amount {
	most, _ := n.Uint64()
	return abi.NewAmount(rapid.Uint64Range(0, most).Draw(t, "lowered"))
}

func capped(t *rapid.T, n *abi.Amount) *abi.Amount {
	if n == nil {
		return smallPointer(t, "new ceiling")
	}
	a := lower(t, *n)
	return &a
}

// tightenings add a rule or narrow one. A limit that is missing denies, so that adding the first one is no
// tightening and is left out.
var tightenings = map[string]func(*rapid.T, *rules.Spec){
	"lower the ceiling for one payment": func(t *rapid.T, s *rules.Spec) {
		if s.Policies[0].TransactionMax != nil {
			s.Policies[0].TransactionMax = capped(t, s.Policies[0].TransactionMax)
		}
	},
	"add or lower the tenant's ceiling": func(t *rapid.T, s *rules.Spec) {
		if most := capped(t, s.Tenant.TransactionMax); most != nil {
			s.Tenant.TransactionMax = most
		}
	},
	"lower a budget": func(t *rapid.T, s *rules.Spec) {
		if budgets := s.Policies[0].Budgets; len(budgets) > 0 {
			i := rapid.IntRange(0, len(budgets)-1).Draw(t, "which")
			budgets[i].Limit = lower(t, budgets[i].Limit)
		}
	},
	"add a budget": func(t *rapid.T, s *rules.Spec) {
		if len(s.Policies[0].Budgets) > 0 {
			b := drawBudget(t, "added", rules.ByPayee)
			s.Policies[0].Budgets = slices.Insert(s.Policies[0].Budgets, rapid.IntRange(0, len(s.Policies[0].Budgets)).Draw(t, "at"), b)
		}
	},
	"add a tenant budget": func(t *rapid.T, s *rules.Spec) {
		s.Tenant.Budgets = append(s.Tenant.Budgets, drawBudget(t, "added", rules.ByTenant))
	},
	"hold more": func(t *rapid.T, s *rules.Spec) {
		if above := capped(t, s.Policies[0].ApprovalAbove); above != nil {
			s.Policies[0].ApprovalAbove = above
		}
	},
	"ask for more approvals": func(_ *rapid.T, s *rules.Spec) { s.Policies[0].Approvals.Quorum++ },
	"trust fewer approvers":  func(_ *rapid.T, s *rules.Spec) { s.Policies[0].Approvals.Approvers = []string{"bea"} },
	"want better evidence": func(_ *rapid.T, s *rules.Spec) {
		s.Policies[0].Evidence = min(s.Policies[0].Evidence+1, abi.EvidencePinned)
	},
	"close at some hours": func(_ *rapid.T, s *rules.Spec) { s.Policies[0].Hours = []string{"13:00-14:00 UTC"} },
	"leave a network":     func(_ *rapid.T, s *rules.Spec) { s.Networks = []string{"eip155:1"} },
	"forget a token":      func(_ *rapid.T, s *rules.Spec) { s.Tokens = s.Tokens[:1] },
	"strike a recipient": func(_ *rapid.T, s *rules.Spec) {
		s.Policies[0].Recipients = s.Policies[0].Recipients[min(1, len(s.Policies[0].Recipients)):]
	},
	"pay nobody":               func(_ *rapid.T, s *rules.Spec) { s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, nil },
	"remove the limit of time": func(_ *rapid.T, s *rules.Spec) { s.Policies[0].Budgets = nil },
	"remove the ceiling":       func(_ *rapid.T, s *rules.Spec) { s.Policies[0].TransactionMax = nil },
}

// vouching rules say who may be paid and thereby also who is known: they may turn a hold into an allow, and never a
// denial into anything.
var vouching = map[string]func(*rapid.T, *rules.Spec){
	"list the payee": func(_ *rapid.T, s *rules.Spec) {
		if s.Policies[0].AnyPayee {
			s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, []string{merchant}
		}
	},
	"pin the payee": func(_ *rapid.T, s *rules.Spec) {
		if s.Merchants == nil {
			s.Merchants = []rules.Merchant{{Origin: origin, PayTo: []string{merchant}}}
		}
	},
}

func TestATighterPolicyNeverAllowsMore(t *testing.T) {
	for name, tighten := range tightenings {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				before, after := outcomesAround(t, tighten)
				if after > before {
					t.Fatalf("%s became %s", before, after)
				}
			})
		})
	}
	for name, change := range vouching {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				if before, after := outcomesAround(t, change); before == abi.Deny && after != abi.Deny {
					t.Fatalf("a denial became %s", after)
				}
			})
		})
	}
}

func outcomesAround(t *rapid.T, change func(*rapid.T, *rules.Spec)) (before, after abi.Outcome) {
	spec, now := drawSpec(t), drawSituation(t)
	p, request := now.request(t, bundleOf(t, spec))
	before = p.Evaluate(request).Outcome
	change(t, &spec)
	p, request = now.request(t, bundleOf(t, spec))
	return before, p.Evaluate(request).Outcome
}

// The explanation and the ledger must never disagree: what Evaluate lets pass fits, and what it refuses for a
// budget does not.
func TestEvaluateAndTheReservationsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := drawSituation(t)
		p, request := now.request(t, bundleOf(t, drawSpec(t)))
		reservations, err := p.Reservations(request.Intent)
		if err != nil {
			t.Fatal(err)
		}
		fits := true
		for _, r := range reservations {
			sum, err := now.levels[r.Meter.String()].Add(r.Add)
			for _, limit := range r.Limits {
				fits = fits && err == nil && sum.Cmp(limit.Max) <= 0
			}
		}
		refused := slices.ContainsFunc(p.Evaluate(request).Reasons, func(r abi.Reason) bool {
			return r.Code == abi.ReasonBudgetExceeded || r.Code == abi.ReasonRateExceeded
		})
		if fits == refused {
			t.Fatalf("fits %v, refused %v", fits, refused)
		}
	})
}

// A generator that never allows would make the properties above empty.
func TestTheGeneratorReachesEveryOutcome(t *testing.T) {
	seen := map[abi.Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			p, request := drawSituation(t).request(t, bundleOf(t, drawSpec(t)))
			seen[p.Evaluate(request).Outcome]++
		}
	})
	if seen[abi.Deny] == 0 || seen[abi.Hold] == 0 || seen[abi.Allow] == 0 {
		t.Errorf("outcomes seen: %v", seen)
	}
	t.Log(seen)
}
