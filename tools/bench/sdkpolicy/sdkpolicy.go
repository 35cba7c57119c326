// Package sdkpolicy lets the bench's policy decide messages of purser's Go SDK, for the guests that speak its encoding.
// It refuses to judge: the rules are in package policy.
package sdkpolicy

import (
	sdk "github.com/purserhq/purser/sdk/go/abi"

	"github.com/purserhq/purser/tools/bench/policy"
)

// Decide asks the rules. Intent, Quote, Agent and Facts of the request are not nil.
func Decide(settings *policy.Settings, r *sdk.DecideRequest) *sdk.DecideResult {
	verdict := policy.Unreadable()
	if payment, readable := read(r); readable {
		verdict = settings.Decide(&payment)
	}
	result := &sdk.DecideResult{Outcome: sdk.Outcome(verdict.Outcome)}
	for _, code := range verdict.Codes {
		result.Reasons = append(result.Reasons, sdk.Reason{Code: code})
	}
	return result
}

func read(r *sdk.DecideRequest) (p policy.Payment, readable bool) {
	readable = true
	amount := func(a sdk.Amount) uint64 {
		n, fits := a.Uint64()
		readable = readable && fits && n <= policy.AmountMax
		return n
	}
	p = policy.Payment{
		Network: r.Intent.Network, Asset: r.Intent.Asset, Payee: r.Intent.Payee, Origin: r.Intent.Origin, Tier: r.Agent.Tier,
		QuotePayee: r.Quote.Payee, Amount: amount(r.Intent.Amount), QuoteAmount: amount(r.Quote.Amount), NowUnixS: r.NowUnixS,
	}
	for _, b := range r.Facts.Budgets {
		p.Budgets = append(p.Budgets, policy.Level{Used: amount(b.Used), Limit: amount(b.Limit)})
	}
	if history := r.Facts.Quotes; history != nil && len(history.Samples) > 0 {
		p.LastPrice = amount(history.Samples[0].Amount)
	}
	return p, readable
}
