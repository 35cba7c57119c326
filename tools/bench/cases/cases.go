// Package cases holds what the plugin bench decides about: one configuration with a hundred payees, and payment requests
// of about a kilobyte, one for each rule and some that several rules speak to. It refuses to be random: every engine and
// every run sees the same bytes.
package cases

import (
	"crypto/sha256"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/engine"
	"github.com/purserhq/purser/tools/bench/policy"
)

const (
	payees = 100

	base = "eip155:8453"
	usdc = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"

	dollar = 1_000_000
	cent   = dollar / 100

	// noon of a day in 2026, UTC.
	noon = 1_774_008_000
)

// Config is the policy's configuration.
func Config() engine.Config {
	c := engine.Config{
		Networks:  []string{base, "eip155:84532", "eip155:137"},
		Assets:    []string{usdc, "eip155:84532/erc20:0x036cbd53842c5426634e7929541ec2318f3dcf7e"},
		AmountMax: 50 * dollar, ApprovalAbove: 10 * dollar, PriceFactor: 3, OpenHour: 6, CloseHour: 22,
	}
	for n := range payees {
		c.Payees = append(c.Payees, Payee(n))
	}
	return c
}

// Payee is an address; those from 0 to 99 are listed.
func Payee(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "payee %d", n))
	return fmt.Sprintf("0x%x", sum[:20])
}

// Case is a request with the codes that the policy gives it, in the order of the rules.
type Case struct {
	Name    string
	Request *abi.DecideRequest
	Want    policy.Verdict
}

// All returns the cases. The timed loop goes through them in turn.
func All() []Case {
	of := func(name string, edit func(r *abi.DecideRequest), codes ...string) Case {
		request := honest()
		edit(request)
		want := policy.Verdict{Outcome: policy.Allow}
		for _, code := range codes {
			if code == policy.CodeAmountUnreadable {
				want = policy.Unreadable()
			} else if !want.Say(code) {
				panic("no rule has the code " + code)
			}
		}
		return Case{name, request, want}
	}
	price := func(units uint64) func(r *abi.DecideRequest) {
		return func(r *abi.DecideRequest) {
			r.Intent.Amount, r.Quote.Amount = abi.NewAmount(units), abi.NewAmount(units)
		}
	}
	return []Case{
		of("an honest payment", func(*abi.DecideRequest) {}),
		of("another amount than was quoted", func(r *abi.DecideRequest) { r.Quote.Amount = abi.NewAmount(4 * cent) }, policy.CodeQuoteMismatch),
		of("another payee than was quoted", func(r *abi.DecideRequest) { r.Quote.Payee = Payee(8) }, policy.CodeQuoteMismatch),
		of("an unknown network", func(r *abi.DecideRequest) { r.Intent.Network = "eip155:1" }, policy.CodeNetworkNotAllowed),
		of("an unknown asset", func(r *abi.DecideRequest) { r.Intent.Asset = usdc[:len(usdc)-1] + "4" }, policy.CodeAssetNotAllowed),
		of("an unlisted payee", func(r *abi.DecideRequest) { r.Intent.Payee, r.Quote.Payee = Payee(payees), Payee(payees) }, policy.CodePayeeNotListed),
		of("an origin in the clear", func(r *abi.DecideRequest) { r.Intent.Origin = "http://api.example.com" }, policy.CodeOriginNotHTTPS),
		of("more than the most there is", func(r *abi.DecideRequest) {
			price(51 * dollar)(r)
			r.Facts.Quotes = nil
		}, policy.CodeAmountAboveMax, policy.CodeNeedsApproval),
		of("the second budget spent", func(r *abi.DecideRequest) { r.Facts.Budgets[1].Used = abi.NewAmount(1000*dollar - 1) }, policy.CodeBudgetExceeded),
		of("the last unit of a budget", func(r *abi.DecideRequest) { r.Facts.Budgets[1].Used = abi.NewAmount(1000*dollar - 5*cent) }),
		of("one second before opening", func(r *abi.DecideRequest) { r.NowUnixS = noon - 6*3600 - 1 }, policy.CodeOutsideHours),
		of("the hour of closing", func(r *abi.DecideRequest) { r.NowUnixS = noon + 10*3600 }, policy.CodeOutsideHours),
		of("a price that needs a person", func(r *abi.DecideRequest) {
			price(20 * dollar)(r)
			r.Facts.Quotes.Samples[0].Amount = abi.NewAmount(19 * dollar)
		}, policy.CodeNeedsApproval),
		of("the same price for a trusted agent", func(r *abi.DecideRequest) {
			price(20 * dollar)(r)
			r.Facts.Quotes.Samples[0].Amount = abi.NewAmount(19 * dollar)
			r.Agent.Tier = policy.TierTrusted
		}),
		of("a price that jumped", price(16*cent), policy.CodePriceJumped),
		of("everything wrong at once", func(r *abi.DecideRequest) {
			price(60 * dollar)(r)
			r.Quote.Amount = abi.NewAmount(1)
			r.Intent.Network, r.Intent.Asset, r.Intent.Payee, r.Intent.Origin = "solana:5eykt", "x", "y", "ftp://z"
			r.Facts.Budgets[0].Used = r.Facts.Budgets[0].Limit
			r.NowUnixS = noon - 12*3600
		}, policy.CodeQuoteMismatch, policy.CodeNetworkNotAllowed, policy.CodeAssetNotAllowed, policy.CodePayeeNotListed, policy.CodeOriginNotHTTPS,
			policy.CodeAmountAboveMax, policy.CodeBudgetExceeded, policy.CodeOutsideHours, policy.CodeNeedsApproval, policy.CodePriceJumped),
		of("an amount that no engine counts", func(r *abi.DecideRequest) {
			r.Intent.Amount = abi.NewAmount(policy.AmountMax + 1)
			r.Quote.Amount = r.Intent.Amount
		}, policy.CodeAmountUnreadable),
	}
}

func honest() *abi.DecideRequest {
	sum := func(text string) []byte {
		s := sha256.Sum256([]byte(text))
		return s[:]
	}
	quotes := &abi.QuoteHistory{Provenance: abi.ProvenanceOwn}
	for n := range uint64(8) {
		quotes.Samples = append(quotes.Samples, abi.QuoteSample{Amount: abi.NewAmount((5 + n%2) * cent), ObservedUnixS: noon - 3600*(n+1)})
	}
	return &abi.DecideRequest{
		ABIMinor: abi.Minor,
		Intent: &abi.Intent{
			Payment: fmt.Sprintf("%x", sum("payment")[:16]), Tenant: "acme", Agent: "travel-7", Key: "trip-2026-03-20/leg-2/quote-1", Method: "GET",
			URL: "https://api.example.com/v1/fares?from=VIE&to=LIS&day=2026-05-02", Origin: "https://api.example.com", BodySHA256: sum("body"),
			Scheme: "exact", Network: base, Asset: usdc, Payee: Payee(7), Amount: abi.NewAmount(5 * cent), AmountMax: abi.NewAmount(50 * cent),
			Purpose: "compare fares for the second leg of the trip",
		},
		Quote: &abi.Quote{
			Scheme: "exact", Network: base, Asset: usdc, Payee: Payee(7), Amount: abi.NewAmount(5 * cent), TimeoutS: 60,
			ResourceURL: "https://api.example.com/v1/fares", MIMEType: "application/json", Evidence: abi.EvidenceFetched, ObservedUnixS: noon - 1,
		},
		Agent: &abi.Agent{ID: "travel-7", Groups: []string{"travel", "europe"}, Tier: "standard", SignedRequest: true},
		Facts: &abi.Facts{
			Budgets: []abi.BudgetLevel{
				{Name: "day", Unit: "usdc", Window: "rolling 24h", Used: abi.NewAmount(12 * dollar), Limit: abi.NewAmount(200 * dollar)},
				{Name: "month", Unit: "usdc", Window: "calendar month Europe/Vienna", Used: abi.NewAmount(310 * dollar), Limit: abi.NewAmount(1000 * dollar)},
			},
			Quotes: quotes,
			Payee:  &abi.PayeeHistory{Provenance: abi.ProvenanceOwn, FirstSeenUnixS: noon - 90*86400, Payments: 41},
		},
		NowUnixS: noon, PolicySHA256: sum("policy"),
	}
}
