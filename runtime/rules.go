package runtime

import (
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// Rules is one generation of what decides and builds: the judge with its policy bundle and plugins, and
// the chain adapters. It never changes; Reload swaps the whole.
type Rules struct {
	Judge    *judge.Judge
	Adapters []*Adapter
}

func (r *Rules) check() error {
	switch {
	case r.Judge == nil:
		return errors.New("no judge")
	case len(r.Adapters) == 0:
		return errors.New("no chain adapter")
	}
	return nil
}

func (r *Rules) policyFor(agent string) (*rules.Policy, bool) { return r.Judge.Bundle().For(agent) }

// adapterFor returns the first adapter that serves the network and scheme.
func (r *Rules) adapterFor(network abi.Network, scheme string) (*Adapter, error) {
	for _, adapter := range r.Adapters {
		if adapter.serves(network, scheme) {
			return adapter, nil
		}
	}
	return nil, &abi.Error{Code: "adapter_missing", Message: fmt.Sprintf("no chain adapter serves scheme %.20q on %.50q", scheme, network), Fix: "load a chain adapter for it"}
}
