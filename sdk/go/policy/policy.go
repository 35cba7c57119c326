// Package policy turns a Go function into a purser policy: a plugin that says
// deny, hold or allow to a payment. It refuses to allow by accident: a missing
// answer, a missing intent and a panic all deny.
//
// A policy registers itself in init and has an empty main:
//
//	var ceiling abi.Amount
//
//	func init() {
//		policy.Register(policy.Func{
//			Configure: func(c *config.Config) { ceiling = c.Amount("/ceiling") },
//			Decide: func(r *abi.DecideRequest) *abi.DecideResult {
//				if r.Intent.Amount.Cmp(ceiling) > 0 {
//					return policy.Deny("ceiling_exceeded", "the amount is above the ceiling")
//				}
//				return policy.Allow()
//			},
//		})
//	}
//
//	func main() {}
//
// The package compiles natively too: a unit test calls Configure and Decide.
package policy

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/config"
	"github.com/purserhq/purser/sdk/go/internal/guest"
)

// Func is a policy.
type Func struct {
	// Configure reads the settings, once, before any Decide. Settings it does not
	// read refuse the configuration. Optional.
	Configure func(c *config.Config)
	// Decide judges one payment. Intent, Quote, Agent and Facts of the request are
	// never nil; the histories in Facts are nil unless the manifest asks for them.
	// It must depend on nothing but the request and the settings: memory written
	// here is gone before the next call. Required.
	Decide func(r *abi.DecideRequest) *abi.DecideResult
}

var registered Func

// Register makes p the policy of this module. Call it once, from init. It panics
// when p has no Decide or the module has a plugin already.
func Register(p Func) {
	if p.Decide == nil {
		panic("purser: a policy needs Decide")
	}
	guest.Register(p.Configure)
	registered = p
}

// Configure does natively what the host's configure call does.
func Configure(r *abi.ConfigureRequest) *abi.ConfigureResult { return guest.Configure(r) }

// Decide does natively what the host's decide call does.
func Decide(r *abi.DecideRequest) *abi.DecideResult {
	if registered.Decide == nil || r == nil || r.Intent == nil || r.Quote == nil || r.Agent == nil {
		return Deny("request_incomplete", "no policy, or a request without intent, quote or agent")
	}
	if r.Facts == nil {
		r.Facts = &abi.Facts{}
	}
	if result := registered.Decide(r); result != nil {
		return result
	}
	return Deny("no_answer", "the policy returned nothing")
}

// Allow says yes.
func Allow() *abi.DecideResult { return &abi.DecideResult{Outcome: abi.Allow} }

// Hold asks for a person. The code is stable and snake_case; the texts are for
// people and are joined by spaces.
func Hold(code string, text ...string) *abi.DecideResult { return because(abi.Hold, code, text) }

// Deny says no. The code is stable and snake_case; the texts are for people and
// are joined by spaces.
func Deny(code string, text ...string) *abi.DecideResult { return because(abi.Deny, code, text) }

func because(outcome abi.Outcome, code string, text []string) *abi.DecideResult {
	joined := ""
	for i, t := range text {
		if i > 0 {
			joined += " "
		}
		joined += t
	}
	return &abi.DecideResult{Outcome: outcome, Reasons: []abi.Reason{{Code: code, Text: joined}}}
}
