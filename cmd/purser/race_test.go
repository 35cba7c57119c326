package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
)

const (
	oneUSDC = 1_000_000
	// answerTimeMax bounds how long an agent repeats one key. It is only ever reached by a payment that is stuck.
	answerTimeMax = 5 * time.Minute
	repeatPause   = 200 * time.Millisecond
)

// raceSize is how many agents' calls meet which budget, in whole USDC.
type raceSize struct{ calls, budget int }

func sized(full, short raceSize) raceSize {
	if testing.Short() {
		return short
	}
	return full
}

func (s raceSize) limits() string {
	return fmt.Sprintf("    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"%d\"\n    repeats: parallel", s.budget)
}

// insist repeats one call under its key, as an agent does, until the payment is over or held.
func insist(ctx context.Context, connect func() *client.Client, params api.PayParams) (api.View, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeMax)
	defer cancel()
	for {
		view, err := connect().Pay(ctx, params)
		state := runtime.State(view.State)
		switch {
		case err == nil && (state.Final() || state == runtime.Held):
			return view, nil
		case err != nil && !slices.Contains([]string{"unreachable", "pending", "busy", "closing", "internal", "commit_unknown", "injected"}, abi.CodeOf(err)):
			return view, err
		}
		select {
		case <-ctx.Done():
			return view, fmt.Errorf("key %s is still %s (%w): %w", params.Key, view.State, err, ctx.Err())
		case <-time.After(repeatPause):
		}
	}
}

// runRace makes all calls at once, spread over the clients, and returns how often each state was answered.
func runRace(t *testing.T, calls int, url string, clients ...*client.Client) map[string]int {
	t.Helper()
	var mu sync.Mutex
	states := map[string]int{}
	var callers sync.WaitGroup
	begin := make(chan struct{})
	for i := range calls {
		callers.Go(func() {
			<-begin
			view, err := insist(t.Context(), func() *client.Client { return clients[i%len(clients)] }, api.PayParams{Key: fmt.Sprintf("purchase-%04d", i), URL: url})
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			states[view.State]++
		})
	}
	close(begin)
	callers.Wait()
	return states
}

// settledExactly checks a race's answers, ledgers and chain: the budget was spent to the last USDC and not beyond.
func (w *testWorld) settledExactly(t *testing.T, size raceSize, states map[string]int, e evidence) {
	t.Helper()
	e.mustHold(t)
	t.Logf("delayed steps: %v", e.delays())
	refused := size.calls - size.budget
	if states["delivered"] != size.budget || states["denied"] != refused {
		t.Errorf("agents were answered %v, want %d delivered and %d denied", states, size.budget, refused)
	}
	if got := e.states(); got["delivered"] != size.budget || got["denied"] != refused || len(e.runtime.rows) != size.calls {
		t.Errorf("the ledger holds %v, want %d delivered and %d denied", got, size.budget, refused)
	}
	if got := e.denials(abi.ReasonBudgetExceeded); got != refused {
		t.Errorf("%d denials say %s, want %d", got, abi.ReasonBudgetExceeded, refused)
	}
	if len(e.transfers) != size.budget {
		t.Errorf("the chain shows %d transfers, want %d", len(e.transfers), size.budget)
	}
	want := abi.NewAmount(uint64(size.budget) * oneUSDC) //nolint:gosec // a small positive number
	if got := balanceOf(t, w.chain.RPCURL(), w.chain.Token().Reference(), demoPayee); got != want {
		t.Errorf("the payee has %s, want exactly %s", got, want)
	}
}

func TestFiveHundredCallsAgainstABudgetOfOneHundredSettleExactlyOneHundredOnSQLite(t *testing.T) {
	size := sized(raceSize{500, 100}, raceSize{60, 12})
	key := testWallet(t)
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
	data := t.TempDir()
	s := openTestStack(t, world.stackFor(data, world.testPolicy(t, size.limits()), key))
	agent, _ := s.agentClient(t, "shopper")
	states := runRace(t, size.calls, world.merchantURL+"/paid", agent)
	world.settledExactly(t, size, states, world.evidenceOf(t, data, key, uint64(size.budget)*oneUSDC)) //nolint:gosec // small
}

func TestSixtyCallsAgainstABudgetOfTwentySettleExactlyTwentyWithTheRealEngine(t *testing.T) {
	size := sized(raceSize{60, 20}, raceSize{9, 3})
	key, err := demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
	data := t.TempDir()
	s := openTestStack(t, world.stackFor(data, world.testPolicy(t, size.limits()), key))
	agent, _ := s.agentClient(t, "shopper")
	states := runRace(t, size.calls, world.merchantURL+"/paid", agent)
	world.settledExactly(t, size, states, world.evidenceOf(t, data, key, uint64(size.budget)*oneUSDC)) //nolint:gosec // small
}

func TestThreeRuntimeProcessesOnOnePostgresSettleExactlyOneHundred(t *testing.T) {
	size := sized(raceSize{500, 100}, raceSize{60, 12})
	const processes = 3
	dsn := ownSchemas(t, "purser_runtime", "purser_cosigner")
	key := testWallet(t)
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
	policy := world.testPolicy(t, size.limits())
	identities := makeIdentities(t)
	var clients []*client.Client
	token := ""
	for i := range processes {
		data := t.TempDir()
		identities.copyTo(t, data)
		process := startChild(t, childConfig{Data: data, Postgres: dsn, Policy: policy, Network: string(world.chain.Network()), RPC: world.chain.RPCURL()})
		if i == 0 {
			made, err := process.as(t, operatorOf(t, data)).CreateAgent(t.Context(), api.AgentParams{Agent: "shopper", Wallet: demoWalletID})
			if err != nil {
				t.Fatal(err)
			}
			token = made.Token
		}
		clients = append(clients, process.as(t, token))
	}
	states := runRace(t, size.calls, world.merchantURL+"/paid", clients...)
	world.settledExactly(t, size, states, evidence{
		runtime: readPostgres(t, dsn, "purser_runtime"), cosigner: readPostgres(t, dsn, "purser_cosigner"),
		transfers: readTransfers(t, world.chain.RPCURL(), world.chain.Token().Reference(), key.wallet.Address),
		limit:     abi.NewAmount(uint64(size.budget) * oneUSDC), //nolint:gosec // small
	})
}

// ownSchemas starts Postgres and promises that the named schemas are this test's: it refuses a server where they hold
// anything, and drops them at the end.
func ownSchemas(t *testing.T, schemas ...string) (dsn string) {
	t.Helper()
	dsn = pgtest.Start(t)
	for _, schema := range schemas {
		if view := readPostgres(t, dsn, schema); len(view.records) > 0 || len(view.rows) > 0 {
			t.Fatalf("schema %s of this server holds a ledger already; the test would drop it", schema)
		}
		pgtest.Drop(t, dsn, schema)
	}
	return dsn
}

// identityFiles are both sides' keys, for processes that are one runtime to the co-signer.
type identityFiles map[string][]byte

func makeIdentities(t *testing.T) identityFiles {
	t.Helper()
	s := &stack{config: stackConfig{data: t.TempDir()}}
	if err := s.identify(); err != nil {
		t.Fatal(err)
	}
	files := identityFiles{}
	for _, name := range []string{"runtime.key", "cosigner.key"} {
		text, err := os.ReadFile(filepath.Join(s.config.data, "identity", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	return files
}

func (files identityFiles) copyTo(t *testing.T, data string) {
	t.Helper()
	folder := filepath.Join(data, "identity")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
