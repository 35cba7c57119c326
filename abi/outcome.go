package abi

import "fmt"

// Outcome is what a policy says of a payment. Outcomes are ordered by
// strictness and the strictest wins, so combining verdicts is taking a minimum.
type Outcome uint8

const (
	// Deny means: never sign this. It is the zero value, so that a missing,
	// empty or half-read answer refuses.
	Deny Outcome = iota
	// Hold means: sign only after a person approves.
	Hold
	// Allow means: sign.
	Allow
)

var outcomeNames = [...]string{Deny: "deny", Hold: "hold", Allow: "allow"}

// String returns "deny", "hold" or "allow"; a value outside the three reads as
// "deny", which is also how it must be treated.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return outcomeNames[Deny]
}

// ParseOutcome reads the three names and nothing else.
func ParseOutcome(s string) (Outcome, error) {
	for o, name := range outcomeNames {
		if s == name {
			return Outcome(o), nil
		}
	}
	return Deny, &Error{Code: "outcome_invalid", Message: fmt.Sprintf("outcome %q is not deny, hold or allow", s)}
}

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the name.
func (o *Outcome) UnmarshalText(text []byte) error {
	parsed, err := ParseOutcome(string(text))
	*o = parsed
	return err
}
