// Command ceiling is a purser policy that denies every payment above one amount.
package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
	"github.com/purserhq/purser/sdk/go/policy"
)

var ceiling abi.Amount

func init() {
	policy.Register(policy.Func{
		Configure: func(c *config.Config) { ceiling = c.Amount("/ceiling") },
		Decide: func(r *abi.DecideRequest) *abi.DecideResult {
			if r.Intent.Amount.Cmp(ceiling) > 0 {
				return policy.Deny("ceiling_exceeded", "the amount is above the ceiling of", ceiling.String())
			}
			return policy.Allow()
		},
	})
}

func main() {}
