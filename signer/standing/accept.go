package standing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

// Accept takes an order that operators signed. A freeze is in force before it is durable; everything else, and the
// answer, only afterwards. The same order again is accepted and changes nothing. Codes: those of order.Verify;
// "order_stale" when a greater serial was accepted before; "order_conflict" when another order has the serial;
// "order_unsupported" for a kind that is kept elsewhere; "orders_full".
func (o *Orders) Accept(ctx context.Context, given *abi.Order) error {
	if given == nil {
		return &abi.Error{Code: "order_invalid", Message: "there is no order"}
	}
	encoded, err := given.Marshal() // the caller's copy may change meanwhile
	if err != nil {
		return &abi.Error{Code: "order_invalid", Message: "the order cannot be encoded", Cause: err}
	}
	own := new(abi.Order)
	if err := own.Unmarshal(encoded); err != nil {
		return &abi.Error{Code: "order_invalid", Message: "the order cannot be read", Cause: err}
	}
	hash, err := order.Hash(own)
	if err != nil {
		return err
	}
	if o.knows(hash) { // also after its time: it was in time once
		return nil
	}
	if err := order.Verify(own, o.config.Tenant, o.config.Operators, o.config.Now()); err != nil {
		o.tell(ctx, own, err)
		return err
	}
	switch own.Kind {
	case order.Freeze:
		o.mu.Lock()
		err := o.effect(own, 0) // before it waits for its turn or for the disk
		o.mu.Unlock()
		if err != nil {
			return err
		}
	case order.Thaw, order.Policy:
	default:
		return &abi.Error{Code: "order_unsupported", Where: own.Kind, Message: "orders of this kind are not kept here"}
	}
	return o.record(ctx, own, hash, encoded)
}

// record makes the order durable under the next number.
func (o *Orders) record(ctx context.Context, own *abi.Order, hash [32]byte, encoded []byte) error {
	o.accepting.Lock()
	defer o.accepting.Unlock()
	entry, err := o.entry("order", own, hash, "")
	if err != nil {
		return err
	}
	for range acceptTriesMax {
		if err := o.refresh(ctx); err != nil {
			return err
		}
		if o.knows(hash) {
			return nil
		}
		number, err := o.next(own)
		if err != nil {
			o.tell(ctx, own, err)
			return errors.Join(err, o.recordRefusal(ctx, own, hash, err))
		}
		row := store.Row{
			Tenant: o.config.Tenant, Agent: Agent, ID: rowID(number), State: "order", Body: encoded,
			// Two processes that accept two orders under one serial find out here.
			Key: fmt.Sprintf("%s/%s/%d", own.Kind, own.Subject, own.Serial),
		}
		row, claim, err := o.config.Store.Insert(ctx, row, entry)
		switch {
		case abi.CodeOf(err) == "id_taken", errors.Is(err, store.ErrCommitUnknown):
			continue // read what the number is now, or whether it is ours
		case err != nil:
			return fmt.Errorf("record order %s: %w", own.Subject, err)
		case claim == store.ClaimCreated:
			if err := o.learn(number, encoded); err != nil {
				return err
			}
			o.config.Log.WarnContext(ctx, "operators' order accepted", "kind", own.Kind, "subject", own.Subject, "serial", own.Serial)
			return nil
		case bytes.Equal(row.Body, encoded):
			continue
		}
		if err := o.refresh(ctx); err != nil { // the row with our key, in a process's hands that was faster
			return err
		}
		if o.knows(hash) { // the same order, endorsed by other people
			return nil
		}
		conflict := conflictError(own)
		o.tell(ctx, own, conflict)
		return errors.Join(conflict, o.recordRefusal(ctx, own, hash, conflict))
	}
	return &abi.Error{Code: "conflict", Where: own.Subject, Message: "other orders kept coming first", Retry: abi.RetryLater}
}

// next is the number the order would get, when its serial lets it in. Freezes and thaws are named by their content, so
// only a policy can be old.
func (o *Orders) next(own *abi.Order) (uint64, error) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if len(o.accepted) >= ordersMax {
		return 0, &abi.Error{Code: "orders_full", Message: fmt.Sprintf("this side keeps %d orders already", ordersMax), Fix: "move to a new ledger"}
	}
	if own.Kind == order.Policy {
		switch {
		case own.Serial == o.policy.serial:
			return 0, conflictError(own)
		case own.Serial < o.policy.serial:
			return 0, &abi.Error{
				Code: "order_stale", Where: own.Subject, Message: fmt.Sprintf("serial %d is older than serial %d, which was accepted before", own.Serial, o.policy.serial),
				Fix: "nothing changed; a rollback is a new order with a greater serial",
			}
		}
	}
	return uint64(len(o.accepted)) + 1, nil
}

func conflictError(own *abi.Order) error {
	return &abi.Error{
		Code: "order_conflict", Where: own.Subject, Message: fmt.Sprintf("another order has serial %d already", own.Serial),
		Fix: "nothing changed; find out why there are two, then issue one with a greater serial",
	}
}

// recordRefusal logs an order that operators did sign, and that is refused all the same: somebody replays it. Each is
// logged once, so that a replayed one cannot fill the ledger.
func (o *Orders) recordRefusal(ctx context.Context, own *abi.Order, hash [32]byte, refusal error) error {
	o.mu.Lock()
	number, before := o.policy.number, o.refused[hash]
	if len(o.refused) >= refusalsMax {
		clear(o.refused)
	}
	o.refused[hash] = true
	o.mu.Unlock()
	if before || number == 0 {
		return nil
	}
	entry, err := o.entry("order_refused", own, hash, abi.CodeOf(refusal))
	if err != nil {
		return err
	}
	for range acceptTriesMax {
		row, err := o.config.Store.Row(ctx, o.config.Tenant, rowID(number))
		if err != nil {
			return fmt.Errorf("record the refusal of order %s: %w", own.Subject, err)
		}
		_, err = o.config.Store.Commit(ctx, store.Change{Tenant: row.Tenant, ID: row.ID, Version: row.Version, State: row.State, Body: row.Body, Entry: entry})
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("record the refusal of order %s: %w", own.Subject, err)
		}
		return nil
	}
	return store.ErrConflict
}

func (o *Orders) entry(kind string, own *abi.Order, hash [32]byte, code string) (store.Entry, error) {
	body, err := json.Marshal(struct {
		Order  *abi.Order `json:"order"`
		SHA256 string     `json:"order_sha256"`
		Code   string     `json:"code,omitempty"`
	}{own, fmt.Sprintf("%x", hash), code})
	if err != nil {
		return store.Entry{}, fmt.Errorf("write the entry of order %s: %w", own.Subject, err)
	}
	return store.Entry{Kind: o.config.Side + "." + kind, Body: body}, nil
}

func (o *Orders) knows(hash [32]byte) bool {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.known[hash] > 0
}

// tell makes a refusal heard. What the order says is bounded here: it may not have been well-formed.
func (o *Orders) tell(ctx context.Context, own *abi.Order, refusal error) {
	o.config.Log.WarnContext(ctx, "operators' order refused", "kind", fmt.Sprintf("%.40q", own.Kind), "subject", fmt.Sprintf("%.80q", own.Subject),
		"serial", own.Serial, "code", abi.CodeOf(refusal))
}
