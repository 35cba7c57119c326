package main

import (
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

func TestAPaymentWithTheRealEngineIsDeliveredOnce(t *testing.T) {
	key, err := demoKeys()
	if err != nil {
		t.Fatal(err)
	}
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(10_000), demoReport}})
	limits := "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1\""
	s := openTestStack(t, world.stackFor(t.TempDir(), world.testPolicy(t, limits), key))
	agent, _ := s.agentClient(t, "shopper")
	for range 2 { // the second call finds the first one's payment
		view, err := agent.Pay(t.Context(), api.PayParams{Key: "one-purchase", URL: world.merchantURL + "/paid"})
		if err != nil {
			t.Fatal(err)
		}
		if view.State != string(runtime.Delivered) || view.Receipt == nil || view.Response == nil || string(view.Response.Body) != demoReport {
			t.Fatalf("got %+v", view)
		}
	}
	records, err := s.runtime.Records(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(records); got != 10 { // agent.created, the pin of the co-signer's ledger, and eight steps
		t.Errorf("the log has %d entries, want 10", got)
	}
}
