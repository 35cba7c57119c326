package gateway

import (
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/judge"
)

func (g *Gateway) quarantines(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator lists quarantined plugins")
	}
	views := []api.QuarantineView{}
	for _, q := range g.config.Runtime.Quarantines() {
		views = append(views, quarantineView(q))
	}
	return map[string]any{"quarantine": views}, nil
}

func (g *Gateway) clearQuarantine(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator clears a quarantine")
	}
	var params api.QuarantineParams
	if err := c.decode(&params); err != nil {
		return nil, err
	}
	cleared, err := g.config.Runtime.ClearQuarantine(c.ctx, params.Policy, params.Plugin, params.Agent)
	if err != nil {
		return nil, err
	}
	return quarantineView(cleared), nil
}

func quarantineView(q judge.Quarantine) api.QuarantineView {
	return api.QuarantineView{Policy: q.Policy, Plugin: q.Plugin, Module: q.Module, Agent: q.Agent, By: q.By, Code: q.Code, Since: q.Since}
}
