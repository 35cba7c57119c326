package cosigner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

// endorsed signs an order by operators of twoOfThree.
func endorsed(t testing.TB, o *abi.Order, err error, operators ...string) *abi.Order {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		if err := order.Sign(o, name, seeded(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func (p *party) freezeOrder(t testing.TB, scope string) *abi.Order {
	t.Helper()
	p.keys++
	o, err := order.NewFreeze("default", scope, fmt.Sprint("test ", p.keys), p.clock.now(), time.Hour)
	return endorsed(t, o, err, "cleo")
}

func (p *party) thawOrder(t testing.TB, freezes ...*abi.Order) *abi.Order {
	t.Helper()
	ids := make([]string, len(freezes))
	for i, freeze := range freezes {
		ids[i] = freeze.Subject
	}
	o, err := order.NewThaw("default", ids, p.clock.now(), time.Hour)
	return endorsed(t, o, err, "ann", "ben")
}

func (p *party) accept(t testing.TB, orders ...*abi.Order) {
	t.Helper()
	for _, o := range orders {
		if err := p.Accept(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// deniedAs checks that both questions are answered with a denial of this code, and that both are in the log.
func (p *party) deniedAs(t testing.TB, x plan, code string) {
	t.Helper()
	decision, err := p.Consult(t.Context(), x.consult())
	if err != nil || decision.Outcome != abi.Deny || decision.Verdicts[0].Reasons[0].Code != code {
		t.Errorf("consult: %+v, %v", decision, err)
	}
	promise, err := p.Arm(t.Context(), x.arm())
	var refused *signer.Refused
	if promise != nil || !errors.As(err, &refused) || refused.Decision.Outcome != abi.Deny || refused.Decision.Verdicts[0].Reasons[0].Code != code {
		t.Errorf("arm: %v", err)
	}
	if kinds := p.kinds(t, x.intent.Payment); !strings.HasSuffix(strings.Join(kinds, " "), "cosigner.deny cosigner.deny") {
		t.Errorf("the log of the payment is %v", kinds)
	}
	if spent := p.spent(t); !spent.IsZero() {
		t.Errorf("%s is reserved", spent)
	}
}

func TestAFreezeStopsEveryStepWithinItsScopeAndNothingElse(t *testing.T) {
	const elsewhere = "0x3333333333333333333333333333333333333333"
	for scope, covers := range map[string]bool{
		"tenant": true, "agent/shopper": true, "wallet/main": true, "network/" + baseNetwork: true,
		"payee/" + pinnedPayee: true, "payee/0x" + strings.ToUpper(pinnedPayee[2:]): true, "payee/" + baseNetwork + ":" + pinnedPayee: true,
		"agent/reader": false, "wallet/treasury": false, "network/eip155:1": false, "payee/" + elsewhere: false, "payee/eip155:1:" + pinnedPayee: false,
	} {
		t.Run(scope, func(t *testing.T) {
			p := openRegistry(t)
			before, after := p.planOf(t, "shopper", 1_000_000), p.planOf(t, "shopper", 1_000_000)
			if !covers {
				p.accept(t, p.freezeOrder(t, scope))
				if _, err := p.signAs(t, "shopper", p.armed(t, before)); err != nil {
					t.Fatal(err)
				}
				return
			}
			promise := p.armed(t, before)
			freeze := p.freezeOrder(t, scope)
			p.accept(t, freeze)
			if code := p.bind(t, promise); code != "frozen" {
				t.Errorf("a session over what was armed before: %q", code)
			}
			if row := p.row(t, before.intent.Payment); row.State != armed {
				t.Errorf("the payment is %s", row.State)
			}
			decision, err := p.Consult(t.Context(), after.consult())
			if err != nil || decision.Outcome != abi.Deny || decision.Verdicts[0].Reasons[0].Code != "frozen" {
				t.Errorf("consult: %+v, %v", decision, err)
			}
			var refused *signer.Refused
			if _, err := p.Arm(t.Context(), after.arm()); !errors.As(err, &refused) {
				t.Errorf("arm: %v", err)
			}
			p.accept(t, p.thawOrder(t, freeze))
			if _, err := p.signAs(t, "shopper", promise); err != nil {
				t.Errorf("thawed: %v", err)
			}
			if _, err := p.Arm(t.Context(), after.arm()); err != nil {
				t.Errorf("thawed: %v", err)
			}
		})
	}
}

func TestAFreezeSurvivesARestart(t *testing.T) {
	p := openRegistry(t)
	x := p.planOf(t, "shopper", 1_000_000)
	p.accept(t, p.freezeOrder(t, "tenant"))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.open(t, p.CoSigner.config.Judge)
	p.deniedAs(t, x, "frozen")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.edits = append(p.edits, func(c *Config) { c.Operators = order.Operators{} }) // nobody left to thaw it
	p.open(t, p.CoSigner.config.Judge)
	decision, err := p.Consult(t.Context(), x.consult())
	if err != nil || decision.Outcome != abi.Deny {
		t.Errorf("without operators: %+v, %v", decision, err)
	}
}

// The freeze comes after the session has its digest, and before our last message: the latest moment there is.
func TestAFreezeBetweenArmAndSpendStopsTheSignature(t *testing.T) {
	wait := make(chan struct{})
	p := openRegistry(t)
	p.engine.Wait = wait // sessions stop before they ask to spend
	x := p.planOf(t, "shopper", 1_000_000)
	promise := p.armed(t, x)
	signed := make(chan error, 1)
	go func() {
		_, err := p.signAs(t, "shopper", promise)
		signed <- err
	}()
	for deadline := time.Now().Add(time.Minute); p.engine.Armed.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session got no digest")
		}
	}
	freeze := p.freezeOrder(t, "payee/"+pinnedPayee)
	p.accept(t, freeze)
	close(wait)
	if err := <-signed; err == nil {
		t.Fatal("signed")
	}
	if row := p.row(t, x.intent.Payment); row.State != armed {
		t.Fatalf("the payment is %s", row.State)
	}
	p.accept(t, p.thawOrder(t, freeze))
	if _, err := p.signAs(t, "shopper", promise); err != nil {
		t.Fatalf("thawed: %v", err)
	}
	p.accept(t, p.freezeOrder(t, "tenant"))
	if code := p.bind(t, promise); code != "frozen" {
		t.Fatalf("a payment that was spent before is signed again while frozen: %q", code)
	}
}

// ledger is what both databases are.
type ledger interface {
	store.Store
	store.Agents
}

// meddled calls back when a spend is about to be committed, once.
type meddled struct {
	ledger
	once  sync.Once
	spend func()
}

func (m *meddled) Commit(ctx context.Context, change store.Change) (store.Row, error) {
	if change.State == spent && m.spend != nil {
		m.once.Do(m.spend)
	}
	return m.ledger.Commit(ctx, change)
}

// runtimeLedger is a ledger of the other side.
func runtimeLedger(t testing.TB) *sqlite.Store {
	t.Helper()
	made, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "runtime.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made
}

// The freeze is accepted after the last look before the spend, and is on the disk before the spend is.
func TestAFreezeThatIsDurableBeforeTheSpendStopsTheLastMessage(t *testing.T) {
	m := &meddled{ledger: runtimeLedger(t)}
	p := openParty(t, shopPolicy, func(p *party) {
		p.ledger = m
		p.edits = append(p.edits, func(c *Config) { c.Agents, c.Operators = m, twoOfThree })
	})
	p.accept(t, p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben"))
	x := p.plan(t, 1_000_000)
	promise := p.armed(t, x)
	m.spend = func() {
		if err := p.Accept(context.Background(), p.freezeOrder(t, "wallet/main")); err != nil {
			t.Error(err)
		}
	}
	if code := p.bind(t, promise); code != "frozen" {
		t.Fatalf("the session ended with %q", code)
	}
	// The spend is on the disk, so the money stays reserved until the chain tells; but no message left.
	if row := p.row(t, x.intent.Payment); row.State != spent || p.spent(t) != abi.NewAmount(1_000_000) {
		t.Errorf("%s, %s reserved", row.State, p.spent(t))
	}
}

func TestLiveAuthorizationsAreWhatTheChainHasNotEnded(t *testing.T) {
	p := openRegistry(t)
	x, y, over := p.planOf(t, "shopper", 1_000_000), p.planOf(t, "reader", 2_000_000), p.planOf(t, "bearer", 1_500_000)
	p.armed(t, x)
	if _, err := p.signAs(t, "reader", p.armed(t, y)); err != nil {
		t.Fatal(err)
	}
	p.armed(t, over)
	p.accept(t, p.freezeOrder(t, "tenant"))
	want := make([]LiveAuthorization, 0, 3)
	for _, made := range []plan{x, y, over} {
		want = append(want, LiveAuthorization{
			Payment: made.intent.Payment, Agent: made.intent.Agent, Wallet: "main", Path: p.payer(t, made.intent.Agent).Derivation.Path,
			Payer: made.transfer.Payer, Payee: pinnedPayee, Asset: baseUSDC, Amount: made.intent.Amount, Nonce: made.transfer.Nonce,
			ExpiresUnixS: made.transfer.ValidBefore, Spent: made.intent.Agent == "reader",
		})
	}
	live, err := p.LiveAuthorizations(t.Context())
	if !slices.Equal(want, live) || err != nil {
		t.Fatalf("%+v, %v\nwant %+v", live, err, want)
	}
	// Its time being over proves nothing; the chain does.
	p.clock.add(time.Hour)
	p.chain.set(abi.LifeLive)
	if live, err = p.LiveAuthorizations(t.Context()); err != nil || len(live) != 3 {
		t.Fatalf("%d, %v", len(live), err)
	}
	p.chain.set(abi.LifeDead)
	p.wait(t, over.intent.Payment, dead)
	p.wait(t, x.intent.Payment, dead)
	p.wait(t, y.intent.Payment, dead)
	if live, err = p.LiveAuthorizations(t.Context()); err != nil || len(live) != 0 {
		t.Fatalf("%d, %v", len(live), err)
	}
}

// How long after an operator's order no signature comes any more. The figure is printed; only a hang fails.
func TestTheTimeFromAFreezeToARefusedSignatureIsShort(t *testing.T) {
	p := openRegistry(t)
	promise := p.armed(t, p.planOf(t, "shopper", 1_000_000))
	if code := p.bind(t, promise); code != "" {
		t.Fatalf("before: %s", code)
	}
	freeze := p.freezeOrder(t, "tenant")
	begin := time.Now()
	p.accept(t, freeze)
	accepted := time.Since(begin)
	if code := p.bind(t, promise); code != "frozen" {
		t.Fatalf("after: %q", code)
	}
	took := time.Since(begin)
	t.Logf("freeze accepted and durable after %s, a whole new session refused after %s", accepted, took)
	if took > time.Minute {
		t.Errorf("a freeze took %s", took)
	}
}

func TestRefusedAndAcceptedOrdersAreInALogThatVerifies(t *testing.T) {
	p := openRegistry(t)
	freeze := p.freezeOrder(t, "agent/shopper")
	p.accept(t, freeze, freeze)
	o, err := order.NewThaw("default", []string{freeze.Subject}, p.clock.now(), time.Hour)
	if err := p.Accept(t.Context(), endorsed(t, o, err, "ann")); abi.CodeOf(err) != "order_unendorsed" {
		t.Errorf("one person thawed: %v", err)
	}
	p.deniedAs(t, p.planOf(t, "shopper", 1_000_000), "frozen")
	report, err := audit.Verify(audit.Records(t.Context(), p.ledger, "default"), audit.Options{Tenant: "default"})
	if err != nil {
		t.Fatal(err)
	}
	orders := 0
	for _, head := range report.Heads {
		if head.Agent == standing.Agent {
			orders = int(head.Sequence)
		}
	}
	if orders != 1 {
		t.Errorf("%d entries of orders", orders)
	}
}

// asAgents is the party's ledger as a registry.
func asAgents(t testing.TB, p *party) store.Agents {
	t.Helper()
	agents, ok := p.ledger.(store.Agents)
	if !ok {
		t.Fatal("the ledger keeps no agents")
	}
	return agents
}
