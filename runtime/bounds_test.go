package runtime

import (
	"context"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
)

var noon = timing{now: time.Unix(1_790_000_000, 0), holdFor: time.Hour}

func stepped(t *testing.T, p Payment, event Event, at timing) Payment {
	t.Helper()
	next, _, err := step(p, event, at)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestAHoldIsNotExtendedByAnApprovalThatDoesNotClearIt(t *testing.T) {
	hold := Decided{Decision: abi.Decision{Outcome: abi.Hold}}
	first := stepped(t, sample(Received), hold, noon)
	later := timing{now: noon.now.Add(50 * time.Minute), holdFor: noon.holdFor}
	again := stepped(t, first, Approved{Statement: abi.ApprovalStatement{Approver: "ada"}}, later)
	again = stepped(t, again, Quoted{Offer: *sample(Received).Offer}, later)
	again = stepped(t, again, hold, later)
	if want := noon.now.Add(noon.holdFor); !first.HoldUntil.Equal(want) || !again.HoldUntil.Equal(want) || !again.Due.Equal(want) {
		t.Errorf("held until %s, then %s (due %s), want %s", first.HoldUntil, again.HoldUntil, again.Due, want)
	}
}

func TestAnApproversNewestWordCounts(t *testing.T) {
	p := sample(Held)
	for _, amount := range []uint64{1, 2, 3} {
		p.State = Held
		p = stepped(t, p, Approved{Statement: abi.ApprovalStatement{Approver: "ada", AmountMax: abi.NewAmount(amount)}}, noon)
	}
	if len(p.Approvals) != 1 || p.Approvals[0].AmountMax != abi.NewAmount(3) {
		t.Errorf("statements %+v", p.Approvals)
	}
}

func TestAStepThatKeepsFailingBeforeAnythingIsArmedDenies(t *testing.T) {
	for _, from := range []State{Received, Allowed} {
		p := sample(from)
		for range failuresMax - 1 {
			p = stepped(t, p, Delayed{Error: &abi.Error{Code: "x"}}, noon)
		}
		if p.State != from {
			t.Fatalf("%s gave up early: %s", from, p.State)
		}
		if p = stepped(t, p, Delayed{Error: &abi.Error{Code: "x"}}, noon); p.State != Denied || p.Denial.Code != "gave_up" {
			t.Errorf("%s after %d failures is %s", from, failuresMax, p.State)
		}
	}
	if p := sample(Armed); stepped(t, p, Delayed{Error: &abi.Error{Code: "x"}}, noon).State != Armed {
		t.Error("an armed payment was given up")
	}
}

func TestARequestThatCostNothingKeepsNoSlot(t *testing.T) {
	never := timing{now: noon.now, slotForever: true}
	if p := stepped(t, sample(Received), ServedFree{Response: settle.Response{Status: 200}}, never); p.Slot != "" {
		t.Error("a free answer keeps the request from ever being bought")
	}
	settled := sample(Settled)
	settled.Receipt = &settle.Receipt{}
	if p := stepped(t, settled, DeliveredNow{}, never); p.Slot == "" {
		t.Error("repeats: never lets a bought request be bought again")
	}
}

func TestAnAgentSeesNoLevelOfABudgetItShares(t *testing.T) {
	p := sample(Denied)
	p.Decision = &abi.Decision{Side: "runtime", Verdicts: []abi.Verdict{{Source: "rules", Reasons: []abi.Reason{
		{Code: abi.ReasonBudgetExceeded, Rule: "tenant.daily_spending_limit", Observed: "1", Limit: "2", WouldPass: "3"},
		{Code: abi.ReasonBudgetExceeded, Rule: "travel.month", Observed: "1", Limit: "2", WouldPass: "3"},
		{Code: abi.ReasonBudgetExceeded, Rule: "travel.daily_spending_limit", Observed: "1", Limit: "2", WouldPass: "3"},
	}}}}
	for i, shown := range []string{"", "", "1"} {
		if got := p.AgentView().Reasons[i].Observed; got != shown {
			t.Errorf("reason %d shows %q, want %q", i, got, shown)
		}
		if p.View().Reasons[i].Observed != "1" {
			t.Errorf("the operator does not see reason %d", i)
		}
	}
}

// slowChain is a chain whose newest block has a time of its own.
type slowChain struct {
	settle.Chain
	head settle.Head
}

func (c slowChain) Head(context.Context) (settle.Head, error) { return c.head, nil }

func TestAClockThatDisagreesWithTheChainPreparesNothing(t *testing.T) {
	const network = abi.Network("eip155:402402")
	for ahead, code := range map[time.Duration]string{0: "", -40 * time.Second: "", 24 * time.Hour: "clock_skew", -24 * time.Hour: "clock_skew"} {
		r := &Runtime{config: Config{
			Now:    func() time.Time { return noon.now.Add(ahead) },
			Chains: map[abi.Network]settle.Chain{network: slowChain{head: settle.Head{Number: 7, Time: noon.now}}},
		}}
		if _, err := r.headNow(t.Context(), network); abi.CodeOf(err) != code {
			t.Errorf("a clock %s ahead: %v, want %q", ahead, err, code)
		}
	}
}
