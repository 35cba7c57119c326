package rules_test

import (
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

const (
	usdcBase = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	eurcBase = "eip155:8453/erc20:0x60a3e35cc302bfa44cb288bc5a4f316fdb1adb42"
	merchant = "0x00000000000000000000000000000000000000aa"
	stranger = "0x00000000000000000000000000000000000000bb"
	origin   = "https://api.example.com"
	usd      = 1_000_000 // smallest units of a dollar
)

// noon is a Monday, inside every hour of the fixtures unless a test moves it.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func dollars(n uint64) *abi.Amount {
	a := abi.NewAmount(n * usd)
	return &a
}

// baseSpec allows agent "a" to pay anybody at most 50 at once, 100 a day and 10 times an hour, and has two approvers.
func baseSpec() rules.Spec {
	return rules.Spec{
		Format: rules.Format,
		Agents: []rules.AgentSpec{{Pattern: "a", Policy: "p"}},
		Policies: []rules.PolicySpec{{
			Name: "p", TransactionMax: dollars(50), AnyPayee: true, Repeats: rules.RepeatsSequential,
			ValidityS: rules.ValidityDefaultS, Evidence: abi.EvidenceFetched,
			Approvals: rules.ApprovalsSpec{Quorum: 1, HoldS: rules.HoldDefaultS, Approvers: []string{"ada", "bea"}},
			Budgets: []rules.BudgetSpec{
				{Name: rules.BudgetDaily, Limit: *dollars(100), Window: "rolling 24h", By: rules.ByAgent, Unit: rules.UnitUSDC},
				{Name: rules.BudgetHourly, Limit: abi.NewAmount(10), Window: "rolling 1h", By: rules.ByAgent, Unit: store.UnitCount},
			},
		}},
		Approvers: []rules.Approver{{Name: "ada", Key: key('1')}, {Name: "bea", Key: key('2')}, {Name: "eve", Key: key('3')}},
		Tokens: []rules.Token{
			{Asset: eurcBase, Symbol: "EURC", Unit: "eurc", Decimals: 6, Name: "EURC", Version: "2"},
			{Asset: usdcBase, Symbol: "USDC", Unit: rules.UnitUSDC, Decimals: 6, Name: "USD Coin", Version: "2"},
		},
		Networks: []string{"eip155:8453"},
	}
}

func key(digit byte) string {
	b := make([]byte, 64)
	for i := range b {
		b[i] = digit
	}
	return string(b)
}

func newBundle(t testing.TB, spec rules.Spec) *rules.Bundle {
	t.Helper()
	bundle, err := rules.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// newRequest is a request for 20 dollars that the base policy allows, with the given levels or empty ones.
func newRequest(t testing.TB, b *rules.Bundle, levels ...uint64) (*rules.Policy, *abi.DecideRequest) {
	t.Helper()
	p, ok := b.For("a")
	if !ok {
		t.Fatal("agent a has no policy")
	}
	agent, _ := b.Agent("a")
	intent := &abi.Intent{
		Payment: "pay_1", Tenant: "t", Agent: "a", Key: "k", Method: "GET", URL: origin + "/paid?x=1", Origin: origin, Scheme: "exact",
		Network: "eip155:8453", Asset: usdcBase, Payee: merchant, Amount: *dollars(20),
	}
	request := &abi.DecideRequest{Intent: intent, Agent: agent, NowUnixS: uint64(noon.Unix()), PolicySHA256: p.PolicySHA256(), Facts: &abi.Facts{}}
	request.Quote = &abi.Quote{
		Scheme: "exact", Network: intent.Network, Asset: intent.Asset, Payee: intent.Payee, Amount: intent.Amount,
		Evidence: abi.EvidenceFetched, ResourceURL: intent.URL,
	}
	fillLevels(p, request, levels...)
	return p, request
}

func fillLevels(p *rules.Policy, request *abi.DecideRequest, levels ...uint64) {
	used := make([]abi.Amount, len(p.Budgets(request.Intent)))
	for i := range levels {
		used[i] = abi.NewAmount(levels[i])
	}
	request.Facts.Budgets = p.Levels(request.Intent, used)
}

// reprice changes what is paid, consistently.
func reprice(r *abi.DecideRequest, amount abi.Amount) {
	r.Intent.Amount, r.Quote.Amount = amount, amount
}

func payTo(r *abi.DecideRequest, payee string) { r.Intent.Payee, r.Quote.Payee = payee, payee }

func codes(reasons []abi.Reason) []string {
	var list []string
	for _, r := range reasons {
		list = append(list, r.Code+" "+r.Rule)
	}
	return list
}
