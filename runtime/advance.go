package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

// works maps each state to the one piece of work that can move it. A state without work is final.
var works = map[State]func(*Runtime, context.Context, *Rules, Payment) (Event, error){
	Received: (*Runtime).quoteAndDecide,
	Held:     (*Runtime).expireHold,
	Allowed:  (*Runtime).prepare,
	Prepared: (*Runtime).arm,
	Armed:    (*Runtime).sign,
	Signed:   (*Runtime).present,
	Unknown:  (*Runtime).reconcile,
	Settled:  (*Runtime).deliver,
}

const (
	// stepsMax bounds one run of the loop. The longest honest run has nine steps.
	stepsMax = 32
	// roomMissesMax bounds how often a decision is made again because a budget filled up between reading and
	// reserving.
	roomMissesMax = 4
	// commitRetriesMax bounds how often one change is offered to a ledger that fails: 7.5 seconds of pauses.
	commitRetriesMax = 4
)

// advance runs steps until the payment rests. Submit, Approve, recovery and reconciliation all end here, so there
// is one path to test. The error is for this caller only: the payment is whatever the ledger says.
func (r *Runtime) advance(ctx context.Context, p Payment) (Payment, error) {
	misses := 0
	place := signingPlace{places: r.signing}
	defer place.leave()
	held := stepRules{current: r.rules}
	defer held.leave()
	for range stepsMax {
		work, ok := works[p.State]
		if !ok {
			return p, nil
		}
		event, err := r.attempt(ctx, held.enter(p.State), p, &place, work)
		if err != nil {
			return p, fmt.Errorf("payment %s: leave %s: %w", p.ID, p.State, err)
		}
		if event == nil { // nothing to do yet
			return p, nil
		}
		if unchanged(p, event) {
			return r.postpone(ctx, p)
		}
		rules := held.held()
		r.countDelivery(ctx, rules, p, event)
		next, rest, err := r.commit(ctx, rules, p, event)
		var full *store.NoRoomError
		switch {
		case errors.As(err, &full) && misses < roomMissesMax:
			misses++ // decide again on fresh levels, so that the denial shows what it saw
			continue
		case errors.As(err, &full):
			contended := Failed{Reason: abi.Reason{Code: "budget_contended", Rule: full.Limit.Name, Observed: full.Level.String(), Limit: full.Limit.Max.String()}}
			if next, _, err = r.commit(ctx, rules, p, contended); err != nil {
				return p, err
			}
			return next, nil
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrCommitUnknown):
			return r.reread(ctx, p)
		case err != nil:
			return r.setAside(ctx, rules, p, err)
		}
		if p = next; rest {
			return p, nil
		}
	}
	return p, fmt.Errorf("payment %s: no rest after %d steps", p.ID, stepsMax)
}

// unchanged reports whether an event says only what the payment says already: that nobody knows yet.
func unchanged(p Payment, event Event) bool {
	found, ok := event.(Reconciled)
	return ok && p.State == Unknown && p.Failures == 0 && found.Fate.Life == abi.LifeLive
}

// postpone lets an unknown payment wait for the next look at the chain without a log entry: it may take many.
func (r *Runtime) postpone(ctx context.Context, p Payment) (Payment, error) {
	pause := reconcileEvery
	if r.expired(p) {
		pause = reconcileExpiredEvery
	}
	row, err := r.config.Store.Defer(ctx, p.Tenant, p.ID, p.Version, r.config.Now().Add(pause))
	if errors.Is(err, store.ErrConflict) {
		return r.reread(ctx, p)
	}
	if err != nil {
		return p, fmt.Errorf("payment %s: wait for the chain: %w", p.ID, err)
	}
	return fromRow(row)
}

// setAside gives a payment whose step cannot be recorded a later Due, so that it is tried again after a pause that
// grows, and before it is armed not for ever.
func (r *Runtime) setAside(ctx context.Context, rules *Rules, p Payment, cause error) (Payment, error) {
	if ctx.Err() != nil {
		return p, cause
	}
	next, _, err := r.commit(ctx, rules, p, Delayed{Error: publicError(cause)})
	if err != nil {
		return p, errors.Join(cause, err)
	}
	return next, cause
}

// attempt does a state's work within its time. A failure becomes an event, unless the runtime is closing: then
// the payment stays as it is for the next process.
func (r *Runtime) attempt(ctx context.Context, rules *Rules, p Payment, place *signingPlace, work func(*Runtime, context.Context, *Rules, Payment) (Event, error)) (Event, error) {
	bounded := ctx
	if limit, ok := patience[p.State]; ok {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := place.enter(bounded, p.State)
	if err == nil {
		var event Event
		if event, err = work(r, bounded, rules, p); err == nil {
			return event, nil
		}
	}
	if ctx.Err() != nil {
		return nil, err
	}
	r.config.Log.WarnContext(ctx, "payment delayed", "payment", p.ID, "state", string(p.State), "code", abi.CodeOf(err), "error", err.Error())
	return Delayed{Error: publicError(err)}, nil
}

// publicError keeps the code and sentence of an error and drops what only this host may see.
func publicError(err error) *abi.Error {
	var known *abi.Error
	if errors.As(err, &known) {
		return &abi.Error{Code: known.Code, Message: known.Message, Where: known.Where, Fix: known.Fix, Retry: known.Retry}
	}
	return &abi.Error{
		Code: "internal", Message: "a step of the payment could not be done", Retry: abi.RetrySameKey,
		Fix: "the runtime retries by itself; its log has the details",
	}
}

// commit turns an event into a transition and makes it durable.
func (r *Runtime) commit(ctx context.Context, rules *Rules, p Payment, event Event) (Payment, bool, error) {
	next, fx, err := step(p, event, r.timing(rules, p))
	if err != nil {
		return p, false, err
	}
	change, err := change(p, next, event, fx)
	if err != nil {
		return p, false, err
	}
	row, err := r.record(ctx, change)
	if err != nil {
		return p, false, err
	}
	r.tail.wake()
	committed, err := fromRow(row)
	r.unsent.moved(p, event, committed)
	return committed, fx.rest, err
}

// record makes a change durable. A ledger that fails is asked again, with the same change: what the step found out,
// such as a signature or a merchant's answer, is worth more than the pause, and a payment that waited until it is due
// instead could outlive its authorization.
func (r *Runtime) record(ctx context.Context, change store.Change) (store.Row, error) {
	for failures := 1; ; failures++ {
		row, err := r.config.Store.Commit(ctx, change)
		if errors.Is(err, store.ErrCommitUnknown) {
			row, err = r.committed(ctx, change)
		}
		if err == nil || failures > commitRetriesMax || ctx.Err() != nil || answered(err) {
			return row, err
		}
		r.config.Log.WarnContext(ctx, "the ledger failed", "payment", change.ID, "error", err.Error())
		select {
		case <-ctx.Done():
			return row, err
		case <-time.After(retryDelay(failures)):
		}
	}
}

// committed finds out what became of a change that the ledger did not confirm. ErrCommitUnknown says that it did not
// happen yet, or that the ledger cannot even be read.
func (r *Runtime) committed(ctx context.Context, change store.Change) (store.Row, error) {
	row, err := r.config.Store.Row(ctx, change.Tenant, change.ID)
	switch {
	case err != nil || row.Version == change.Version:
		return row, errors.Join(store.ErrCommitUnknown, err)
	case row.Version == change.Version+1 && row.State == change.State && bytes.Equal(row.Body, change.Body):
		return row, nil
	default:
		return row, store.ErrConflict
	}
}

// errRecordInvalid is the ledger's answer to a record that is too large or malformed.
var errRecordInvalid = &abi.Error{Code: "record_invalid"}

// answered reports whether an error is the ledger's answer, which asking again does not change.
func answered(err error) bool {
	var full *store.NoRoomError
	if errors.As(err, &full) {
		return true
	}
	for _, answer := range []error{store.ErrConflict, store.ErrWriteOnce, store.ErrSlotTaken, store.ErrNotFound, errRecordInvalid} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

func (r *Runtime) timing(in *Rules, p Payment) timing {
	at := timing{now: r.config.Now(), slotForever: in.repeats(p) == rules.RepeatsNever}
	if policy, ok := in.policyFor(p.Agent); ok {
		at.holdFor = policy.HoldMax()
	}
	return at
}

// repeats says what another key for the same request means. Before the server was connected to, its origin is the
// URL's: a route that only a redirect could change.
func (r *Rules) repeats(p Payment) rules.Repeats {
	policy, ok := r.policyFor(p.Agent)
	if !ok {
		return rules.RepeatsNever
	}
	return policy.Repeats(rules.Route(&abi.Intent{Method: p.Ask.Resource.Method, URL: p.Ask.Resource.URL, Origin: originOf(p.Ask.Resource.URL)}))
}

func change(p, next Payment, event Event, fx effects) (store.Change, error) {
	body, err := next.body()
	if err != nil {
		return store.Change{}, err
	}
	entry, err := entryFor(p, next, event)
	if err != nil {
		return store.Change{}, err
	}
	change := store.Change{
		Tenant: p.Tenant, ID: p.ID, Version: p.Version,
		State: string(next.State), Slot: next.Slot, Due: next.Due, Body: body,
		Reserve: fx.reserve, Close: fx.close, Seen: fx.seen, Entry: entry,
	}
	if next.Armed != nil {
		change.Digest = next.Armed.Digest
	}
	if fx.answer {
		if change.Response, err = json.Marshal(next.Response); err != nil {
			return store.Change{}, fmt.Errorf("payment %s: write response: %w", p.ID, err)
		}
	}
	return change, nil
}

// reread returns what the ledger holds after a change of ours did not go through: another process moved the payment,
// or the database did not say whether we did.
func (r *Runtime) reread(ctx context.Context, p Payment) (Payment, error) {
	row, err := r.config.Store.Row(ctx, p.Tenant, p.ID)
	if err != nil {
		return p, fmt.Errorf("payment %s: read again: %w", p.ID, err)
	}
	return fromRow(row)
}
