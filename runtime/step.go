package runtime

import (
	"fmt"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
)

// effects is what a step does besides changing the payment. All of it becomes durable in one transaction.
type effects struct {
	reserve []store.Reservation
	close   store.Closing
	seen    store.Sighting
	// answer is set when the payment's response becomes fixed.
	answer bool
	// rest ends the loop: the payment waits for a person, for time, or for ever.
	rest bool
}

// step is the life of a payment as a pure function: no clock, no I/O, no randomness. It is the only code that
// changes a payment's state. An event that does not fit the state is an error and changes nothing.
func step(p Payment, event Event, at timing) (Payment, effects, error) {
	next, fx, err := apply(p, event, at)
	if err != nil {
		return p, effects{}, fmt.Errorf("payment %s: %s while %s: %w", p.ID, event.kind(), p.State, err)
	}
	if !slices.Contains(arrows[p.State], next.State) {
		return p, effects{}, fmt.Errorf("payment %s: %s must not turn %s into %s", p.ID, event.kind(), p.State, next.State)
	}
	if _, delayed := event.(Delayed); !delayed {
		next.Failures, next.Failure = 0, nil
	}
	if next.State == Denied || next.State == Dead || next.State == Delivered && (!at.slotForever || next.Receipt == nil) {
		next.Slot = ""
	}
	if next.State == Held && next.HoldUntil.IsZero() {
		next.HoldUntil = at.now.Add(at.holdFor) // once: an approval that does not clear the hold gives it no more time
	}
	next.Due = at.due(next)
	fx.rest = fx.rest || next.State.Final() || next.State == Held
	return next, fx, nil
}

// failuresMax bounds how often a step is tried for a payment that nothing is armed for.
const failuresMax = 10

// errMisfit is an event that the state does not take.
var errMisfit = fmt.Errorf("the event does not fit")

func apply(p Payment, event Event, at timing) (Payment, effects, error) {
	switch e := event.(type) {
	case Quoted, ServedFree, Decided, Failed:
		return applyDecision(p, event)
	case Approved, Rejected, CoSignerRefused:
		return applyRefusal(p, event)
	case PreparedNow:
		if p.State != Allowed {
			return p, effects{}, errMisfit
		}
		p.State, p.CoDecision, p.Prepared = Prepared, &e.CoDecision, &e.Preparation
		return p, effects{}, nil
	case ArmedNow:
		if p.State != Prepared {
			return p, effects{}, errMisfit
		}
		p.State, p.Armed = Armed, &e.Armed
		return p, effects{}, nil
	case SignedNow:
		if p.State != Armed {
			return p, effects{}, errMisfit
		}
		p.State, p.Header = Signed, e.Header
		return p, effects{}, nil
	case Delayed:
		p.Failures, p.Failure = p.Failures+1, e.Error
		if p.Failures >= failuresMax && (p.State == Received || p.State == Allowed) {
			return deny(p, &abi.Reason{Code: "gave_up", Rule: string(p.State), Observed: e.Error.Code, Text: "the step kept failing; nothing was signed"})
		}
		return p, effects{rest: true}, nil
	default:
		return applyOutcome(p, event)
	}
}

// applyDecision covers what happens before money is reserved.
func applyDecision(p Payment, event Event) (Payment, effects, error) {
	if failed, ok := event.(Failed); ok {
		return deny(p, &failed.Reason)
	}
	if p.State != Received {
		return p, effects{}, errMisfit
	}
	switch e := event.(type) {
	case Quoted:
		p.Origin, p.Offer = e.Origin, &e.Offer
		return p, effects{}, nil
	case ServedFree:
		p.Origin, p.Response, p.State, p.Delivery = e.Origin, &e.Response, Delivered, deliveryOK
		return p, effects{answer: true}, nil
	case Decided:
		if p.Offer == nil { // nothing is decided before the terms are frozen
			return p, effects{}, errMisfit
		}
		p.Decision, p.Validity = &e.Decision, e.Validity
		switch e.Decision.Outcome {
		case abi.Allow:
			p.State = Allowed
			intent := p.intent()
			// Only a price that was allowed becomes history: quotes alone must not move what is normal.
			return p, effects{reserve: e.Reserve, seen: rules.Sighting(&intent)}, nil
		case abi.Hold:
			p.State = Held
			return p, effects{}, nil
		case abi.Deny:
		}
		return deny(p, nil)
	}
	return p, effects{}, errMisfit
}

// applyRefusal covers people and the co-signer.
func applyRefusal(p Payment, event Event) (Payment, effects, error) {
	switch e := event.(type) {
	case Approved:
		if p.State != Held {
			return p, effects{}, errMisfit
		}
		// The terms are read again and everything is decided again: an approval is not a bypass.
		p.State, p.Approvals = Received, withStatement(p.Approvals, e.Statement)
		if p.Ask.Required == nil {
			p.Offer, p.Origin = nil, ""
		}
		return p, effects{}, nil
	case Rejected:
		if p.State != Held {
			return p, effects{}, errMisfit
		}
		if e.Statement != nil {
			p.Approvals = withStatement(p.Approvals, *e.Statement)
		}
		return deny(p, &e.Reason)
	case CoSignerRefused:
		if p.State != Allowed && p.State != Prepared {
			return p, effects{}, errMisfit
		}
		p.CoDecision = &e.Decision
		if e.Decision.Outcome == abi.Hold {
			p.State, p.Prepared = Held, nil
			return p, effects{close: store.Release}, nil
		}
		return deny(p, nil)
	}
	return p, effects{}, errMisfit
}

// withStatement keeps the newest word of each approver.
func withStatement(all []abi.ApprovalStatement, next abi.ApprovalStatement) []abi.ApprovalStatement {
	others := slices.DeleteFunc(slices.Clone(all), func(s abi.ApprovalStatement) bool { return s.Approver == next.Approver })
	return append(others, next)
}

// deny ends a payment for which no digest is armed. What it had reserved returns.
func deny(p Payment, reason *abi.Reason) (Payment, effects, error) {
	switch p.State {
	case Received, Held, Allowed, Prepared:
		fx := effects{}
		if p.State == Allowed || p.State == Prepared {
			fx.close = store.Release
		}
		p.State, p.Denial = Denied, reason
		return p, fx, nil
	case Denied, Armed, Signed, Unknown, Settled, Dead, Delivered:
	}
	return p, effects{}, errMisfit
}

// applyOutcome covers what happens once a signature may exist. Only the chain moves the payment from here, and before
// anything left the co-signer's tombstone.
func applyOutcome(p Payment, event Event) (Payment, effects, error) {
	signed := p.State == Signed || p.State == Unknown
	switch e := event.(type) {
	case Disclaimed:
		if p.State != Armed {
			return p, effects{}, errMisfit
		}
		p.State, p.Tombstone = Dead, &e.Tombstone
		p.Denial = &abi.Reason{Code: "signing_failed", Rule: string(Armed), Text: "the signature could not be made in time and never will be"}
		return p, effects{close: store.Release}, nil
	case HandedOut:
		if p.State != Signed || !p.Ask.HandOut {
			return p, effects{}, errMisfit
		}
		p.State = Unknown
		return p, effects{rest: true}, nil
	case PresentedNow:
		if !signed {
			return p, effects{}, errMisfit
		}
		p = noted(p, e.Presented)
		p.Presentations++
		fx := effects{}
		if delivers(e.Presented) && p.Response == nil {
			p.Response, fx.answer = &e.Presented.Response, true
		}
		return applyFate(p, e.Fate, fx)
	case Reconciled:
		if !signed && p.State != Armed {
			return p, effects{}, errMisfit
		}
		return applyFate(p, e.Fate, effects{})
	case DeliveredNow:
		if p.State != Settled {
			return p, effects{}, errMisfit
		}
		fx := effects{}
		if e.Response != nil {
			p.Response, fx.answer = e.Response, true
		}
		p.State, p.Delivery = Delivered, deliveryOK
		return p, fx, nil
	case Undelivered:
		if p.State != Settled {
			return p, effects{}, errMisfit
		}
		p = noted(p, e.Presented)
		p.Delivery = deliveryFailed
		return p, effects{rest: true}, nil
	}
	return p, effects{}, errMisfit
}

// applyFate is the dead-nonce rule: budget settles when the chain shows the transfer, returns when the chain
// shows that it can never happen, and stays reserved otherwise, whatever anybody says.
func applyFate(p Payment, fate settle.Fate, fx effects) (Payment, effects, error) {
	switch fate.Life {
	case abi.LifeUsed:
		if fate.Receipt == nil {
			return p, effects{}, fmt.Errorf("the authorization was used, but there is no receipt")
		}
		p.State, p.Receipt, fx.close = Settled, fate.Receipt, store.Settle
	case abi.LifeDead:
		p.State, fx.close = Dead, store.Release
	case abi.LifeLive:
		p.State, fx.rest = Unknown, true
	}
	return p, fx, nil
}

const (
	deliveryOK     = "ok"
	deliveryFailed = "failed"
)

// delivers reports whether the server answered with the resource.
func delivers(presented settle.Presented) bool {
	return presented.Response.Status >= 200 && presented.Response.Status < 300
}

func noted(p Payment, presented settle.Presented) Payment {
	p.Refusal, p.Claimed = presented.Refusal, presented.Transaction
	return p
}

// timing is the policy's and the clock's part of a step, read before it.
type timing struct {
	now time.Time
	// holdFor is how long a hold waits for a person.
	holdFor time.Duration
	// slotForever keeps the request's slot after delivery: repeats: never.
	slotForever bool
}
