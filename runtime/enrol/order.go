package enrol

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

// serialStepMax is how far a serial may run ahead of the last one: further than any count or clock in seconds, and short
// enough that one operator, who alone can end an enrolment, cannot use the serials up so that nobody can renew it.
const serialStepMax = 1 << 32

// Next is what an agent's row becomes by an order of this tenant's operators. stored is the row as it is, zero Version
// for none. changed is false for an order that is in force already, whenever it is offered again. A new row has no
// token. Nothing is written. Codes: those of order.Verify, "order_invalid" for another kind and "order_stale" for a
// serial that is not the next.
func Next(stored store.Agent, o *abi.Order, tenant string, operators order.Operators, now time.Time) (next store.Agent, changed bool, err error) {
	if o == nil || o.Kind != order.Enrolment || o.Enrolment == nil {
		return stored, false, &abi.Error{Code: "order_invalid", Where: "kind", Message: "the order is no enrolment"}
	}
	before, err := Order(stored)
	if err != nil {
		return stored, false, err
	}
	if same, err := sameOrder(before, o); same || err != nil {
		return stored, false, err
	}
	if err := order.Verify(o, tenant, operators, now); err != nil {
		return stored, false, err
	}
	if err := serialFollows(before, o); err != nil {
		return stored, false, err
	}
	encoded, err := o.Marshal()
	if err != nil {
		return stored, false, fmt.Errorf("encode enrolment of %s: %w", o.Enrolment.Agent, err)
	}
	next = stored
	next.Tenant, next.ID, next.Enrolment, next.Revoked = tenant, o.Enrolment.Agent, encoded, o.Enrolment.Revoked
	// One person alone can end an enrolment, so its end changes nothing else.
	if !o.Enrolment.Revoked {
		next.Wallet, next.Derived, next.PublicKey = o.Enrolment.Wallet, o.Enrolment.Derived, bytes.Clone(o.Enrolment.PublicKey)
	}
	return next, true, nil
}

func serialFollows(before, o *abi.Order) error {
	last := uint64(0)
	if before != nil {
		last = before.Serial
	}
	if o.Serial > last && o.Serial-last <= serialStepMax {
		return nil
	}
	return &abi.Error{
		Code: "order_stale", Where: o.Subject, Message: fmt.Sprintf("the order's serial is %d, want more than %d, by at most %d", o.Serial, last, uint64(serialStepMax)),
		Fix: "nothing changed; a rollback is a new order with the next serial",
	}
}

// sameOrder reports whether both say the same, whoever endorsed them.
func sameOrder(a, b *abi.Order) (bool, error) {
	if a == nil {
		return false, nil
	}
	first, err := order.Hash(a)
	if err != nil {
		return false, fmt.Errorf("read the enrolment in force: %w", err)
	}
	second, err := order.Hash(b)
	if err != nil {
		return false, &abi.Error{Code: "order_invalid", Where: "order", Message: "the order cannot be encoded"}
	}
	return first == second, nil
}

// Order is the enrolment in force, as it was accepted, or nil when nobody ordered one.
func Order(agent store.Agent) (*abi.Order, error) {
	if len(agent.Enrolment) == 0 {
		return nil, nil //nolint:nilnil // none is an answer
	}
	o := new(abi.Order)
	if err := o.Unmarshal(agent.Enrolment); err != nil {
		return nil, fmt.Errorf("read enrolment of agent %s: %w", agent.ID, err)
	}
	return o, nil
}

// NoToken fills the place of a token's hash for an agent that has none. It is unique by agent, and no token's: tokens are
// looked up by their SHA-256, and nobody knows a text whose SHA-256 is this value of SHA-512/256.
func NoToken(tenant, agent string) [32]byte {
	data := []byte("purser.no-token.v1")
	for _, part := range []string{tenant, agent} {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return sha512.Sum512_256(data)
}
