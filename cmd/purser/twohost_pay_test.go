package main

import (
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

// TestTwoProcessesPayAndNeitherHoldsTheKey pays from a key of the agent's own, derived under the demo wallet, with each
// share in a process and a sealed keystore of its own.
func TestTwoProcessesPayAndNeitherHoldsTheKey(t *testing.T) {
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(oneUSDC), demoReport}})
	hosts := newTwoHosts(t, world, world.testPolicy(t, "    max_transaction_usdc: \"5\"\n    daily_spending_limit: \"50\"\n    repeats: parallel"))
	hosts.start(t, roleCosigner)
	serve := hosts.start(t, roleRuntime)
	shopper, view := hosts.agent(t, serve, abi.Enrolment{Agent: "shopper", Wallet: demoWalletID, Derived: true})
	if _, err := world.chain.Fund(t.Context(), view.Address, abi.NewAmount(demoBalance), abi.Amount{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"purchase-1", "purchase-2"} {
		paid, err := shopper.Pay(t.Context(), api.PayParams{Key: key, URL: world.merchantURL + "/paid"})
		if err != nil || paid.State != string(runtime.Delivered) || paid.Response == nil || string(paid.Response.Body) != demoReport {
			t.Fatalf("%s: %v %+v", key, err, paid)
		}
	}
}
