package cosigner

import (
	"context"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

var _ standing.Peer = (*CoSigner)(nil)

// Accept takes an order that this side's operators signed, whoever brings it, and however often. An enrolment goes to
// the registry; the others are kept by package standing. A freeze is in force before Accept returns, also when it
// returns an error of the ledger. Codes: those of Enrol and of standing.Orders.
func (c *CoSigner) Accept(ctx context.Context, o *abi.Order) (err error) {
	if o != nil && o.Kind == order.Enrolment {
		return c.Enrol(ctx, o)
	}
	defer func() { c.refused(ctx, asked{what: "order"}, err) }()
	if !c.listens() {
		return errNotListening()
	}
	if err := c.orders.Accept(ctx, o); err != nil {
		return err
	}
	if o.Kind == order.Freeze { // none of them could sign what is frozen, and the rest is prepared again in a second
		c.DropSessions("freeze")
	}
	return nil
}

// Offer takes orders that the runtime accepted or carries, enrolments included, at most standing.OrdersPageMax. One that
// does not hold is logged and passed over; only what may work later is an error.
func (c *CoSigner) Offer(ctx context.Context, orders []*abi.Order) error {
	if len(orders) > standing.OrdersPageMax {
		return invalid("orders", fmt.Sprintf("%d orders at once, want at most %d", len(orders), standing.OrdersPageMax))
	}
	if !c.listens() {
		return nil // it says so to operators; the runtime has nothing to repair
	}
	for _, o := range orders {
		err := c.Accept(ctx, o)
		var refusal *abi.Error
		if errors.As(err, &refusal) && (refusal.Retry == "" || refusal.Retry == abi.RetryNever) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Orders lists the freezes, thaws and releases that this side accepted after the first n, in the order of acceptance, at
// most standing.OrdersPageMax. Enrolments are in the registry.
func (c *CoSigner) Orders(ctx context.Context, after uint64) ([]*abi.Order, error) {
	return c.orders.Orders(ctx, after)
}

// Freezes lists the freezes in force at this side.
func (c *CoSigner) Freezes(ctx context.Context) ([]standing.Freeze, error) {
	return c.orders.Freezes(ctx)
}

func errNotListening() error {
	return &abi.Error{Code: "orders_not_taken", Message: "this co-signer has no operators configured", Fix: "name them with their keys in its configuration"}
}

// barred is the denial of a claim that operators' orders stop before any policy is asked: a freeze, or a policy that
// they have not released. ok is false when they stop nothing.
func (c *CoSigner) barred(ctx context.Context, j *judge.Judge, claim claimed, agent store.Agent) (ruling judge.Ruling, ok bool, err error) {
	err = c.orders.Frozen(ctx, target(claim, agent))
	if err == nil {
		err = c.mayServe(ctx, j)
	}
	var stop *abi.Error
	if !errors.As(err, &stop) || stop.Code != standing.CodeFrozen && stop.Code != standing.CodePolicyUnreleased {
		return judge.Ruling{}, false, err
	}
	hash := j.Bundle().Hash()
	return judge.Ruling{Decision: abi.Decision{
		Outcome: abi.Deny, PolicySHA256: hash[:], Side: judge.CoSigner,
		Verdicts: []abi.Verdict{{Source: rules.SourceRules, Outcome: abi.Deny, Reasons: []abi.Reason{{
			Code: stop.Code, Rule: "orders", Observed: stop.Where, Text: stop.Message,
		}}}},
	}}, true, nil
}

// mayServe refuses a judge whose bundle is not the one that operators released last, where they release policies.
func (c *CoSigner) mayServe(ctx context.Context, j *judge.Judge) error {
	if !c.config.PolicyOrders {
		return nil
	}
	return c.orders.Released(ctx, j.Bundle().Hash())
}
