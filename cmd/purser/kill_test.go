package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

const (
	killSeed = 20261122
	// A process lives between killAfterMin and killAfterMax from its first answer on, long enough to be killed in the
	// middle of several payments.
	killAfterMin = 30 * time.Millisecond
	killAfterMax = 700 * time.Millisecond
	purchasesMax = 5000
)

// TestEachKeyIsPaidOnceAlthoughTheProcessIsKilledAgainAndAgain sends SIGKILL to a real process at random moments while
// agents pay, restarts it on the same folder, and has the agents repeat their keys until each is delivered.
func TestEachKeyIsPaidOnceAlthoughTheProcessIsKilledAgainAndAgain(t *testing.T) {
	agents, kills := 12, 6
	if testing.Short() {
		agents, kills = 3, 2
	}
	key := testWallet(t)
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}}, key)
	config := childConfig{
		Data: t.TempDir(), Network: string(world.chain.Network()), RPC: world.chain.RPCURL(),
		Policy: world.testPolicy(t, fmt.Sprintf("    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"%d\"\n    repeats: parallel", purchasesMax)),
	}
	process := startChild(t, config)
	made, err := process.as(t, operatorOf(t, config.Data)).CreateAgent(t.Context(), api.AgentParams{Agent: "shopper", Wallet: demoWalletID})
	if err != nil {
		t.Fatal(err)
	}
	var current atomic.Pointer[client.Client]
	current.Store(process.as(t, made.Token))

	// The agents buy until the last kill is over, so that each meets payments under way.
	var working sync.WaitGroup
	var bought atomic.Int64
	var enough atomic.Bool
	for range agents {
		working.Go(func() {
			for !enough.Load() {
				i := bought.Add(1)
				if i > purchasesMax {
					t.Error("the agents ran out of purchases before the kills were over")
					return
				}
				view, err := insist(t.Context(), current.Load, api.PayParams{Key: fmt.Sprintf("purchase-%04d", i), URL: world.merchantURL + "/paid"})
				if err != nil || view.State != string(runtime.Delivered) || view.Response == nil || string(view.Response.Body) != demoReport {
					t.Errorf("purchase %d ended as %+v, %v", i, view, err)
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(killSeed, 0)) // #nosec G404 -- when to kill is no secret
	for range kills {
		time.Sleep(killAfterMin + time.Duration(random.Int64N(int64(killAfterMax-killAfterMin))))
		process.kill(t)
		process = startChild(t, config)
		current.Store(process.as(t, made.Token))
	}
	enough.Store(true)
	working.Wait()
	process.stop(t)

	purchases := int(bought.Load())
	t.Logf("%d purchases over %d kills", purchases, kills)
	e := world.evidenceOf(t, config.Data, key, purchasesMax*oneUSDC)
	e.mustHold(t)
	if got := e.states(); len(e.runtime.rows) != purchases || got["delivered"] != purchases {
		t.Errorf("the ledger holds %v, want %d delivered", got, purchases)
	}
	if len(e.transfers) != purchases {
		t.Errorf("the chain shows %d transfers for %d keys", len(e.transfers), purchases)
	}
}
