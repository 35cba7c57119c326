//go:build !nodevchain

package devchain_test

import (
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
)

// BenchmarkFromNothingToAFundedPayer is the first thing a new user waits for.
func BenchmarkFromNothingToAFundedPayer(b *testing.B) {
	for b.Loop() {
		c, err := devchain.Open(b.Context(), devchain.Config{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Fund(b.Context(), devchaintest.NewPayer(b).Address, abi.NewAmount(1_000_000), abi.Amount{}); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
