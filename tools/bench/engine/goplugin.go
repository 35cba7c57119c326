package engine

import (
	"context"
	"errors"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/goplugin"
	"github.com/purserhq/purser/tools/bench/policy"
)

// loadedPolicy is what the generated Load returns.
type loadedPolicy interface {
	goplugin.Policy
	Close(ctx context.Context) error
}

type goPlugin struct{ plugin loadedPolicy }

var _ Engine = (*goPlugin)(nil)

// OpenGoPlugin loads the module at path with the code that protoc-gen-go-plugin generated. It has no time-out, no
// memory limit and no reset: the generator offers none.
func OpenGoPlugin(ctx context.Context, path string, c Config) (Engine, error) {
	loader, err := goplugin.NewPolicyPlugin(ctx)
	if err != nil {
		return nil, err
	}
	plugin, err := loader.Load(ctx, path)
	if err != nil {
		return nil, err
	}
	_, err = plugin.Configure(ctx, &goplugin.ConfigureRequest{
		Networks: c.Networks, Assets: c.Assets, Payees: c.Payees, AmountMax: c.AmountMax, ApprovalAbove: c.ApprovalAbove,
		PriceFactor: c.PriceFactor, OpenHour: c.OpenHour, CloseHour: c.CloseHour,
	})
	if err != nil {
		return nil, errors.Join(err, plugin.Close(ctx))
	}
	return &goPlugin{plugin}, nil
}

func (g *goPlugin) Decide(ctx context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	result, err := g.plugin.Decide(ctx, messageOf(r))
	if err != nil {
		return policy.Verdict{}, err
	}
	return policy.Verdict{Outcome: uint8(min(result.Outcome, 255)), Codes: result.Codes}, nil
}

func (g *goPlugin) Close(ctx context.Context) error { return g.plugin.Close(ctx) }

// messageOf copies a request into the generated messages, field by field.
func messageOf(r *abi.DecideRequest) *goplugin.DecideRequest {
	i, q := r.Intent, r.Quote
	m := &goplugin.DecideRequest{
		Intent: &goplugin.Intent{
			Payment: i.Payment, Tenant: i.Tenant, Agent: i.Agent, Key: i.Key, Method: i.Method, Url: i.URL, Origin: i.Origin,
			BodySha256: i.BodySHA256, Scheme: i.Scheme, Network: i.Network, Asset: i.Asset, Payee: i.Payee,
			Amount: i.Amount.Bytes(), AmountMax: i.AmountMax.Bytes(), Purpose: i.Purpose,
		},
		Quote: &goplugin.Quote{
			Scheme: q.Scheme, Network: q.Network, Asset: q.Asset, Payee: q.Payee, Amount: q.Amount.Bytes(), TimeoutS: q.TimeoutS,
			ResourceUrl: q.ResourceURL, MimeType: q.MIMEType, Evidence: uint32(q.Evidence), ObservedUnixS: q.ObservedUnixS,
		},
		Agent:    &goplugin.Agent{Id: r.Agent.ID, Groups: r.Agent.Groups, Tier: r.Agent.Tier, SignedRequest: r.Agent.SignedRequest},
		Facts:    &goplugin.Facts{},
		NowUnixS: r.NowUnixS, PolicySha256: r.PolicySHA256,
	}
	for _, b := range r.Facts.Budgets {
		m.Facts.Budgets = append(m.Facts.Budgets, &goplugin.BudgetLevel{
			Name: b.Name, Unit: b.Unit, Window: b.Window, Used: b.Used.Bytes(), Limit: b.Limit.Bytes(),
		})
	}
	if r.Facts.Quotes != nil {
		for _, s := range r.Facts.Quotes.Samples {
			m.Facts.Quotes = append(m.Facts.Quotes, &goplugin.QuoteSample{Amount: s.Amount.Bytes(), ObservedUnixS: s.ObservedUnixS})
		}
	}
	return m
}
