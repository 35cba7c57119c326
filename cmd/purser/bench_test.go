package main

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
)

// BenchmarkPay measures a paid request end to end, over loopback HTTP, durable on both sides, settled on the embedded
// chain with instant blocks; and beside it the same merchant's bare 402, which is what the payment is added to.
func BenchmarkPay(b *testing.B) {
	world := newWorld(b, []paidRoute{{"/paid", abi.NewAmount(1_000), demoReport}})
	limits := "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1000\"\n    repeats: parallel"
	key, err := demoKeys()
	if err != nil {
		b.Fatal(err)
	}
	for _, engine := range []struct {
		name string
		key  walletKey
	}{{"mpc-cold", key}, {"single-key", testWallet(b)}} {
		b.Run(engine.name, func(b *testing.B) {
			if _, err := world.chain.Fund(b.Context(), engine.key.wallet.Address, abi.NewAmount(demoBalance), abi.Amount{}); err != nil {
				b.Fatal(err)
			}
			s := openTestStack(b, world.stackFor(b.TempDir(), world.testPolicy(b, limits), engine.key))
			agent, _ := s.agentClient(b, "shopper")
			n := 0
			latency.Measure(b, time.Millisecond, func() error {
				n++
				view, err := agent.Pay(b.Context(), api.PayParams{Key: fmt.Sprintf("purchase-%d", n), URL: world.merchantURL + "/paid"})
				if err == nil && view.State != string(runtime.Delivered) {
					err = fmt.Errorf("the payment is %s", view.State)
				}
				return err
			})
		})
	}
	b.Run("unpaid-402", func(b *testing.B) {
		latency.Measure(b, time.Millisecond, func() error {
			response, err := http.Get(world.merchantURL + "/paid")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			return err
		})
	})
}
