package runtime

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
)

// quoteAndDecide is the work of a received payment: read the terms, freeze one offer, then judge it. The terms are an
// event of their own, so that a crash between the two does not ask the merchant twice under one decision.
func (r *Runtime) quoteAndDecide(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	if p.Offer == nil {
		return r.quote(ctx, rules, p)
	}
	return r.decide(ctx, rules, p)
}

func (r *Runtime) quote(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	// Nobody fetches anything through the runtime whom no policy lets pay there: a token is not a proxy.
	policy, ok := rules.policyFor(p.Agent)
	if !ok {
		return failed(abi.ReasonNoPolicy, "agents", "no policy names this agent"), nil
	}
	if origin := originOf(p.Ask.Resource.URL); !policy.MayAsk(origin) {
		return failed(abi.ReasonPayeeNotAllowed, "allowed_recipients", "the agent's policy allows no payee at this origin"), nil
	}
	quoted := settle.Quoted{}
	if p.Ask.Required != nil {
		quoted = *p.Ask.Required
	} else {
		var err error
		if quoted, err = r.config.Protocol.Quote(ctx, p.Ask.Resource); err != nil {
			if ctx.Err() != nil && r.life.Err() != nil {
				return nil, err
			}
			return failed(abi.CodeOf(err), "quote", publicError(err).Message), nil
		}
	}
	if quoted.Free != nil {
		return ServedFree{Origin: quoted.Origin, Response: *quoted.Free}, nil
	}
	offer, ok := r.choose(rules, quoted.Offers)
	if !ok {
		return failed("no_acceptable_offer", "quote",
			fmt.Sprintf("none of the %d offers is for a network, scheme and asset that this runtime serves", len(quoted.Offers))), nil
	}
	offer.Quote.ObservedUnixS = uint64(r.config.Now().Unix()) //nolint:gosec // after 1970
	if p.Ask.Required == nil {
		offer.Quote.Evidence = abi.EvidenceFetched
	}
	return Quoted{Origin: quoted.Origin, Offer: offer}, nil
}

// choose takes the first offer that can be paid from here. The merchant's order is its preference.
func (r *Runtime) choose(rules *Rules, offers []settle.Offer) (settle.Offer, bool) {
	for _, offer := range offers {
		network := abi.Network(offer.Quote.Network)
		if _, readable := r.config.Chains[network]; !readable {
			continue
		}
		if _, err := rules.adapterFor(network, offer.Quote.Scheme); err != nil {
			continue
		}
		if _, known := rules.Judge.Tokens().ByAsset(abi.Asset(offer.Quote.Asset)); known {
			return offer, true
		}
	}
	return settle.Offer{}, false
}

// decide judges the frozen offer on one snapshot of facts. It reserves nothing by itself: the reservations go into the
// transaction that records the decision.
func (r *Runtime) decide(ctx context.Context, rules *Rules, p Payment) (Event, error) {
	agent, err := r.Agent(ctx, p.Agent)
	if err != nil {
		return nil, err
	}
	if agent.Revoked {
		return failedRevoked(nil)
	}
	if event, err := r.denyFrozen(ctx, p); event != nil || err != nil {
		return event, err
	}
	if ceiling := p.Ask.AmountMax; !ceiling.IsZero() && p.Offer.Quote.Amount.Cmp(ceiling) > 0 {
		return Failed{Reason: abi.Reason{
			Code: "over_agent_max", Rule: "max", Observed: p.Offer.Quote.Amount.String(), Limit: ceiling.String(),
			WouldPass: ceiling.String(), Text: "the price is above the agent's own ceiling for this call",
		}}, nil
	}
	intent := p.intent()
	signed, err := enrol.Claim(agent, &intent, r.config.Now()) // again: a hold may have outlived the signature, or the key
	if err != nil {
		return failed(abi.CodeOf(err), "request", publicError(err).Message), nil //nolint:nilerr // a claim that does not hold is a denial
	}
	if reason, err := r.checkBreaker(ctx, rules, p); err != nil || reason != nil {
		return denied(reason, err)
	}
	ruling, err := rules.Judge.Rule(ctx, r.config.Store, judge.Case{
		Intent: intent, Quote: p.Offer.Quote, Approvals: p.Approvals,
		Requester: agent.PublicKey, SignedRequest: signed, Side: judge.Runtime, Now: r.config.Now(),
	})
	if err != nil {
		return nil, err
	}
	for _, began := range ruling.Quarantined {
		r.tellQuarantine(ctx, began)
	}
	if ruling.Decision.Outcome == abi.Hold {
		if full, err := r.holdsFull(ctx, p); err != nil || full {
			return failed("holds_full", "approvals", fmt.Sprintf("%d payments of this agent wait for a person already", holdsAgentMax)), err
		}
	}
	return Decided{Decision: ruling.Decision, Reserve: ruling.Reserve, Validity: ruling.Validity}, nil
}

// holdsAgentMax bounds an agent's held payments: a flood of them would hide everybody's from the people who answer.
const holdsAgentMax = 16

func (r *Runtime) holdsFull(ctx context.Context, p Payment) (bool, error) {
	held, err := r.config.Store.Rows(ctx, store.RowQuery{Tenant: p.Tenant, Agent: p.Agent, States: []string{string(Held)}, Max: holdsAgentMax})
	return len(held) >= holdsAgentMax, err
}

// intent is what is to be paid, from the ask and the frozen offer.
func (p Payment) intent() abi.Intent {
	body := sha256.Sum256(p.Ask.Resource.Body)
	quote := p.Offer.Quote
	return abi.Intent{
		Payment: p.ID, Tenant: p.Tenant, Agent: p.Agent, Key: p.Key,
		Method: p.Ask.Resource.Method, URL: p.Ask.Resource.URL, Origin: p.Origin, BodySHA256: body[:],
		Scheme: quote.Scheme, Network: quote.Network, Asset: quote.Asset, Payee: quote.Payee,
		Amount: quote.Amount, AmountMax: p.Ask.AmountMax, Purpose: p.Ask.Purpose, Request: p.Ask.Signed,
	}
}

// failedRevoked ends a payment that is not armed when its agent may not pay any more.
func failedRevoked(err error) (Event, error) {
	if err != nil {
		return nil, err
	}
	return failed("agent_revoked", "agent", "the agent's access was revoked"), nil
}

func failed(code, rule, text string) Failed {
	return Failed{Reason: abi.Reason{Code: code, Rule: rule, Text: text}}
}

// originOf is scheme://host:port of a URL that checkAsk accepted.
func originOf(raw string) string {
	target, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return target.Scheme + "://" + target.Host
}
