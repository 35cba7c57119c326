// Command purser-go is the bench's policy as a purser plugin on the Go SDK.
package main

import (
	sdk "github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
	purser "github.com/purserhq/purser/sdk/go/policy"

	"github.com/purserhq/purser/tools/bench/policy"
	"github.com/purserhq/purser/tools/bench/sdkpolicy"
)

var settings policy.Settings

func init() { purser.Register(purser.Func{Configure: configure, Decide: decide}) }

func main() {}

func configure(c *config.Config) {
	settings = policy.Settings{
		Networks: policy.SetOf(c.Texts("/networks")), Assets: policy.SetOf(c.Texts("/assets")), Payees: policy.SetOf(c.Texts("/payees")),
		AmountMax: c.Uint("/amount_max"), ApprovalAbove: c.Uint("/approval_above"), PriceFactor: c.Uint("/price_factor"),
		OpenHour: c.Uint("/open_hour"), CloseHour: c.Uint("/close_hour"),
	}
	if settings.PriceFactor > policy.PriceFactorMax {
		c.Problem("/price_factor", "must be at most 1000")
	}
}

func decide(r *sdk.DecideRequest) *sdk.DecideResult { return sdkpolicy.Decide(&settings, r) }
