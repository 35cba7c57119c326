//go:build wasip1

// Command goplugin is the bench's policy as a plugin of github.com/knqyf263/go-plugin.
package main

import (
	"context"
	"encoding/binary"

	"github.com/purserhq/purser/tools/bench/goplugin"
	"github.com/purserhq/purser/tools/bench/policy"
)

type plugin struct{ settings policy.Settings }

var _ goplugin.Policy = (*plugin)(nil)

func init() { goplugin.RegisterPolicy(&plugin{}) }

func main() {}

// Configure keeps the settings in the instance, which lives as long as the plugin.
func (p *plugin) Configure(_ context.Context, r *goplugin.ConfigureRequest) (*goplugin.ConfigureResult, error) {
	p.settings = policy.Settings{
		Networks: policy.SetOf(r.Networks), Assets: policy.SetOf(r.Assets), Payees: policy.SetOf(r.Payees),
		AmountMax: r.AmountMax, ApprovalAbove: r.ApprovalAbove, PriceFactor: r.PriceFactor, OpenHour: r.OpenHour, CloseHour: r.CloseHour,
	}
	return &goplugin.ConfigureResult{}, nil
}

// Decide asks the rules.
func (p *plugin) Decide(_ context.Context, r *goplugin.DecideRequest) (*goplugin.DecideResult, error) {
	verdict := policy.Unreadable()
	if payment, readable := read(r); readable {
		verdict = p.settings.Decide(&payment)
	}
	return &goplugin.DecideResult{Outcome: uint32(verdict.Outcome), Codes: verdict.Codes}, nil
}

func read(r *goplugin.DecideRequest) (p policy.Payment, readable bool) {
	readable = true
	amount := func(bigEndian []byte) uint64 {
		var word [8]byte
		if len(bigEndian) > len(word) {
			readable = false
			return 0
		}
		copy(word[len(word)-len(bigEndian):], bigEndian)
		n := binary.BigEndian.Uint64(word[:])
		readable = readable && n <= policy.AmountMax
		return n
	}
	p = policy.Payment{
		Network: r.GetIntent().GetNetwork(), Asset: r.GetIntent().GetAsset(), Payee: r.GetIntent().GetPayee(), Origin: r.GetIntent().GetOrigin(),
		Tier: r.GetAgent().GetTier(), QuotePayee: r.GetQuote().GetPayee(), NowUnixS: r.NowUnixS,
		Amount: amount(r.GetIntent().GetAmount()), QuoteAmount: amount(r.GetQuote().GetAmount()),
	}
	for _, b := range r.GetFacts().GetBudgets() {
		p.Budgets = append(p.Budgets, policy.Level{Used: amount(b.Used), Limit: amount(b.Limit)})
	}
	if samples := r.GetFacts().GetQuotes(); len(samples) > 0 {
		p.LastPrice = amount(samples[0].Amount)
	}
	return p, readable
}
