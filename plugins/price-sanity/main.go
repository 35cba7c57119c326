// Command price-sanity is a purser policy that compares a price with what the same merchant and route cost before.
// It denies above a ceiling, holds above a multiple of the median, and allows the rest; it refuses to judge a quote
// that is missing, empty or not the intent's, and history that is not this side's own.
//
// A merchant that knows an agent pays without looking can raise its price a hundredfold for one request. Limits per
// day stop that late; this stops it at the first such quote. Amounts are smallest units of whatever asset is quoted.
package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
	"github.com/purserhq/purser/sdk/go/policy"
)

const (
	factorDefault     = 2
	factorMax         = 1000
	samplesMinDefault = 3
	// samplesMax is how many of the newest quotes count, so that a price may move over time.
	samplesMax = 64
)

// settings are set once by configure, before any decision.
var settings struct {
	ceiling, firstMax  abi.Amount
	factor, samplesMin uint64
}

func init() { policy.Register(policy.Func{Configure: configure, Decide: decide}) }

func main() {}

func configure(c *config.Config) {
	settings.ceiling = positive(c, "/ceiling")
	settings.factor = within(c, "/factor", factorDefault, factorMax)
	settings.samplesMin = within(c, "/samples_min", samplesMinDefault, samplesMax)
	settings.firstMax = settings.ceiling
	if c.Has("/first_max") {
		settings.firstMax = positive(c, "/first_max")
	}
	if settings.firstMax.Cmp(settings.ceiling) > 0 {
		c.Problem("/first_max", "must not be above the ceiling")
	}
}

func positive(c *config.Config, pointer string) abi.Amount {
	amount := c.Amount(pointer)
	if c.Has(pointer) && amount.IsZero() {
		c.Problem(pointer, "must be an amount above zero")
	}
	return amount
}

func within(c *config.Config, pointer string, absent, highest uint64) uint64 {
	if !c.Has(pointer) {
		return absent
	}
	n := c.Uint(pointer)
	if n < 1 || n > highest {
		c.Problem(pointer, "must be from 1 to "+abi.NewAmount(highest).String())
	}
	return n
}
