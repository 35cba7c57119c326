package cosigner

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer"
)

// held is an amount that a person must approve.
const held = 9_000_000

// twoPeople is a policy whose holds two approvers clear: ada, whose key is the party's, and bea.
func twoPeople() string {
	text := strings.Replace(enrolledPolicy, `{ada: "%x"}`, fmt.Sprintf(`{ada: "%%x", bea: "%x"}`, publicOf("bea")), 1)
	return strings.Replace(text, "    repeats: parallel\n", "    repeats: parallel\n    approvals: {quorum: 2}\n", 1)
}

// yes is an approver's signed statement for a plan.
func (p *party) yes(t testing.TB, x plan, approver string, key ed25519.PrivateKey) abi.ApprovalStatement {
	t.Helper()
	statement := judge.NewStatement(x.intent, approver, true, p.clock.now().Add(time.Hour), nil)
	if err := judge.SignStatement(&statement, key); err != nil {
		t.Fatal(err)
	}
	return statement
}

// outcome is how the co-signer answers both questions; they must agree, and only an allow may be armed.
func (p *party) outcome(t testing.TB, x plan) abi.Outcome {
	t.Helper()
	decision, err := p.Consult(t.Context(), x.consult())
	if err != nil {
		t.Fatal(err)
	}
	promise, err := p.Arm(t.Context(), x.arm())
	var refused *signer.Refused
	switch {
	case err == nil && decision.Outcome == abi.Allow && promise != nil:
	case errors.As(err, &refused) && refused.Decision.Outcome == decision.Outcome && promise == nil:
	default:
		t.Errorf("consult says %s, arm %v", decision.Outcome, err)
	}
	return decision.Outcome
}

// An approver signed for one payment; the runtime asks for something else under the same payment's id.
func TestAnApprovalCoversWhatTheApproverReadAndNothingElse(t *testing.T) {
	for name, bend := range map[string]func(*plan){
		"another payee": func(x *plan) {
			x.intent.Payee, x.quote.Payee, x.transfer.Payee = otherPayee, otherPayee, otherPayee
			x.quote.Requirement = requirement(t, map[string]any{"payTo": otherPayee}, held)
		},
		"another resource":  func(x *plan) { x.intent.URL = shopOrigin + "/everything" },
		"another parameter": func(x *plan) { x.intent.URL += "?copies=1000" },
		"a higher price": func(x *plan) {
			x.intent.Amount = abi.NewAmount(held + 1)
			x.quote.Amount, x.transfer.Amount = x.intent.Amount, x.intent.Amount
			x.quote.Requirement = requirement(t, nil, held+1)
		},
		"another key": func(x *plan) { x.intent.Key += "-again"; x.renamed() },
	} {
		t.Run(name, func(t *testing.T) {
			p := openParty(t, shopPolicy)
			x := p.plan(t, held)
			x.approvals = []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver)}
			bend(&x)
			if got := p.outcome(t, x); got == abi.Allow {
				t.Error("allowed")
			}
			if spent := p.spent(t); !spent.IsZero() {
				t.Errorf("%s is reserved", spent)
			}
		})
	}
	p := openParty(t, shopPolicy)
	x := p.plan(t, held)
	x.approvals = []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver)}
	if got := p.outcome(t, x); got != abi.Allow {
		t.Errorf("what was approved: %s", got)
	}
}

func TestAQuorumOfApproversIsOfDistinctPeople(t *testing.T) {
	for name, test := range map[string]struct {
		approvals func(p *party, x plan) []abi.ApprovalStatement
		want      abi.Outcome
	}{
		"one of two": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver)}
		}, abi.Hold},
		"one twice, at two times": {func(p *party, x plan) []abi.ApprovalStatement {
			first := p.yes(t, x, "ada", p.approver)
			p.clock.add(time.Second)
			return []abi.ApprovalStatement{first, p.yes(t, x, "ada", p.approver)}
		}, abi.Hold},
		"one under both names": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver), p.yes(t, x, "bea", p.approver)}
		}, abi.Hold},
		"one, and a stranger": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver), p.yes(t, x, "mallory", seeded("mallory"))}
		}, abi.Hold},
		"one, and an operator": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver), p.yes(t, x, "ann", seeded("ann"))}
		}, abi.Hold},
		"one, and the agent that asks": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver), p.yes(t, x, "shopper", seeded("shopper"))}
		}, abi.Hold},
		"a flood of one": {func(p *party, x plan) (flood []abi.ApprovalStatement) {
			for range 100 {
				flood = append(flood, p.yes(t, x, "ada", p.approver))
			}
			return flood
		}, abi.Hold},
		"both": {func(p *party, x plan) []abi.ApprovalStatement {
			return []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver), p.yes(t, x, "bea", seeded("bea"))}
		}, abi.Allow},
	} {
		t.Run(name, func(t *testing.T) {
			p := openParty(t, twoPeople())
			x := p.plan(t, held)
			x.approvals = test.approvals(p, x)
			if got := p.outcome(t, x); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// An agent whose key is also an approver's approves nothing of its own, whatever name the policy gives the key.
func TestWhoeverAsksDoesNotApprove(t *testing.T) {
	p := openRegistry(t)
	approver, _ := p.approver.Public().(ed25519.PublicKey)
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: approver}, 2, "ann", "ben")); err != nil {
		t.Fatal(err)
	}
	x := p.planOf(t, "shopper", held)
	x.resign(t, p, p.approver)
	x.approvals = []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver)}
	if got := p.outcome(t, x); got != abi.Hold {
		t.Errorf("its own request: %s", got)
	}
	other := p.planOf(t, "reader", held)
	other.approvals = []abi.ApprovalStatement{p.yes(t, other, "ada", p.approver)}
	if got := p.outcome(t, other); got != abi.Allow {
		t.Errorf("somebody else's: %s", got)
	}
}

// One approval, fifty requests at once: for its own payment one promise, for all others none.
func TestAnApprovalIsUsedOnce(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, held)
	x.approvals = []abi.ApprovalStatement{p.yes(t, x, "ada", p.approver)}
	var (
		group    sync.WaitGroup
		mu       sync.Mutex
		promises = map[string]bool{}
	)
	for i := range 50 {
		y := x
		if i%2 == 1 {
			y = p.plan(t, held)
			y.approvals = x.approvals
		}
		group.Go(func() {
			promise, err := p.Arm(t.Context(), y.arm())
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			promises[promise.Payment] = true
		})
	}
	group.Wait()
	if len(promises) != 1 || !promises[x.intent.Payment] || p.spent(t) != abi.NewAmount(held) {
		t.Errorf("%v, %s reserved", promises, p.spent(t))
	}
	// Another digest under the approved payment, as after a restart with another nonce, is refused for ever.
	again := p.planFor(t, x.intent.Key, held)
	again.approvals = x.approvals
	if _, err := p.Arm(t.Context(), again.arm()); abi.CodeOf(err) != "other_digest_armed" {
		t.Errorf("a second digest: %v", err)
	}
}
