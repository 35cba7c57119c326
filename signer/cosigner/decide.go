package cosigner

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
)

// Consult decides on the intent and logs the decision. Nothing is reserved and nothing promised.
func (c *CoSigner) Consult(ctx context.Context, request *abi.ConsultRequest) (_ *abi.Decision, err error) {
	defer func() { c.refused(ctx, askedFor("consult", request.Intent), err) }()
	claim := claimed{intent: request.Intent, quote: request.Quote, approvals: request.Approvals}
	if err := c.check(claim); err != nil {
		return nil, err
	}
	if claim.signed, err = c.verify(ctx, claim.intent); err != nil {
		return nil, err
	}
	if claim.floor, err = c.known(ctx); err != nil {
		return nil, err
	}
	j, release := c.judge.Acquire()
	defer release()
	ruling, err := c.rule(ctx, j, claim)
	if err != nil {
		return nil, err
	}
	if _, err := c.note(ctx, claim, ruling); err != nil {
		return nil, err
	}
	return &ruling.Decision, nil
}

// claimed is what the runtime says: checked against itself, then judged.
type claimed struct {
	intent    *abi.Intent
	quote     *abi.Quote
	approvals []abi.ApprovalStatement
	// signed says that the agent's own key signed the intent, and that this side verified it.
	signed bool
	// wallet is the one it asks to pay from; empty before it is armed.
	wallet string
	// floor is what was known of the runtime's ledger when it asked; zero when it asks to arm.
	floor peer.Floor
}

// check refuses a claim whose parts do not agree: an intent that names another payee than the requirement, a payment
// id that is not the key's. What is left to judge is one consistent story.
func (c *CoSigner) check(claim claimed) error {
	if claim.intent == nil || claim.quote == nil {
		return invalid("intent", "the request has no intent or no quote")
	}
	intent := claim.intent
	if intent.Tenant != c.config.Tenant {
		return invalid("intent.tenant", "this co-signer serves another tenant")
	}
	if intent.Payment != judge.PaymentID(intent.Tenant, intent.Agent, intent.Key) {
		return invalid("intent.payment", "the payment id does not belong to this tenant, agent and key")
	}
	return requirementMatches(claim.quote.Requirement, intent)
}

// rule judges the claim on this side's own policy, facts and clock. The runtime's word on who the payee is counts as
// what it is: an assertion. Only this side's own pins raise it.
func (c *CoSigner) rule(ctx context.Context, j *judge.Judge, claim claimed) (judge.Ruling, error) {
	agent, err := c.agentOf(ctx, claim)
	if err != nil {
		return judge.Ruling{}, err
	}
	if ruling, ok, err := c.barred(ctx, j, claim, agent); ok || err != nil {
		return ruling, err
	}
	if ruling, ok, err := c.hindered(ctx, j, claim); ok || err != nil {
		return ruling, err
	}
	quote := *claim.quote
	quote.Evidence = abi.EvidenceAsserted
	ruling, err := j.Rule(ctx, c.config.Store, judge.Case{
		Intent: *claim.intent, Quote: quote, Approvals: claim.approvals,
		Requester: agent.PublicKey, SignedRequest: claim.signed, Side: judge.CoSigner, Now: c.config.Now(),
	})
	for _, q := range ruling.Quarantined {
		c.config.Log.WarnContext(ctx, "plugin quarantined", "policy", q.Policy, "plugin", q.Plugin, "module", q.Module, "for_agent", q.Agent, "by", q.By, "code", q.Code)
	}
	return ruling, err
}

// note logs a decision on the payment's row, making the row when there is none. A row that carries a promise keeps
// it: the decision is only logged.
func (c *CoSigner) note(ctx context.Context, claim claimed, ruling judge.Ruling) (store.Row, error) {
	decision := ruling.Decision
	detail := map[string]any{"decision": decision, "payee": claim.intent.Payee, "amount": claim.intent.Amount, "asset": claim.intent.Asset}
	if len(ruling.Quarantined) > 0 { // this decision began them
		detail["quarantined"] = ruling.Quarantined
	}
	kind := "cosigner." + decision.Outcome.String()
	for range noteAttemptsMax {
		row, err := c.config.Store.Row(ctx, c.config.Tenant, claim.intent.Payment)
		if isNotFound(err) {
			row, found, err := c.insert(ctx, claim, decision, kind, detail)
			if err != nil || !found {
				return row, err
			}
			continue
		}
		if err != nil {
			return store.Row{}, err
		}
		r, err := readRecord(row)
		if err != nil {
			return store.Row{}, err
		}
		if !promised(row.State) {
			r.Decision = decision
			if claim.floor != (peer.Floor{}) {
				r.Floor = claim.floor
			}
		}
		next, err := change(row, row.State, r, kind, detail)
		if err != nil {
			return store.Row{}, err
		}
		committed, err := c.config.Store.Commit(ctx, next)
		if abi.CodeOf(err) == store.ErrConflict.Code {
			continue
		}
		return committed, err
	}
	return store.Row{}, store.ErrConflict
}

// noteAttemptsMax bounds retries when two requests for one payment race.
const noteAttemptsMax = 4

func (c *CoSigner) insert(ctx context.Context, claim claimed, decision abi.Decision, kind string, detail any) (store.Row, bool, error) {
	first := store.Row{Tenant: c.config.Tenant, Agent: claim.intent.Agent, ID: claim.intent.Payment, Key: claim.intent.Key}
	made, err := change(first, consulted, record{Decision: decision, Floor: claim.floor}, kind, detail)
	if err != nil {
		return first, false, err
	}
	first.State, first.Body = consulted, made.Body
	row, result, err := c.config.Store.Insert(ctx, first, made.Entry)
	if err != nil {
		return row, false, err
	}
	return row, result != store.ClaimCreated, nil
}

func invalid(where, message string) error {
	return &abi.Error{Code: "claim_invalid", Where: where, Message: message, Fix: "nothing was promised; the runtime sent an inconsistent request"}
}

// requirementMatches reads the merchant's own bytes and compares them with the intent, field by field.
func requirementMatches(requirement []byte, intent *abi.Intent) error {
	_, entries, err := abi.Flatten(requirement)
	if err != nil {
		return invalid("quote.requirement", "the requirement is not plain JSON")
	}
	fields := map[string]string{}
	for _, entry := range entries {
		if entry.Type == "string" {
			fields[entry.Pointer] = entry.Text
		}
	}
	asset, err := abi.ERC20(abi.Network(fields["/network"]), fields["/asset"])
	if err != nil {
		return invalid("quote.requirement.asset", "the requirement names no asset this side knows how to read")
	}
	for _, field := range []struct{ name, stated, intended string }{
		{"scheme", fields["/scheme"], intent.Scheme},
		{"network", fields["/network"], intent.Network},
		{"asset", string(asset), intent.Asset},
		{"amount", fields["/amount"], intent.Amount.String()},
		{"payTo", lower(fields["/payTo"]), intent.Payee},
	} {
		if field.stated != field.intended {
			return invalid("quote.requirement."+field.name, fmt.Sprintf("the requirement says %.80q, the intent %.80q", field.stated, field.intended))
		}
	}
	return nil
}
