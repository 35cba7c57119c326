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
	// Drained, when set, is called once, after other rules took the place of these and the last step that began with
	// them is recorded: then their plugins may be closed.
	Drained func()
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

// stepRules is one run's hold on a generation. A step that decides or builds has one from its work to the record of what
// came of it, so that nothing is decided by two. From the preimage to the signed payment a run keeps the same, because an
// adapter that was swapped in between might put the signature into other bytes. A step that only waits for a merchant or
// a chain has none meanwhile: it would keep a replaced generation in memory for minutes.
type stepRules struct {
	current *judge.Current[*Rules]
	rules   *Rules
	release func()
}

// enter returns the rules of the next step's work, nil for work that needs none.
func (s *stepRules) enter(state State) *Rules {
	switch state {
	case Prepared, Armed:
		return s.held()
	case Received, Allowed:
		s.leave()
		return s.held()
	case Held, Signed, Unknown, Settled, Denied, Dead, Delivered:
	}
	s.leave()
	return nil
}

// held returns the rules that the step has, or those that serve now: what is recorded needs some.
func (s *stepRules) held() *Rules {
	if s.rules == nil {
		s.rules, s.release = s.current.Acquire()
	}
	return s.rules
}

func (s *stepRules) leave() {
	if s.release != nil {
		s.release()
	}
	s.rules, s.release = nil, nil
}

// adapterFor returns the first adapter that serves the network and scheme.
func (r *Rules) adapterFor(network abi.Network, scheme string) (*Adapter, error) {
	for _, adapter := range r.Adapters {
		if adapter.serves(network, scheme) {
			return adapter, nil
		}
	}
	return nil, &abi.Error{Code: "adapter_missing", Message: fmt.Sprintf("no chain adapter serves scheme %.20q on %.50q", scheme, network), Fix: "load a chain adapter for it"}
}
