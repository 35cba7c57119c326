package cosigner

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

func (p *party) releaseOrder(t testing.TB, j *judge.Judge, serial uint64, operators ...string) *abi.Order {
	t.Helper()
	o, err := order.NewPolicyRelease("default", j.Bundle().Hash(), serial, p.clock.now(), time.Hour)
	return endorsed(t, o, err, operators...)
}

func TestOnlyThePolicyThatOperatorsReleasedServes(t *testing.T) {
	p := openParty(t, enrolledPolicy, func(p *party) {
		p.edits = append(p.edits, func(c *Config) {
			c.Agents, c.Operators, c.PolicyOrders = asAgents(t, p), twoOfThree, true
		})
	})
	p.accept(t, p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben"))
	first := p.CoSigner.config.Judge
	second := p.judge(t, strings.Replace(enrolledPolicy, `"50"`, `"40"`, 1))
	third := p.judge(t, strings.Replace(enrolledPolicy, `"50"`, `"30"`, 1))
	p.deniedAs(t, p.plan(t, 1_000_000), "policy_unreleased")

	if err := p.Accept(t.Context(), p.releaseOrder(t, first, 1, "ann")); abi.CodeOf(err) != "order_unendorsed" {
		t.Fatalf("one person released a policy: %v", err)
	}
	p.accept(t, p.releaseOrder(t, first, 1, "ann", "cleo"))
	allowed := func() {
		t.Helper()
		if decision, err := p.Consult(t.Context(), p.plan(t, 1_000_000).consult()); err != nil || decision.Outcome != abi.Allow {
			t.Fatalf("%+v, %v", decision, err)
		}
	}
	allowed()
	if err := p.Reload(t.Context(), second, func() { t.Error("drained what never served") }); abi.CodeOf(err) != "policy_unreleased" {
		t.Fatalf("reload of what nobody released: %v", err)
	}
	allowed() // the judge before it stays
	p.accept(t, p.releaseOrder(t, second, 2, "ann", "ben"))
	p.deniedAs(t, p.plan(t, 1_000_000), "policy_unreleased") // the one before it is out of force at once
	if err := p.Reload(t.Context(), second, nil); err != nil {
		t.Fatal(err)
	}
	allowed()
	// Nothing brings the first one back: not its old order, not a new order with an old serial.
	p.accept(t, p.releaseOrder(t, first, 1, "ann", "cleo"))
	for _, serial := range []uint64{1, 2} {
		if err := p.Accept(t.Context(), p.releaseOrder(t, third, serial, "ann", "ben")); abi.CodeOf(err) != "order_stale" && abi.CodeOf(err) != "order_conflict" {
			t.Fatalf("serial %d: %v", serial, err)
		}
	}
	if err := p.Reload(t.Context(), first, nil); abi.CodeOf(err) != "policy_unreleased" {
		t.Fatalf("reload of an older release: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.open(t, first) // a restart with the old file
	p.deniedAs(t, p.plan(t, 1_000_000), "policy_unreleased")
	p.accept(t, p.releaseOrder(t, first, 3, "ann", "ben")) // a rollback is a new serial
	allowed()
}

func TestTheRuntimeIsNoOperator(t *testing.T) {
	p := openRegistry(t)
	forged, err := order.NewFreeze("default", "tenant", "", p.clock.now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := order.Sign(forged, "ann", seeded("runtime")); err != nil {
		t.Fatal(err)
	}
	freeze := p.freezeOrder(t, "agent/reader")
	p.accept(t, freeze)
	thaw := p.thawOrder(t, freeze)
	thaw.Endorsements = append(thaw.Endorsements[:1:1], thaw.Endorsements[0])
	// What does not hold is passed over, what holds is taken, whoever carries it.
	real := p.freezeOrder(t, "network/eip155:1")
	if err := p.Offer(t.Context(), []*abi.Order{forged, nil, {}, thaw, real}); err != nil {
		t.Fatal(err)
	}
	freezes, err := p.Freezes(t.Context())
	if err != nil || len(freezes) != 2 {
		t.Fatalf("%v, %v", freezes, err)
	}
	for _, code := range []string{"order_unendorsed", "order_invalid"} { // the operators learn of the attempt
		if !slices.ContainsFunc(p.refusals(t), func(body []byte) bool { return bytes.Contains(body, []byte(code)) }) {
			t.Errorf("no %s in the log of refusals", code)
		}
	}
	list, err := p.Orders(t.Context(), 0)
	if err != nil || len(list) != 2 || list[0].Subject != freeze.Subject || list[1].Subject != real.Subject {
		t.Errorf("%v, %v", list, err)
	}
	if err := p.Offer(t.Context(), make([]*abi.Order, standing.OrdersPageMax+1)); err == nil {
		t.Error("a flood was taken")
	}
}

func TestOneProcessAloneTakesNoOrders(t *testing.T) {
	p := openParty(t, shopPolicy)
	for _, o := range []*abi.Order{p.freezeOrder(t, "tenant"), p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben")} {
		if err := p.Accept(t.Context(), o); abi.CodeOf(err) != "orders_not_taken" {
			t.Errorf("%s: %v", o.Kind, err)
		}
	}
	if err := p.Accept(t.Context(), nil); err == nil {
		t.Error("no order was accepted")
	}
	if err := p.Offer(t.Context(), []*abi.Order{p.freezeOrder(t, "tenant")}); err != nil {
		t.Errorf("offered: %v", err)
	}
	if _, err := p.Arm(t.Context(), p.plan(t, 1_000_000).arm()); err != nil {
		t.Error(err)
	}
	config := p.CoSigner.config
	config.PolicyOrders = true
	if c, err := Open(t.Context(), config); err == nil || c != nil {
		t.Error("opened with policies that nobody can release")
	}
}
