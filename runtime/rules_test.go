package runtime

import (
	"testing"

	"github.com/purserhq/purser/runtime/judge"
)

// A run may meet a reload between any two steps. Where its payment is being built and signed it keeps the adapter it
// began with; everywhere else the next step has what serves now, and nothing is held while a merchant or a chain answers.
func TestARunKeepsItsRulesFromThePreimageToThePaymentAndNoLonger(t *testing.T) {
	drained := 0
	first, second := &Rules{}, &Rules{}
	current := judge.NewCurrent(first, func() { drained++ })
	run := stepRules{current: current}
	if run.enter(Allowed) != first {
		t.Error("the first step has not the rules that serve")
	}
	current.Swap(second, nil, nil)
	for _, state := range []State{Prepared, Armed} {
		if run.enter(state) != first || run.held() != first || drained != 0 {
			t.Errorf("%s: the rules were swapped under the payment; drained %d times", state, drained)
		}
	}
	for _, state := range []State{Signed, Unknown, Settled, Held} {
		if run.enter(state) != nil || drained != 1 {
			t.Errorf("%s: rules are held while there is nothing to decide; drained %d times", state, drained)
		}
		if run.held() != second {
			t.Errorf("%s: what came of it is not recorded under the rules that serve", state)
		}
	}
	taken := stepRules{current: current} // another run takes an armed payment over
	if taken.enter(Armed) != second {
		t.Error("a payment that was taken over has not the rules that serve")
	}
	for _, state := range []State{Received, Allowed} {
		next := &Rules{}
		current.Swap(next, nil, nil)
		if run.enter(state) != next {
			t.Errorf("%s: the step is decided by rules that were replaced", state)
		}
	}
	run.leave()
	run.leave()
	taken.leave()
}
