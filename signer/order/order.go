package order

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
)

const domain = "purser.order.v1"

// Kinds of orders, as abi.Order names them.
const (
	Enrolment = "enrolment"
	Freeze    = "freeze"
	Thaw      = "thaw"
	Policy    = "policy"
)

// PolicySubject is the subject of every policy order: a signer has one policy in force.
const PolicySubject = "policy"

// issuedAheadMax is how far an operator's clock may run before a signer's.
const issuedAheadMax = 5 * time.Minute

// Sign adds an operator's endorsement, or replaces the one the operator gave before. It refuses an order that no signer
// would take, whoever signs it. Collect signatures after every other field is final: they cover all of them.
func Sign(o *abi.Order, operator string, key ed25519.PrivateKey) error {
	if !operatorPattern.MatchString(operator) {
		return malformed("endorsements.operator", fmt.Sprintf("%.70q is not an operator's name", operator))
	}
	if len(key) != ed25519.PrivateKeySize {
		return malformed("endorsements", "the operator's key is not an Ed25519 private key")
	}
	if err := wellFormed(o); err != nil {
		return err
	}
	signed, err := message(o)
	if err != nil {
		return err
	}
	endorsements := make([]abi.Endorsement, 0, len(o.Endorsements)+1)
	for _, e := range o.Endorsements {
		if e.Operator != operator {
			endorsements = append(endorsements, e)
		}
	}
	if len(endorsements) >= operatorsMax {
		return malformed("endorsements", fmt.Sprintf("an order carries at most %d endorsements", operatorsMax))
	}
	o.Endorsements = append(endorsements, abi.Endorsement{Operator: operator, Signature: ed25519.Sign(key, signed)})
	return nil
}

// Verify checks that operators gave this order to this tenant: its form, its time, and enough signatures of distinct
// people, one for an order that tightens and the quorum for one that loosens. Codes: "order_invalid" for the form,
// "order_expired" for the time, "order_unendorsed" for the signatures.
//
// Time binds what loosens. An order that tightens holds late too: a signer that was cut off when the other one froze
// must still learn it. Serials are the caller's, against its ledger.
func Verify(o *abi.Order, tenant string, operators Operators, now time.Time) error {
	if err := operators.Check(); err != nil {
		return err
	}
	if err := wellFormed(o); err != nil {
		return err
	}
	if o.Tenant != tenant {
		return malformed("tenant", "the order is for another tenant")
	}
	if Loosens(o) {
		if err := timely(o, now); err != nil {
			return err
		}
	}
	signed, err := message(o)
	if err != nil {
		return err
	}
	need := 1
	if Loosens(o) {
		need = operators.Quorum
	}
	if got := operators.endorsers(signed, o.Endorsements); got < need {
		return &abi.Error{
			Code: "order_unendorsed", Where: o.Subject, Message: fmt.Sprintf("%d of the signer's operators endorse the order, it needs %d", got, need),
			Fix: "nothing changed; have more operators sign the same order",
		}
	}
	return nil
}

// Loosens reports whether the order allows more than was allowed before it: everything does but a freeze and the end of
// an enrolment. Releasing a policy loosens whatever the policy says, because nobody can tell by its hash.
func Loosens(o *abi.Order) bool {
	switch o.Kind {
	case Freeze:
		return false
	case Enrolment:
		return o.Enrolment == nil || !o.Enrolment.Revoked
	default:
		return true
	}
}

// Hash names an order whoever endorsed it so far: SHA-256 of what operators sign.
func Hash(o *abi.Order) ([32]byte, error) {
	signed, err := message(o)
	return sha256.Sum256(signed), err
}

// subjectOf is the id of a freeze or a thaw: a hash of its content. Two orders that say something else never share it,
// so a thaw lifts exactly the freezes that its signers read, and both sides may learn of them in any order.
func subjectOf(o *abi.Order) (string, error) {
	content := *o
	content.Subject = ""
	sum, err := Hash(&content)
	return o.Kind + "-" + hex.EncodeToString(sum[:subjectHashBytes]), err
}

const subjectHashBytes = 16

func timely(o *abi.Order, now time.Time) error {
	at := now.Unix()
	if at < 0 || o.ExpiresUnixS <= uint64(at) {
		return expired("the order's time is over")
	}
	if o.IssuedUnixS > uint64(at)+uint64(issuedAheadMax/time.Second) {
		return expired("the order is from the future")
	}
	return nil
}

func expired(message string) error {
	return &abi.Error{Code: "order_expired", Where: "expires_unix_s", Message: message, Fix: "nothing changed; check the clocks, then issue the order again"}
}

// message is what operators sign: the order without endorsements.
func message(o *abi.Order) ([]byte, error) {
	unsigned := *o
	unsigned.Endorsements = nil
	encoded, err := unsigned.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode order: %w", err)
	}
	return encoded, nil
}
