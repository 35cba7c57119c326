package runtime

import (
	"context"
	"errors"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

// Accept takes an order that this side's operators signed, whoever brings it, and however often. A freeze is in force
// before Accept returns, and the co-signer is told at once. Enrolments go through EnrolAgent. Codes: those of
// standing.Orders, and "orders_not_taken" when none are kept here.
func (r *Runtime) Accept(ctx context.Context, o *abi.Order) error {
	if r.config.Orders == nil {
		return &abi.Error{Code: "orders_not_taken", Message: "this runtime has no operators configured", Fix: "name them with their keys in its configuration"}
	}
	err := r.config.Orders.Accept(ctx, o)
	r.tail.wake()
	return err
}

// Freezes lists the freezes in force at this side.
func (r *Runtime) Freezes(ctx context.Context) ([]standing.Freeze, error) {
	if r.config.Orders == nil {
		return nil, nil
	}
	return r.config.Orders.Freezes(ctx)
}

// frozen refuses to go on with a payment that operators froze any part of, as far as the payment knows its parts.
func (r *Runtime) frozen(ctx context.Context, p Payment) error {
	if r.config.Orders == nil {
		return nil
	}
	target := order.Target{Agent: p.Agent}
	agent, err := r.Agent(ctx, p.Agent)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	target.Wallet = agent.Wallet
	if p.Offer != nil {
		target.Payee, target.Network = p.Offer.Quote.Payee, p.Offer.Quote.Network
	}
	if p.Armed != nil { // what was promised, whatever the agent pays from by now
		target.Wallet = p.Armed.Wallet
	}
	return r.config.Orders.Frozen(ctx, target)
}

// denyFrozen ends a payment that is not armed while it is frozen. It returns nil when it is not.
func (r *Runtime) denyFrozen(ctx context.Context, p Payment) (Event, error) {
	err := r.frozen(ctx, p)
	var known *abi.Error
	if errors.As(err, &known) && known.Code == standing.CodeFrozen {
		return Failed{Reason: abi.Reason{Code: known.Code, Rule: "orders", Observed: known.Where, Text: known.Message}}, nil
	}
	return nil, err
}

// mayBegin refuses a new payment while its agent is frozen, before its key is used up. A payment that exists is told to
// its agent, frozen or not.
func (r *Runtime) mayBegin(ctx context.Context, agent store.Agent, key string) error {
	frozen := r.frozen(ctx, Payment{Agent: agent.ID})
	if frozen == nil {
		return nil
	}
	_, err := r.config.Store.Row(ctx, r.config.Tenant, judge.PaymentID(r.config.Tenant, agent.ID, key))
	if errors.Is(err, store.ErrNotFound) {
		return frozen
	}
	return err
}
