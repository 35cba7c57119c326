package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
)

// Approve takes an approver's signed statement on a held payment: a yes re-enters the loop, where everything is read
// and decided again; a no denies. The statement must bind this payment's payee, asset, network, resource and a
// ceiling, and be signed by an approver of the agent's policy. It returns the payment at rest.
func (r *Runtime) Approve(ctx context.Context, statement abi.ApprovalStatement) (Payment, error) {
	p, err := r.Payment(ctx, statement.Payment)
	if err != nil {
		return Payment{}, err
	}
	if p.State != Held {
		return p, &abi.Error{Code: "not_held", Where: p.ID, Message: fmt.Sprintf("the payment is %s, not held", p.State), Fix: "nothing to approve; read the payment"}
	}
	if statement.Approve { // it would be denied for good: a held payment stays held; a no is always taken
		if err := r.frozen(ctx, p); err != nil {
			return p, err
		}
	}
	now := r.config.Now()
	rules, release := r.rules.Acquire()
	defer release()
	agent, err := r.Agent(ctx, p.Agent)
	if err != nil {
		return p, err
	}
	if err := rules.Judge.CheckStatement(statement, p.intent(), agent.PublicKey, now); err != nil {
		return p, err
	}
	var event Event = Approved{Statement: statement}
	if !statement.Approve {
		event = Rejected{Statement: &statement, Reason: abi.Reason{Code: "rejected", Rule: statement.Approver, Text: "an approver said no"}}
	}
	place, _, err := r.begin(p.ID, "")
	if err != nil {
		return p, err
	}
	if place == nil {
		return p, &abi.Error{Code: "conflict", Where: p.ID, Message: "the payment is being worked on", Retry: abi.RetryLater, Fix: "repeat in a moment"}
	}
	next, rest, err := r.commit(ctx, rules, p, event)
	if err != nil {
		r.abandon(place)
		if errors.Is(err, store.ErrConflict) {
			return r.reread(ctx, p)
		}
		return p, err
	}
	if rest {
		r.finish(place, next, nil)
		return next, nil
	}
	release() // the run that starts has a hold of its own
	r.start(place, next)
	return place.wait(ctx, next)
}

// Statement is what an approver signs for a held payment: read it, compare it with what is on the screen, sign it
// with judge.SignStatement. The ceiling is the price that was quoted.
func (r *Runtime) Statement(ctx context.Context, payment, approver string, approve bool) (abi.ApprovalStatement, error) {
	p, err := r.Payment(ctx, payment)
	if err != nil {
		return abi.ApprovalStatement{}, err
	}
	if p.State != Held {
		return abi.ApprovalStatement{}, &abi.Error{Code: "not_held", Where: p.ID, Message: fmt.Sprintf("the payment is %s, not held", p.State)}
	}
	intent := p.intent()
	return judge.NewStatement(intent, approver, approve, p.HoldUntil, p.Decision.PolicySHA256), nil
}

// expireHold is the work of a held payment: nothing, until nobody answered in time.
func (r *Runtime) expireHold(_ context.Context, _ *Rules, p Payment) (Event, error) {
	if r.config.Now().Before(p.HoldUntil) {
		return nil, nil
	}
	return Rejected{Reason: abi.Reason{Code: "hold_expired", Rule: "approvals", Text: "nobody approved in time"}}, nil
}
