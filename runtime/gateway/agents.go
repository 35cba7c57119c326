package gateway

import (
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

func (g *Gateway) agents(c call) (any, error) {
	if !c.who.operator {
		return nil, forbidden("only the operator lists agents")
	}
	agents, err := g.config.Runtime.ListAgents(c.ctx)
	if err != nil {
		return nil, err
	}
	views := make([]api.AgentView, 0, len(agents))
	for _, agent := range agents {
		view, err := g.config.Runtime.AgentView(agent)
		if err != nil {
			return nil, err
		}
		views = append(views, view)
	}
	return map[string]any{"agents": views}, nil
}

func (g *Gateway) agent(c call) (any, error) {
	params, err := g.agentParams(c)
	if err != nil {
		return nil, err
	}
	agent, err := g.config.Runtime.Agent(c.ctx, params.Agent)
	if err != nil {
		return nil, err
	}
	return g.config.Runtime.AgentView(agent)
}

func (g *Gateway) agentParams(c call) (api.AgentParams, error) {
	var params api.AgentParams
	if !c.who.operator {
		return params, forbidden("only the operator manages agents")
	}
	err := c.decode(&params)
	params.Agent = c.path("agent", params.Agent)
	return params, err
}

func (g *Gateway) createAgent(c call) (any, error) {
	params, err := g.agentParams(c)
	if err != nil {
		return nil, err
	}
	token, err := g.config.Runtime.RegisterAgent(c.ctx, params)
	if err != nil {
		return nil, err
	}
	agent, err := g.config.Runtime.Agent(c.ctx, params.Agent)
	if err != nil {
		return nil, err
	}
	return g.withToken(agent, token)
}

// submitOrder takes an operators' order. The operator's token says who may bring one, the endorsements what it is worth.
func (g *Gateway) submitOrder(c call) (any, error) {
	var params api.OrderParams
	if !c.who.operator {
		return nil, forbidden("only the operator brings orders")
	}
	if err := c.decode(&params); err != nil {
		return nil, err
	}
	if params.Order == nil {
		return nil, invalid("order", "there is no order", "send the whole order, as purser order sign wrote it")
	}
	view := api.OrderView{Kind: params.Order.Kind, Subject: params.Order.Subject, Serial: params.Order.Serial}
	if params.Order.Kind != order.Enrolment {
		return view, g.config.Runtime.Accept(c.ctx, params.Order)
	}
	agent, token, err := g.config.Runtime.EnrolAgent(c.ctx, params.Order, params.Groups)
	if err != nil {
		return nil, err
	}
	shown, err := g.withToken(agent, token)
	view.Agent = &shown
	return view, err
}

// withToken shows an agent with its new token, the only time that anybody sees it.
func (g *Gateway) withToken(agent store.Agent, token runtime.Token) (api.AgentView, error) {
	view, err := g.config.Runtime.AgentView(agent)
	view.Token = token.Reveal()
	return view, err
}

func (g *Gateway) rotateAgent(c call) (any, error) {
	params, err := g.agentParams(c)
	if err != nil {
		return nil, err
	}
	token, err := g.config.Runtime.RotateAgent(c.ctx, params.Agent)
	if err != nil {
		return nil, err
	}
	return api.AgentView{ID: params.Agent, Token: token.Reveal()}, nil
}

func (g *Gateway) revokeAgent(c call) (any, error) {
	params, err := g.agentParams(c)
	if err != nil {
		return nil, err
	}
	return api.AgentView{ID: params.Agent, Revoked: true}, g.config.Runtime.RevokeAgent(c.ctx, params.Agent)
}
