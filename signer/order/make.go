package order

import (
	"time"

	"github.com/purserhq/purser/abi"
)

// NewFreeze is an order that stops signatures within the scope, for operators to sign. Its subject is the freeze's id.
// lifetime is how long it may be first accepted, at most 30 days; the freeze itself lasts until it is thawed.
func NewFreeze(tenant, scope, reason string, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	parsed, err := ParseScope(scope)
	if err != nil {
		return nil, err
	}
	return named(&abi.Order{Kind: Freeze, Serial: 1, Freeze: &abi.Freeze{Scope: parsed.String(), Reason: reason}}, tenant, now, lifetime)
}

// NewThaw is an order that lifts the freezes it names by their ids, for the quorum to sign.
func NewThaw(tenant string, freezes []string, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	return named(&abi.Order{Kind: Thaw, Serial: 1, Thaw: &abi.Thaw{Freezes: freezes}}, tenant, now, lifetime)
}

// NewEnrolment is an order that makes an agent known, or ends it, for operators to sign. serial is greater than that of
// every order for the agent before.
func NewEnrolment(tenant string, enrolment abi.Enrolment, serial uint64, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	o := &abi.Order{Kind: Enrolment, Subject: enrolment.Agent, Serial: serial, Enrolment: &enrolment}
	return finished(o, tenant, now, lifetime)
}

// NewPolicyRelease is an order that puts a compiled bundle in force by its hash, for the quorum to sign. serial is
// greater than that of every release before, also when the release goes back to an older bundle.
func NewPolicyRelease(tenant string, policySHA256 [32]byte, serial uint64, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	o := &abi.Order{Kind: Policy, Subject: PolicySubject, Serial: serial, Policy: &abi.PolicyRelease{PolicySHA256: policySHA256[:]}}
	return finished(o, tenant, now, lifetime)
}

func named(o *abi.Order, tenant string, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	dated(o, tenant, now, lifetime)
	subject, err := subjectOf(o)
	if err != nil {
		return nil, err
	}
	o.Subject = subject
	return formed(o)
}

func finished(o *abi.Order, tenant string, now time.Time, lifetime time.Duration) (*abi.Order, error) {
	dated(o, tenant, now, lifetime)
	return formed(o)
}

func formed(o *abi.Order) (*abi.Order, error) {
	if err := wellFormed(o); err != nil {
		return nil, err
	}
	return o, nil
}

func dated(o *abi.Order, tenant string, now time.Time, lifetime time.Duration) {
	o.Domain, o.Tenant = domain, tenant
	o.IssuedUnixS, o.ExpiresUnixS = uint64(max(0, now.Unix())), uint64(max(0, now.Add(lifetime).Unix()))
}
