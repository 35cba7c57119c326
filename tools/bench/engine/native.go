package engine

import (
	"context"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/policy"
)

type native struct{ settings policy.Settings }

var _ Engine = (*native)(nil)

// Native is the policy compiled into the host: the floor of every other engine.
func Native(c Config) Engine {
	return &native{policy.Settings{
		Networks: policy.SetOf(c.Networks), Assets: policy.SetOf(c.Assets), Payees: policy.SetOf(c.Payees),
		AmountMax: c.AmountMax, ApprovalAbove: c.ApprovalAbove, PriceFactor: c.PriceFactor, OpenHour: c.OpenHour, CloseHour: c.CloseHour,
	}}
}

func (n *native) Decide(_ context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	p, readable := payment(r)
	if !readable {
		return policy.Unreadable(), nil
	}
	return n.settings.Decide(&p), nil
}

func (n *native) Close(context.Context) error { return nil }
