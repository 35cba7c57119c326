package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// death is the end of one process: when one of its ledgers crashes, no other call of it is answered any more.
type death struct {
	happened atomic.Bool
	once     sync.Once
	now      chan struct{}
}

func newDeath() *death { return &death{now: make(chan struct{})} }

func (d *death) come() {
	d.happened.Store(true)
	d.once.Do(func() { close(d.now) })
}

// mortal is a ledger of a process that may die. A crash that storetest.Faults raises as a panic becomes an error here,
// because the process that dies is not the test's own.
type mortal struct {
	*storetest.Faults
	death *death
}

var _ store.Store = mortal{}

func (m mortal) survive(call func() error) (err error) {
	if m.death.happened.Load() {
		return storetest.ErrCrash
	}
	defer func() {
		if fault := recover(); fault != nil {
			if fault != storetest.ErrCrash { //nolint:errorlint // a panic value
				panic(fault)
			}
			m.death.come()
			err = storetest.ErrCrash
		}
	}()
	err = call()
	if m.death.happened.Load() { // the other ledger died meanwhile: this answer never arrives
		return storetest.ErrCrash
	}
	return err
}

func (m mortal) Insert(ctx context.Context, row store.Row, e store.Entry) (got store.Row, claim store.Claim, err error) {
	err = m.survive(func() (err error) { got, claim, err = m.Faults.Insert(ctx, row, e); return err })
	return got, claim, err
}

func (m mortal) Commit(ctx context.Context, c store.Change) (got store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Commit(ctx, c); return err })
	return got, err
}

func (m mortal) Row(ctx context.Context, tenant, id string) (got store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Row(ctx, tenant, id); return err })
	return got, err
}

func (m mortal) Rows(ctx context.Context, q store.RowQuery) (got []store.Row, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Rows(ctx, q); return err })
	return got, err
}

func (m mortal) Facts(ctx context.Context, q store.FactQuery) (got store.Facts, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Facts(ctx, q); return err })
	return got, err
}

func (m mortal) Log(ctx context.Context, q store.LogQuery) (got []store.Record, err error) {
	err = m.survive(func() (err error) { got, err = m.Faults.Log(ctx, q); return err })
	return got, err
}

// story is a purchase whose every write is struck once.
type story struct {
	world  *testWorld
	policy string
	key    walletKey
	// held says that a person must approve it.
	held bool
}

const (
	roleRuntime, roleCosigner = "runtime", "cosigner"
	storyLimit                = 5 * oneUSDC
)

// strike is one fault in one ledger.
type strike struct {
	role string
	plan storetest.Plan
}

func (s strike) String() string {
	fault := map[storetest.Fault]string{storetest.FailBefore: "fails before", storetest.FailAfter: "fails after",
		storetest.CrashBefore: "dies before", storetest.CrashAfter: "dies after"}[s.plan.Fault]
	return fmt.Sprintf("%s %s write %d", s.role, fault, s.plan.Write)
}

func (s strike) crashes() bool {
	return s.plan.Fault == storetest.CrashBefore || s.plan.Fault == storetest.CrashAfter
}

// faulty makes a stack's ledgers misbehave as planned, and counts their writes.
func (s strike) faulty(config *stackConfig) (*death, map[string]*storetest.Faults) {
	end, ledgers := newDeath(), map[string]*storetest.Faults{}
	config.ledgers = func(role string, ledger store.Store) store.Store {
		plan := storetest.Plan{}
		if role == s.role {
			plan = s.plan
		}
		ledgers[role] = storetest.NewFaults(ledger.(storetest.Ledger), plan)
		return mortal{ledgers[role], end}
	}
	return end, ledgers
}

// live runs the story once under a fault, restarts when the process died, and repeats the same key until it is over.
// It returns how many writes each ledger was asked for before the end of the first process, and whether it died.
func (y story) live(t *testing.T, s strike) (writes map[string]int, died bool) {
	t.Helper()
	data := t.TempDir()
	config := y.world.stackFor(data, y.policy, y.key)
	end, ledgers := s.faulty(&config)
	first := y.open(t, config)
	made, err := first.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	token := made.Reveal()
	alive, die := context.WithCancel(t.Context())
	defer die()
	go func() {
		select {
		case <-end.now:
			die()
		case <-alive.Done():
		}
	}()
	view, err := y.buy(t, alive, first, token)
	first.close(t, end.happened.Load())
	writes = map[string]int{roleRuntime: ledgers[roleRuntime].Writes(), roleCosigner: ledgers[roleCosigner].Writes()}
	if died = end.happened.Load(); died {
		second := y.open(t, y.world.stackFor(data, y.policy, y.key))
		view, err = y.buy(t, t.Context(), second, token)
		second.close(t, false)
	}
	if err != nil || view.State != string(runtime.Delivered) || view.Response == nil || string(view.Response.Body) != demoReport {
		t.Errorf("the purchase ended as %+v, %v", view, err)
	}
	y.judge(t, data)
	return writes, died
}

// judge asks the independent checker, and wants one payment that moved money once.
func (y story) judge(t *testing.T, data string) {
	t.Helper()
	e := y.world.evidenceOf(t, data, y.key, storyLimit)
	e.others = true // stories run beside each other, each on its own ledgers
	e.mustHold(t)
	if len(e.runtime.rows) != 1 || e.states()["delivered"] != 1 {
		t.Errorf("the ledger holds %v, want one delivered payment", e.states())
	}
	for id, row := range e.runtime.rows {
		if count := e.transfersOf(id, row); count != 1 {
			t.Errorf("payment %s moved money %d times", id, count)
		}
	}
}

// transfersOf counts the chain's transfers with the nonce that a payment's row holds.
func (e evidence) transfersOf(id string, row ledgerRow) (count int) {
	nonce, _, _, ok := (&checker{}).authorization(roleRuntime, id, row.body)
	for _, transfer := range e.transfers {
		if ok && transfer.nonce == nonce {
			count++
		}
	}
	return count
}

// process is a stack behind a listener, as one process of the story.
type process struct {
	stack  *stack
	server *httptest.Server
}

func (y story) open(t *testing.T, config stackConfig) process {
	t.Helper()
	s, err := openStack(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return process{s, httptest.NewServer(s.gateway)}
}

func (p process) close(t *testing.T, died bool) {
	t.Helper()
	p.server.CloseClientConnections()
	p.server.Close()
	if err := p.stack.Close(); err != nil && !died {
		t.Error(err)
	}
}

// buy repeats the purchase until it is over, and approves it when it is held.
func (y story) buy(t *testing.T, ctx context.Context, p process, token string) (api.View, error) {
	t.Helper()
	agent, operator := clientOf(t, p.server.URL, token), clientOf(t, p.server.URL, p.stack.operator)
	for {
		view, err := insist(ctx, func() *client.Client { return agent }, api.PayParams{Key: "the-purchase", URL: y.world.merchantURL + "/paid"})
		if err != nil || view.State != string(runtime.Held) {
			return view, err
		}
		if !y.held {
			return view, errors.New("the purchase is held")
		}
		if err := y.approve(t, ctx, operator, view.ID); err != nil && ctx.Err() != nil {
			return view, err
		}
	}
}

func (y story) approve(t *testing.T, ctx context.Context, operator *client.Client, payment string) error {
	t.Helper()
	statement, err := operator.Statement(ctx, payment, approverName, true)
	if err != nil {
		return err
	}
	if statement, err = judge.SignStatement(y.world.approverKey(t), statement); err != nil {
		t.Fatal(err)
	}
	_, err = operator.Approve(ctx, statement)
	return err
}

// strikes lists every fault at every write that an undisturbed run makes.
func strikes(writes map[string]int, faults ...storetest.Fault) (all []strike) {
	for _, role := range []string{roleRuntime, roleCosigner} {
		for write := 1; write <= writes[role]; write++ {
			for _, fault := range faults {
				all = append(all, strike{role, storetest.Plan{Write: write, Fault: fault}})
			}
		}
	}
	return all
}

func newStory(t *testing.T, key walletKey, held bool) story {
	t.Helper()
	limits := "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"5\""
	if held {
		limits += "\n    require_human_approval_above: \"0.5\"\n    approvals: {quorum: 1, approvers: [operator], expires: 15m}"
	}
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
	return story{world: world, policy: world.testPolicy(t, limits), key: key, held: held}
}

// strikeEverywhere runs the story once undisturbed and once for each fault at each write. With testing.Short it takes
// each fifth.
func (y story) strikeEverywhere(t *testing.T, faults ...storetest.Fault) {
	writes, _ := y.live(t, strike{})
	if writes[roleRuntime] < 8 || writes[roleCosigner] < 3 {
		t.Fatalf("an undisturbed run writes %v: fewer points than a payment has states", writes)
	}
	for i, s := range strikes(writes, faults...) {
		if testing.Short() && i%5 != 0 {
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			if _, died := y.live(t, s); died != s.crashes() {
				t.Errorf("the process died: %v", died)
			}
		})
	}
}

func TestAProcessThatDiesAtAnyWriteOfAPaymentPaysOnceAfterItsRestart(t *testing.T) {
	newStory(t, testWallet(t), false).strikeEverywhere(t, storetest.CrashBefore, storetest.CrashAfter)
}

func TestAProcessThatDiesAtAnyWriteOfAnApprovedPaymentPaysOnceAfterItsRestart(t *testing.T) {
	newStory(t, testWallet(t), true).strikeEverywhere(t, storetest.CrashBefore, storetest.CrashAfter)
}
