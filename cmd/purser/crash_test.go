package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/storetest"
)

// story is a purchase whose every write is struck once.
type story struct {
	world  *testWorld
	policy string
	key    walletKey
	// held says that a person must approve it.
	held bool
}

const storyLimit = 5 * oneUSDC

// strike is one fault in one ledger.
type strike struct {
	role string
	plan storetest.Plan
}

func (s strike) String() string {
	fault := map[storetest.Fault]string{
		storetest.FailBefore: "fails before", storetest.FailAfter: "fails after",
		storetest.CrashBefore: "dies before", storetest.CrashAfter: "dies after",
	}[s.plan.Fault]
	return fmt.Sprintf("%s %s write %d", s.role, fault, s.plan.Write)
}

func (s strike) crashes() bool {
	return s.plan.Fault == storetest.CrashBefore || s.plan.Fault == storetest.CrashAfter
}

// faulty makes a stack's ledgers misbehave as planned, and counts their writes.
func (s strike) faulty(t *testing.T, config *stackConfig) (*death, map[string]*storetest.Faults) {
	t.Helper()
	end, ledgers := newDeath(t.Context()), map[string]*storetest.Faults{}
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
	end, ledgers := s.faulty(t, &config)
	first := y.open(t, config)
	made, err := first.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	token := made.Reveal()
	view, err := y.buy(t, end.life, first, token)
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
	y.judge(t, data, runtime.Delivered, 1)
	return writes, died
}

// judge asks the independent checker, and wants one payment in its last state that moved money so many times.
func (y story) judge(t *testing.T, data string, want runtime.State, transfers int) {
	t.Helper()
	e := y.world.evidenceOf(t, data, y.key, storyLimit)
	e.others = true // stories run beside each other, each on its own ledgers
	e.mustHold(t)
	if len(e.runtime.rows) != 1 || e.states()[string(want)] != 1 {
		t.Errorf("the ledger holds %v, want one payment, %s", e.states(), want)
	}
	for id, row := range e.runtime.rows {
		if count := e.transfersOf(id, row); count != transfers {
			t.Errorf("payment %s moved money %d times, want %d", id, count, transfers)
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
	if err := judge.SignStatement(&statement, y.world.approverKey(t)); err != nil {
		t.Fatal(err)
	}
	_, err = operator.Approve(ctx, statement)
	return err
}

// strikes lists every fault at every write that an undisturbed run makes.
func strikes(writes map[string]int, faults ...storetest.Fault) (all []strike) {
	for _, role := range roles {
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

func TestALedgerThatFailsAtAnyWriteOfAPaymentDelaysItAndPaysOnce(t *testing.T) {
	newStory(t, testWallet(t), true).strikeEverywhere(t, storetest.FailBefore, storetest.FailAfter)
}

func TestAProcessThatDiesAroundTheSignatureOfTheRealEnginePaysOnceAfterItsRestart(t *testing.T) {
	key, err := demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	y := newStory(t, key, false)
	for i, s := range []strike{
		{roleCosigner, storetest.Plan{Write: 3, Fault: storetest.CrashAfter}}, // promised
		{roleRuntime, storetest.Plan{Write: 6, Fault: storetest.CrashAfter}},  // armed
		{roleCosigner, storetest.Plan{Write: 4, Fault: storetest.CrashAfter}}, // spent, and the last message never left
		{roleRuntime, storetest.Plan{Write: 7, Fault: storetest.CrashBefore}}, // a signature exists and is not recorded
		{roleRuntime, storetest.Plan{Write: 8, Fault: storetest.CrashBefore}}, // paid, and it is not recorded
	} {
		if testing.Short() && i%3 != 2 { // the point of no return itself is never left out
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			if _, died := y.live(t, s); !died {
				t.Error("the process did not die")
			}
		})
	}
}

// blind is a ledger whose process never sees what is due: only what agents ask for moves.
type blind struct{ store.Store }

func (blind) Rows(context.Context, store.RowQuery) ([]store.Row, error) {
	return nil, errors.New("this process does not look")
}

// TestWhatADeadProcessLeftIsFinishedAtOnce would take minutes if either the agent's repeat or the next process's own
// look waited for the payment's due time.
func TestWhatADeadProcessLeftIsFinishedAtOnce(t *testing.T) {
	y := newStory(t, testWallet(t), false)
	for _, c := range []struct {
		name  string
		blind bool
	}{{"because its agent asks again", true}, {"although nobody asks again", false}} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a fraction of the due time of a signed payment
			defer cancel()
			config := y.world.stackFor(t.TempDir(), y.policy, y.key)
			signed := strike{roleRuntime, storetest.Plan{Write: 7, Fault: storetest.CrashAfter}}
			end, _ := signed.faulty(t, &config)
			first := y.open(t, config)
			made, err := first.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
			if err != nil {
				t.Fatal(err)
			}
			agent := clientOf(t, first.server.URL, made.Reveal())
			if view, err := agent.Pay(end.life, api.PayParams{Key: "the-purchase", URL: y.world.merchantURL + "/paid"}); err == nil {
				t.Fatalf("the process died and answered %+v", view)
			}
			first.close(t, end.happened.Load())
			config.ledgers = func(_ string, s store.Store) store.Store {
				if c.blind {
					return blind{s}
				}
				return s
			}
			second := y.open(t, config)
			if c.blind {
				if _, err := y.buy(t, ctx, second, made.Reveal()); err != nil {
					t.Error(err)
				}
			} else if err := second.finishAlone(ctx); err != nil {
				t.Error(err)
			}
			second.close(t, false)
			y.judge(t, config.data, runtime.Delivered, 1)
		})
	}
}

// finishAlone reads the log until it tells of a delivery.
func (p process) finishAlone(ctx context.Context) error {
	after := uint64(0)
	for {
		records, err := p.stack.runtime.Records(ctx, after)
		if err != nil {
			return err
		}
		for _, record := range records {
			var entry abi.Entry
			if err := entry.Unmarshal(record.Entry); err != nil {
				return err
			}
			if entry.Kind == "payment.delivered" {
				return nil
			}
			after = record.Position
		}
	}
}

func TestAProcessThatDiesAtAnyWriteOfAnApprovedPaymentPaysOnceAfterItsRestart(t *testing.T) {
	newStory(t, testWallet(t), true).strikeEverywhere(t, storetest.CrashBefore, storetest.CrashAfter)
}
