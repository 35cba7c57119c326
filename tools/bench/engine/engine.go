// Package engine puts every engine of the plugin bench behind one door: from purser's DecideRequest to a verdict, with
// all the encoding and decoding that a host of that engine would do. It refuses shortcuts: nothing of a request is
// prepared outside Decide, and nothing but the configuration is kept between two calls.
package engine

import (
	"context"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/policy"
)

// Engine decides requests by the policy it was opened with. It is not safe for concurrent use. The caller closes it.
type Engine interface {
	// Decide returns the codes in any order. It is what the bench times.
	Decide(ctx context.Context, request *abi.DecideRequest) (policy.Verdict, error)
	Close(ctx context.Context) error
}

// Config is the policy's configuration as its operator wrote it. Its JSON is what guests are configured with.
type Config struct {
	Networks      []string `json:"networks"`
	Assets        []string `json:"assets"`
	Payees        []string `json:"payees"`
	AmountMax     uint64   `json:"amount_max"`
	ApprovalAbove uint64   `json:"approval_above"`
	PriceFactor   uint64   `json:"price_factor"`
	OpenHour      uint64   `json:"open_hour"`
	CloseHour     uint64   `json:"close_hour"`
}

// payment reads what the policy needs of a request. It reports readable false for an amount above policy.AmountMax.
func payment(r *abi.DecideRequest) (p policy.Payment, readable bool) {
	readable = true
	amount := func(a abi.Amount) uint64 {
		n, fits := a.Uint64()
		readable = readable && fits && n <= policy.AmountMax
		return n
	}
	p = policy.Payment{
		Network: r.Intent.Network, Asset: r.Intent.Asset, Payee: r.Intent.Payee, Origin: r.Intent.Origin, Tier: r.Agent.Tier,
		QuotePayee: r.Quote.Payee, Amount: amount(r.Intent.Amount), QuoteAmount: amount(r.Quote.Amount), NowUnixS: r.NowUnixS,
	}
	p.Budgets = make([]policy.Level, 0, len(r.Facts.Budgets))
	for i := range r.Facts.Budgets {
		p.Budgets = append(p.Budgets, policy.Level{Used: amount(r.Facts.Budgets[i].Used), Limit: amount(r.Facts.Budgets[i].Limit)})
	}
	if history := r.Facts.Quotes; history != nil && len(history.Samples) > 0 {
		p.LastPrice = amount(history.Samples[0].Amount)
	}
	return p, readable
}
