// Package policy is the one policy of the plugin bench, in Go: ten rules over what they read of a request, every rule
// asked, every code kept, the strictest outcome taken. It refuses to format texts: codes are all that every engine can
// say alike. The native engine and the Go guests link it; Rego, CEL, Cedar and Rust say the same in their own words.
package policy

import (
	"strings"
)

// Outcomes, ordered as in purser's ABI: the least is the strictest.
const (
	Deny  uint8 = 0
	Hold  uint8 = 1
	Allow uint8 = 2
)

// AmountMax bounds every amount, 2^53-1: PriceFactorMax times it still fits the signed 64 bits that CEL and Cedar
// count in. An amount above is CodeAmountUnreadable, whatever else the request says.
const AmountMax = 1<<53 - 1

// PriceFactorMax bounds Settings.PriceFactor.
const PriceFactorMax = 1000

// Codes of the rules. Each engine spells them out again, and the agreement test compares them.
const (
	CodeQuoteMismatch     = "quote_mismatch"
	CodeNetworkNotAllowed = "network_not_allowed"
	CodeAssetNotAllowed   = "asset_not_allowed"
	CodePayeeNotListed    = "payee_not_listed"
	CodeOriginNotHTTPS    = "origin_not_https"
	CodeAmountAboveMax    = "amount_above_max"
	CodeBudgetExceeded    = "budget_exceeded"
	CodeOutsideHours      = "outside_hours"
	CodeNeedsApproval     = "needs_approval"
	CodePriceJumped       = "price_jumped"

	CodeAmountUnreadable = "amount_unreadable"
)

// Codes are the codes of the ten rules in the order in which Decide reports them, with their outcomes.
var Codes = []struct {
	Code    string
	Outcome uint8
}{
	{CodeQuoteMismatch, Deny},
	{CodeNetworkNotAllowed, Deny},
	{CodeAssetNotAllowed, Deny},
	{CodePayeeNotListed, Deny},
	{CodeOriginNotHTTPS, Deny},
	{CodeAmountAboveMax, Deny},
	{CodeBudgetExceeded, Deny},
	{CodeOutsideHours, Hold},
	{CodeNeedsApproval, Hold},
	{CodePriceJumped, Hold},
}

// TierTrusted is the tier of agents that need no approval below AmountMax.
const TierTrusted = "trusted"

// Settings is the configuration, read once. It is safe for concurrent reads.
type Settings struct {
	Networks, Assets, Payees map[string]struct{}
	AmountMax, ApprovalAbove uint64 // smallest units of the asset
	PriceFactor              uint64
	OpenHour, CloseHour      uint64 // UTC, close excluded
}

// Payment is what the rules read of a request. Amounts are at most AmountMax.
type Payment struct {
	Network, Asset, Payee, Origin, Tier string
	QuotePayee                          string
	Amount, QuoteAmount                 uint64
	Budgets                             []Level
	// LastPrice is the newest quote of the same merchant and route, 0 if there is none.
	LastPrice uint64
	NowUnixS  uint64
}

// Level is one budget before the payment is counted.
type Level struct{ Used, Limit uint64 }

// Verdict is a decision: the outcome and the codes of the rules that spoke, in the order of Codes.
type Verdict struct {
	Outcome uint8
	Codes   []string
}

// Unreadable is the verdict on a request with an amount above AmountMax.
func Unreadable() Verdict { return Verdict{Outcome: Deny, Codes: []string{CodeAmountUnreadable}} }

// Say adds a rule by its code, and reports whether there is such a rule.
func (v *Verdict) Say(code string) bool {
	for rule := range Codes {
		if Codes[rule].Code == code {
			v.SayRule(rule)
			return true
		}
	}
	return false
}

// SayRule adds a rule by its place in Codes.
func (v *Verdict) SayRule(rule int) {
	v.Codes = append(v.Codes, Codes[rule].Code)
	v.Outcome = min(v.Outcome, Codes[rule].Outcome)
}

// Decide asks all ten rules.
func (s *Settings) Decide(p *Payment) Verdict {
	v := Verdict{Outcome: Allow}
	for rule, spoke := range [...]bool{
		p.QuoteAmount != p.Amount || p.QuotePayee != p.Payee,
		!has(s.Networks, p.Network),
		!has(s.Assets, p.Asset),
		!has(s.Payees, p.Payee),
		!strings.HasPrefix(p.Origin, "https://"),
		p.Amount > s.AmountMax,
		exceeds(p.Budgets, p.Amount),
		s.closed(p.NowUnixS),
		p.Amount > s.ApprovalAbove && p.Tier != TierTrusted,
		p.LastPrice != 0 && p.Amount > s.PriceFactor*p.LastPrice,
	} {
		if spoke {
			v.SayRule(rule)
		}
	}
	return v
}

func has(set map[string]struct{}, member string) bool {
	_, ok := set[member]
	return ok
}

func exceeds(budgets []Level, amount uint64) bool {
	for _, b := range budgets {
		if b.Used+amount > b.Limit {
			return true
		}
	}
	return false
}

func (s *Settings) closed(nowUnixS uint64) bool {
	hour := nowUnixS / 3600 % 24
	return hour < s.OpenHour || hour >= s.CloseHour
}

// SetOf is the set of the members of a list.
func SetOf(list []string) map[string]struct{} {
	set := make(map[string]struct{}, len(list))
	for _, member := range list {
		set[member] = struct{}{}
	}
	return set
}
