package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
)

// Grants are what the operator lets a module have. They live outside the module and only narrow: a manifest that
// wants more than is granted refuses to load, so that a missing grant is found at install and not at a payment.
type Grants struct {
	// Facts a policy may see, by name.
	Facts []string
	// RPCMethods a chain adapter may ask for, by name.
	RPCMethods []string
	// Limits narrower than the host's; zero fields keep the host's.
	Limits Limits
}

func (g Grants) check(m Manifest) error {
	for _, fact := range m.Facts {
		if !slices.Contains(g.Facts, fact.Name) {
			return grantMissing("fact", fact.Name)
		}
	}
	for _, method := range m.RPCMethods {
		if !slices.Contains(g.RPCMethods, method) {
			return grantMissing("RPC method", method)
		}
	}
	return nil
}

func grantMissing(what, name string) error {
	return &abi.Error{
		Code: CodeGrantMissing, Where: name, Fix: "grant it, or do not install the module",
		Message: fmt.Sprintf("the module wants the %s %q, which is not granted", what, name),
	}
}

// hash identifies the grants in decision records. Order and repetition do not matter, so they do not change it.
func (g Grants) hash() (Digest, error) {
	list := func(names []string) []string {
		// From an empty list, not a clone: nil and empty must encode alike.
		sorted := append([]string{}, names...)
		slices.Sort(sorted)
		return slices.Compact(sorted)
	}
	canonical := Grants{Facts: list(g.Facts), RPCMethods: list(g.RPCMethods), Limits: g.Limits}
	data, err := json.Marshal(canonical)
	if err != nil {
		return Digest{}, fmt.Errorf("encode grants: %w", err)
	}
	return lengthPrefixed([]byte("purser/sandbox/grants/1"), data), nil
}
