// Package order checks what operators tell a signer: who is enrolled, what is frozen, which policy is in force. An order
// proves itself by the signatures of operators whose keys the signer's own configuration pins, so it may travel through
// anybody; the package refuses to trust whoever carries one, and one person alone can only tighten, never loosen.
package order

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"

	"github.com/purserhq/purser/abi"
)

// operatorsMax bounds the operators of one signer, and so the signatures anybody can make it verify.
const operatorsMax = 32

// Operators are the people a signer listens to. The keys come from its own configuration, never over the wire.
type Operators struct {
	// Quorum is how many of them an order that loosens needs.
	Quorum int
	// Keys are their Ed25519 public keys, by name. No two share one: people are counted, not names.
	Keys map[string]ed25519.PublicKey
}

// Check refuses a quorum nobody can reach or that one person could fill alone by using two names. Code
// "operators_invalid".
func (o Operators) Check() error {
	bad := func(where, message string) error {
		return &abi.Error{Code: "operators_invalid", Where: where, Message: message, Fix: "name each operator once, with a key of their own, and a quorum they can reach"}
	}
	if len(o.Keys) == 0 || len(o.Keys) > operatorsMax {
		return bad("operators", fmt.Sprintf("there are %d operators, want 1 to %d", len(o.Keys), operatorsMax))
	}
	if o.Quorum < 1 || o.Quorum > len(o.Keys) {
		return bad("quorum", fmt.Sprintf("a quorum of %d is not within 1 to %d", o.Quorum, len(o.Keys)))
	}
	owners := make(map[string]string, len(o.Keys))
	for _, name := range slices.Sorted(maps.Keys(o.Keys)) {
		if !operatorPattern.MatchString(name) {
			return bad("operators", fmt.Sprintf("%.70q is not an operator's name", name))
		}
		key := string(o.Keys[name])
		if len(key) != ed25519.PublicKeySize {
			return bad(name, fmt.Sprintf("the key has %d bytes, want %d", len(key), ed25519.PublicKeySize))
		}
		if other, taken := owners[key]; taken {
			return bad(name, "the key is also the key of "+other)
		}
		owners[key] = name
	}
	return nil
}

// endorsers counts the operators whose signature over message is among the endorsements. A name counts once, however
// often it signs; a name nobody pinned, and a signature that does not hold, count for nothing.
func (o Operators) endorsers(message []byte, endorsements []abi.Endorsement) int {
	counted := make(map[string]bool, len(o.Keys))
	for _, e := range endorsements {
		key, known := o.Keys[e.Operator]
		if known && !counted[e.Operator] && ed25519.Verify(key, message, e.Signature) {
			counted[e.Operator] = true
		}
	}
	return len(counted)
}
