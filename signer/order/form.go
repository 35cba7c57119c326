package order

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
)

const (
	// lifetimeMax is how long after its issue an order may be first accepted.
	lifetimeMax = 30 * 24 * time.Hour
	// reasonBytesMax bounds what an operator writes about a freeze.
	reasonBytesMax = 256
	// FreezesMax bounds the freezes that one thaw lifts.
	FreezesMax = 64
)

var (
	tenantPattern   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)
	agentPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)
	walletPattern   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)
	operatorPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9@._-]{0,62}$`)
	freezePattern   = regexp.MustCompile(`^freeze-[0-9a-f]{32}$`)
)

// wellFormed checks everything about an order that needs no key, clock or ledger. An order has one reading only: one
// body, the one its kind names, and a subject that follows from it.
func wellFormed(o *abi.Order) error {
	switch {
	case o == nil:
		return malformed("order", "there is no order")
	case o.Domain != domain:
		return malformed("domain", fmt.Sprintf("the domain is not %s", domain))
	case !tenantPattern.MatchString(o.Tenant):
		return malformed("tenant", "the tenant is not a name")
	case o.Serial == 0:
		return malformed("serial", "serials begin at 1")
	case o.Serial > abi.WireIntegerMax, o.IssuedUnixS > abi.WireIntegerMax, o.ExpiresUnixS > abi.WireIntegerMax:
		return malformed("serial", "a number is out of range")
	case o.IssuedUnixS == 0, o.ExpiresUnixS <= o.IssuedUnixS, o.ExpiresUnixS-o.IssuedUnixS > uint64(lifetimeMax/time.Second):
		return malformed("expires_unix_s", fmt.Sprintf("the order does not end within %d days after it was issued", int(lifetimeMax.Hours())/24))
	}
	if err := endorsementsFormed(o.Endorsements); err != nil {
		return err
	}
	return bodyFormed(o)
}

// endorsementsFormed bounds the list before anything is verified. Who the names are is not its business.
func endorsementsFormed(endorsements []abi.Endorsement) error {
	if len(endorsements) > operatorsMax {
		return malformed("endorsements", fmt.Sprintf("an order carries at most %d endorsements", operatorsMax))
	}
	for _, e := range endorsements {
		if !operatorPattern.MatchString(e.Operator) || len(e.Signature) != ed25519.SignatureSize {
			return malformed("endorsements", "an endorsement is not a name and an Ed25519 signature")
		}
	}
	return nil
}

func bodyFormed(o *abi.Order) error {
	bodies := 0
	for _, present := range []bool{o.Enrolment != nil, o.Freeze != nil, o.Thaw != nil, o.Policy != nil} {
		if present {
			bodies++
		}
	}
	if bodies != 1 {
		return malformed("order", fmt.Sprintf("the order has %d bodies, want 1", bodies))
	}
	switch {
	case o.Kind == Enrolment && o.Enrolment != nil:
		return enrolmentFormed(o)
	case o.Kind == Freeze && o.Freeze != nil:
		return freezeFormed(o)
	case o.Kind == Thaw && o.Thaw != nil:
		return thawFormed(o)
	case o.Kind == Policy && o.Policy != nil:
		return policyFormed(o)
	}
	return malformed("kind", fmt.Sprintf("the kind %.40q is not that of the order's body", o.Kind))
}

func enrolmentFormed(o *abi.Order) error {
	e := o.Enrolment
	switch {
	case !agentPattern.MatchString(e.Agent):
		return malformed("enrolment.agent", fmt.Sprintf("%.70q is not an agent id", e.Agent))
	case o.Subject != e.Agent:
		return malformed("subject", "the subject of an enrolment is its agent")
	case len(e.PublicKey) != 0 && len(e.PublicKey) != ed25519.PublicKeySize:
		return malformed("enrolment.public_key", fmt.Sprintf("the key has %d bytes, want %d or none", len(e.PublicKey), ed25519.PublicKeySize))
	case e.Wallet == "" && e.Revoked: // the end of an enrolment needs no wallet
		return nil
	case !walletPattern.MatchString(e.Wallet):
		return malformed("enrolment.wallet", fmt.Sprintf("%.70q is not a wallet id", e.Wallet))
	}
	return nil
}

func freezeFormed(o *abi.Order) error {
	if _, err := ParseScope(o.Freeze.Scope); err != nil {
		return err
	}
	if len(o.Freeze.Reason) > reasonBytesMax || !plainText(o.Freeze.Reason) {
		return malformed("freeze.reason", fmt.Sprintf("a reason is plain text of at most %d bytes", reasonBytesMax))
	}
	return subjectFormed(o)
}

func thawFormed(o *abi.Order) error {
	freezes := o.Thaw.Freezes
	if len(freezes) == 0 || len(freezes) > FreezesMax {
		return malformed("thaw.freezes", fmt.Sprintf("a thaw names %d freezes, want 1 to %d", len(freezes), FreezesMax))
	}
	for i, freeze := range freezes {
		if !freezePattern.MatchString(freeze) || slices.Contains(freezes[:i], freeze) {
			return malformed("thaw.freezes", fmt.Sprintf("%.70q is not a freeze id, or named twice", freeze))
		}
	}
	return subjectFormed(o)
}

func subjectFormed(o *abi.Order) error {
	subject, err := subjectOf(o)
	if err != nil {
		return malformed("order", "the order cannot be encoded")
	}
	if o.Subject != subject {
		return malformed("subject", "the subject does not follow from the order's content")
	}
	return nil
}

func policyFormed(o *abi.Order) error {
	switch {
	case o.Subject != PolicySubject:
		return malformed("subject", fmt.Sprintf("the subject of a policy order is %q", PolicySubject))
	case len(o.Policy.PolicySHA256) != sha256.Size:
		return malformed("policy.policy_sha256", fmt.Sprintf("the hash has %d bytes, want %d", len(o.Policy.PolicySHA256), sha256.Size))
	}
	return nil
}

// plainText keeps what an operator wrote from moving a reader's cursor or forging a log line.
func plainText(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || r >= 0x80 && r <= 0x9f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return false
		}
	}
	return utf8.ValidString(s)
}

func malformed(where, message string) error {
	return &abi.Error{Code: "order_invalid", Where: where, Message: message, Fix: "nothing changed; make the order with this version's tools and sign it again"}
}
