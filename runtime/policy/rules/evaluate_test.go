package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

func TestEvaluate(t *testing.T) {
	type spec = rules.PolicySpec
	tests := []struct {
		name    string
		policy  func(*spec)
		bundle  func(*rules.Spec)
		request func(*abi.DecideRequest)
		levels  []uint64
		want    abi.Outcome
		reasons []string
	}{
		{name: "a payment within every rule is allowed", want: abi.Allow, reasons: []string{"allowed p"}},
		{name: "the ceiling itself is allowed", request: func(r *abi.DecideRequest) { reprice(r, *dollars(50)) }, want: abi.Allow, reasons: []string{"allowed p"}},
		{
			name: "one millionth above the ceiling is denied", request: func(r *abi.DecideRequest) { reprice(r, abi.NewAmount(50*usd+1)) },
			reasons: []string{"over_max_transaction p.max_transaction_usdc"},
		},
		{name: "nothing to pay is denied", request: func(r *abi.DecideRequest) { reprice(r, abi.Amount{}) }, reasons: []string{"amount_zero p.request"}},
		{
			name: "the largest number does not wrap a budget", request: func(r *abi.DecideRequest) { reprice(r, largest()) }, levels: []uint64{1},
			reasons: []string{"over_max_transaction p.max_transaction_usdc", "budget_exceeded p.daily_spending_limit"},
		},
		{
			name: "without a ceiling for one payment nothing is paid", policy: func(p *spec) { p.TransactionMax = nil },
			reasons: []string{"no_limit p.max_transaction_usdc"},
		},
		{
			name: "without a limit over time nothing is paid", policy: func(p *spec) { p.Budgets = p.Budgets[1:] },
			reasons: []string{"no_limit p.daily_spending_limit"},
		},
		{
			name: "a budget per payee is no limit over time", policy: func(p *spec) { p.Budgets[0].By = rules.ByPayee },
			reasons: []string{"no_limit p.daily_spending_limit"},
		},
		{
			name: "the tenant's budget does not stand in for the policy's own", policy: func(p *spec) { p.Budgets = nil },
			bundle:  func(s *rules.Spec) { s.Tenant.Budgets = tenantBudget(1000) },
			reasons: []string{"no_limit p.daily_spending_limit"},
		},
		{name: "the last cent of a budget can be spent", levels: []uint64{80 * usd, 9}, want: abi.Allow, reasons: []string{"allowed p"}},
		{name: "a millionth more cannot", levels: []uint64{80*usd + 1}, reasons: []string{"budget_exceeded p.daily_spending_limit"}},
		{name: "the eleventh payment of an hour is denied", levels: []uint64{0, 10}, reasons: []string{"rate_exceeded p.max_transactions_per_hour"}},
		{name: "a budget used beyond a lowered limit denies", levels: []uint64{5000 * usd}, reasons: []string{"budget_exceeded p.daily_spending_limit"}},
		{
			name: "the tenant's ceiling for one payment binds", bundle: func(s *rules.Spec) { s.Tenant.TransactionMax = dollars(19) },
			reasons: []string{"over_max_transaction tenant.max_transaction_usdc"},
		},
		{
			name: "the tenant's budget binds", bundle: func(s *rules.Spec) { s.Tenant.Budgets = tenantBudget(30) }, levels: []uint64{0, 0, 15 * usd},
			reasons: []string{"budget_exceeded tenant.year"},
		},
		{
			name: "a missing level denies", request: func(r *abi.DecideRequest) { r.Facts.Budgets = r.Facts.Budgets[:1] },
			reasons: []string{"budget_unreadable p.budgets", "budget_unreadable p.max_transactions_per_hour"},
		},
		{
			name: "levels in another order deny", request: func(r *abi.DecideRequest) { slices.Reverse(r.Facts.Budgets) },
			reasons: []string{"budget_unreadable p.daily_spending_limit", "budget_unreadable p.max_transactions_per_hour"},
		},
		{
			name: "a level of another window denies", request: func(r *abi.DecideRequest) { r.Facts.Budgets[0].Window = "rolling 1h" },
			reasons: []string{"budget_unreadable p.daily_spending_limit"},
		},
		{
			name: "a level with a friendlier limit denies", request: func(r *abi.DecideRequest) { r.Facts.Budgets[0].Limit = *dollars(9999) },
			reasons: []string{"budget_unreadable p.daily_spending_limit"},
		},
		{name: "an unknown asset is denied", request: func(r *abi.DecideRequest) {
			r.Intent.Asset = strings.Replace(usdcBase, "0x83", "0x84", 1)
			r.Quote.Asset = r.Intent.Asset
		}, reasons: []string{"asset_unknown p.assets"}},
		{name: "an asset in another spelling is unknown", request: func(r *abi.DecideRequest) {
			r.Intent.Asset = strings.ToUpper(usdcBase)
			r.Quote.Asset = r.Intent.Asset
		}, reasons: []string{"asset_unknown p.assets"}},
		{
			name: "an asset of another network than the payment is denied", bundle: func(s *rules.Spec) { s.Networks = []string{"eip155:1", "eip155:8453"} },
			request: func(r *abi.DecideRequest) { r.Intent.Network, r.Quote.Network = "eip155:1", "eip155:1" }, reasons: []string{"asset_unknown p.assets"},
		},
		{
			name: "euros are not counted as dollars", request: func(r *abi.DecideRequest) { r.Intent.Asset, r.Quote.Asset = eurcBase, eurcBase },
			reasons: []string{"no_limit p.max_transaction_usdc"},
		},
		{name: "a network off the list is denied", bundle: func(s *rules.Spec) { s.Networks = []string{"eip155:1"} }, reasons: []string{"network_unknown p.networks"}},
		{name: "no networks allow none", bundle: func(s *rules.Spec) { s.Networks = nil }, reasons: []string{"network_unknown p.networks"}},
		{name: "the agent's own ceiling binds", request: func(r *abi.DecideRequest) { r.Intent.AmountMax = *dollars(19) }, reasons: []string{"over_agent_max p.amount_max"}},
		{
			name: "the ceiling the agent signed binds", request: func(r *abi.DecideRequest) { r.Intent.Request = &abi.AgentRequest{AmountMax: *dollars(19)} },
			reasons: []string{"over_agent_max p.amount_max"},
		},
		{name: "a quote for another payee is denied", request: func(r *abi.DecideRequest) { r.Quote.Payee = stranger }, reasons: []string{"quote_invalid p.request"}},
		{name: "a cheaper quote than the intent is denied", request: func(r *abi.DecideRequest) { r.Quote.Amount = *dollars(1) }, reasons: []string{"quote_invalid p.request"}},
		{name: "a payee with upper case is denied", request: func(r *abi.DecideRequest) { payTo(r, strings.ToUpper(merchant)) }, reasons: []string{"request_malformed p.request"}},
		{name: "no payee is denied", request: func(r *abi.DecideRequest) { payTo(r, "") }, reasons: []string{"request_malformed p.request"}},
		{name: "facts for another bundle are denied", request: func(r *abi.DecideRequest) { r.PolicySHA256[0] ^= 1 }, reasons: []string{"policy_mismatch p.request"}},
		{name: "no bundle hash is denied", request: func(r *abi.DecideRequest) { r.PolicySHA256 = nil }, reasons: []string{"policy_mismatch p.request"}},
		{name: "an agent of another policy is denied", request: func(r *abi.DecideRequest) { r.Intent.Agent, r.Agent.ID = "b", "b" }, reasons: []string{"no_policy p.request"}},
		{name: "an agent in another's name is denied", request: func(r *abi.DecideRequest) { r.Agent.ID = "b" }, reasons: []string{"no_policy p.request"}},
		{name: "no intent denies", request: func(r *abi.DecideRequest) { r.Intent = nil }, reasons: []string{"request_malformed p.request"}},
		{name: "no quote denies", request: func(r *abi.DecideRequest) { r.Quote = nil }, reasons: []string{"request_malformed p.request"}},
		{name: "no agent denies", request: func(r *abi.DecideRequest) { r.Agent = nil }, reasons: []string{"request_malformed p.request"}},
		{name: "no facts deny", request: func(r *abi.DecideRequest) { r.Facts = nil }, reasons: []string{"request_malformed p.request"}},
		{name: "no time denies", request: func(r *abi.DecideRequest) { r.NowUnixS = 0 }, reasons: []string{"request_malformed p.request"}},
		{name: "a time beyond all calendars denies", request: func(r *abi.DecideRequest) { r.NowUnixS = 1 << 60 }, reasons: []string{"request_malformed p.request"}},
		{name: "outside the hours is denied", policy: func(p *spec) { p.Hours = []string{"13:00-14:00 UTC"} }, reasons: []string{"outside_active_hours p.active_hours"}},
		{name: "one open interval is enough", policy: func(p *spec) { p.Hours = []string{"13:00-14:00 UTC", "12:00-12:01 UTC"} }, want: abi.Allow, reasons: []string{"allowed p"}},
		{name: "at the approval threshold nobody is asked", policy: func(p *spec) { p.ApprovalAbove = dollars(20) }, want: abi.Allow, reasons: []string{"allowed p"}},
		{
			name: "above it somebody is", policy: func(p *spec) { p.ApprovalAbove = dollars(19) }, want: abi.Hold,
			reasons: []string{"approval_required p.require_human_approval_above", "approval_required p.approvals"},
		},
		{name: "every broken rule is named", policy: func(p *spec) {
			p.Hours = []string{"13:00-14:00 UTC"}
			p.ApprovalAbove, p.TransactionMax = dollars(1), dollars(2)
			p.AnyPayee = false
		}, levels: []uint64{100 * usd, 10}, reasons: []string{
			"over_max_transaction p.max_transaction_usdc", "budget_exceeded p.daily_spending_limit", "rate_exceeded p.max_transactions_per_hour",
			"payee_not_allowed p.allowed_recipients", "outside_active_hours p.active_hours", "approval_required p.require_human_approval_above",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := baseSpec()
			if tt.policy != nil {
				tt.policy(&s.Policies[0])
			}
			if tt.bundle != nil {
				tt.bundle(&s)
			}
			p, request := newRequest(t, newBundle(t, s), tt.levels...)
			if tt.request != nil {
				tt.request(request)
			}
			got := p.Evaluate(request)
			if got.Outcome != tt.want || got.Source != rules.SourceRules {
				t.Errorf("outcome %s by %s, want %s", got.Outcome, got.Source, tt.want)
			}
			if diff := cmp.Diff(tt.reasons, codes(got.Reasons)); diff != "" {
				t.Errorf("reasons: -want +got\n%s", diff)
			}
		})
	}
}

func largest() abi.Amount {
	var word [32]byte
	for i := range word {
		word[i] = 0xff
	}
	return abi.AmountFromWord(word)
}

func tenantBudget(n uint64) []rules.BudgetSpec {
	return []rules.BudgetSpec{{Name: "year", Limit: *dollars(n), Window: "lifetime", By: rules.ByTenant, Unit: rules.UnitUSDC}}
}

func TestAReasonSaysWhatWasSeenWhatIsAllowedAndWhatWouldPass(t *testing.T) {
	p, request := newRequest(t, newBundle(t, baseSpec()), 81_500_000, 3)
	got := p.Evaluate(request).Reasons
	want := []abi.Reason{{
		Code: "budget_exceeded", Rule: "p.daily_spending_limit", Observed: "81.5 usdc used in rolling 24h, this payment is 20 usdc",
		Limit: "100 usdc", WouldPass: "18.5 usdc", Text: "the payment does not fit into what is left of this budget",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWhatWouldPassPasses(t *testing.T) {
	s := baseSpec()
	s.Policies[0].Hours = []string{"mon,tue,wed,thu,fri 09:00-11:00 Europe/Berlin"}
	p, request := newRequest(t, newBundle(t, s), 81_500_000)
	for _, reason := range p.Evaluate(request).Reasons {
		switch reason.Code {
		case abi.ReasonBudgetExceeded:
			amount, err := abi.ParseDecimal(strings.TrimSuffix(reason.WouldPass, " usdc"), 6)
			if err != nil {
				t.Fatal(err)
			}
			reprice(request, amount)
		case abi.ReasonOutsideActiveHours:
			at, err := time.Parse(time.RFC3339, reason.WouldPass)
			if err != nil {
				t.Fatal(err)
			}
			request.NowUnixS = uint64(at.Unix())
		}
	}
	if got := p.Evaluate(request); got.Outcome != abi.Allow {
		t.Errorf("%s %v", got.Outcome, got.Reasons)
	}
}

func TestEvaluateIsAFunctionOfTheRequest(t *testing.T) {
	p, request := newRequest(t, newBundle(t, baseSpec()), 81_500_000)
	if diff := cmp.Diff(p.Evaluate(request), p.Evaluate(request)); diff != "" {
		t.Error(diff)
	}
}

func TestHostileTextInARequestLeavesReasonsReadable(t *testing.T) {
	s := baseSpec()
	s.Policies[0].AnyPayee = false
	p, request := newRequest(t, newBundle(t, s))
	payTo(request, strings.Repeat("\xff<script>é", 5000))
	request.Intent.Origin = request.Intent.Payee
	verdict := p.Evaluate(request)
	if verdict.Outcome != abi.Deny {
		t.Errorf("outcome %s", verdict.Outcome)
	}
	if _, err := verdict.Marshal(); err != nil {
		t.Errorf("the verdict cannot be written to the log: %v", err)
	}
	for _, r := range verdict.Reasons {
		if len(r.Observed) > abi.ReasonBytesMax {
			t.Errorf("%s observes %d bytes", r.Code, len(r.Observed))
		}
	}
}

func TestAPaymentReservesEachMeterOnceWithAllItsLimits(t *testing.T) {
	s := baseSpec()
	s.Policies[0].Budgets = append(s.Policies[0].Budgets,
		rules.BudgetSpec{Name: "month", Limit: *dollars(500), Window: "calendar month Europe/Berlin", By: rules.ByAgent, Unit: rules.UnitUSDC},
		rules.BudgetSpec{Name: "each", Limit: *dollars(40), Window: "lifetime", By: rules.ByPayee, Unit: rules.UnitUSDC})
	s.Tenant.Budgets = tenantBudget(1000)
	p, request := newRequest(t, newBundle(t, s))
	reservations, err := p.Reservations(request.Intent)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range reservations {
		line := r.Meter.String() + " +" + r.Add.String()
		for _, l := range r.Limits {
			line += " " + l.Name + "<=" + l.Max.String() + "/" + l.Window.String()
		}
		got = append(got, line)
	}
	want := []string{
		"tenant#usdc +20000000 tenant.year<=1000000000/lifetime",
		"tenant#count +1",
		"agent/a#usdc +20000000 p.daily_spending_limit<=100000000/rolling 24h p.month<=500000000/calendar month Europe/Berlin",
		"agent/a#count +1 p.max_transactions_per_hour<=10/rolling 1h",
		"payee/eip155:8453/" + merchant + "#usdc +20000000 p.each<=40000000/lifetime",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Otherwise a budget by payee in one policy would not see what another policy's agents paid.
func TestAMeterThatAnyPolicyReadsIsFedByAll(t *testing.T) {
	s := baseSpec()
	other := s.Policies[0]
	other.Name = "q"
	other.Budgets = []rules.BudgetSpec{{Name: "each", Limit: *dollars(1), Window: "lifetime", By: rules.ByPayee, Unit: store.UnitCount}}
	s.Policies = append(s.Policies, other)
	p, request := newRequest(t, newBundle(t, s))
	reservations, err := p.Reservations(request.Intent)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(reservations, func(r store.Reservation) bool {
		return r.Meter.String() == "payee/eip155:8453/"+merchant+"#count" && len(r.Limits) == 0
	}) {
		t.Errorf("the payee's count is not fed: %v", reservations)
	}
}

func TestAnAssetThatNoLimitCountsReservesNothing(t *testing.T) {
	p, request := newRequest(t, newBundle(t, baseSpec()))
	for _, asset := range []string{eurcBase, "eip155:8453/erc20:0x0000000000000000000000000000000000000001", ""} {
		request.Intent.Asset = asset
		if r, err := p.Reservations(request.Intent); abi.CodeOf(err) != abi.ReasonAssetUnknown || r != nil {
			t.Errorf("%q: %v %v", asset, r, err)
		}
	}
}

func TestFactsAreAskedInTheOrderOfBudgets(t *testing.T) {
	p, request := newRequest(t, newBundle(t, baseSpec()))
	query, budgets := p.FactQuery(request.Intent), p.Budgets(request.Intent)
	if len(query.Levels) != len(budgets) || query.Route != "GET https://api.example.com/paid" || query.Payee != "eip155:8453/"+merchant {
		t.Fatalf("%+v", query)
	}
	for i, b := range budgets {
		if query.Levels[i] != (store.LevelQuery{Meter: b.Meter, Window: b.Window}) {
			t.Errorf("level %d is %v", i, query.Levels[i])
		}
	}
	if p.Levels(request.Intent, make([]abi.Amount, len(budgets)-1)) != nil {
		t.Error("an answer with a level missing became facts")
	}
}

func TestTheBytesInTheLogReplayToTheSameVerdict(t *testing.T) {
	b := newBundle(t, baseSpec())
	p, request := newRequest(t, b, 95*usd, 10)
	logged, err := request.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	archived, err := rules.Decode(b.Canonical())
	if err != nil {
		t.Fatal(err)
	}
	again, _ := archived.For("a")
	var replayed abi.DecideRequest
	if err := replayed.Unmarshal(logged); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Evaluate(request), again.Evaluate(&replayed)); diff != "" {
		t.Errorf("-then +now\n%s", diff)
	}
}

func BenchmarkEvaluate(b *testing.B) {
	s := baseSpec()
	s.Policies[0].Hours = []string{"09:00-17:00 UTC"}
	s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, []string{merchant}
	s.Tenant.Budgets = tenantBudget(1000)
	p, request := newRequest(b, newBundle(b, s))
	b.ReportAllocs()
	for b.Loop() {
		if p.Evaluate(request).Outcome != abi.Allow {
			b.Fatal("not allowed")
		}
	}
}
