package policy

import (
	"testing"

	"github.com/purserhq/purser/sdk/go/abi"
)

func request() *abi.DecideRequest {
	return &abi.DecideRequest{Intent: &abi.Intent{}, Quote: &abi.Quote{}, Agent: &abi.Agent{}}
}

func register(t *testing.T, decide func(*abi.DecideRequest) *abi.DecideResult) {
	t.Helper()
	before := registered
	registered = Func{Decide: decide}
	t.Cleanup(func() { registered = before })
}

func TestNothingAllowsByAccident(t *testing.T) {
	if got := Decide(request()); got.Outcome != abi.Deny {
		t.Errorf("no policy: %s", got.Outcome)
	}
	register(t, func(*abi.DecideRequest) *abi.DecideResult { return nil })
	if got := Decide(request()); got.Outcome != abi.Deny || got.Reasons[0].Code != "no_answer" {
		t.Errorf("no answer: %+v", got)
	}
	register(t, func(*abi.DecideRequest) *abi.DecideResult { return Allow() })
	if got := Decide(request()); got.Outcome != abi.Allow {
		t.Errorf("an allow: %+v", got)
	}
	for name, r := range map[string]*abi.DecideRequest{
		"no request": nil,
		"no intent":  {Quote: &abi.Quote{}, Agent: &abi.Agent{}},
		"no quote":   {Intent: &abi.Intent{}, Agent: &abi.Agent{}},
		"no agent":   {Intent: &abi.Intent{}, Quote: &abi.Quote{}},
	} {
		if got := Decide(r); got.Outcome != abi.Deny {
			t.Errorf("%s: %s", name, got.Outcome)
		}
	}
}

func TestFactsAreNeverNil(t *testing.T) {
	register(t, func(r *abi.DecideRequest) *abi.DecideResult {
		if len(r.Facts.Budgets) == 0 && r.Facts.Payee == nil {
			return Hold("first_payment", "nothing is known", "of this payee")
		}
		return Allow()
	})
	got := Decide(request())
	if got.Outcome != abi.Hold || got.Reasons[0] != (abi.Reason{Code: "first_payment", Text: "nothing is known of this payee"}) {
		t.Errorf("%+v", got)
	}
}

func TestAPolicyWithoutDecideCannotRegister(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("registered")
		}
	}()
	Register(Func{})
}
