package rules

import (
	"time"

	"github.com/purserhq/purser/abi"
)

// Policy is what a bundle says about the agents it applies to. It never changes and is safe for concurrent use.
type Policy struct {
	bundle *Bundle
	spec   *PolicySpec

	recipients payees
	hours      []Hours
	routes     []routeRule
	budgets    []namedBudget
	approvers  map[string]bool
}

type routeRule struct {
	pattern RoutePattern
	repeats Repeats
}

// newPolicy compiles a spec that check accepted, so nothing here can fail; what would, is left out and then refuses.
func newPolicy(b *Bundle, spec *PolicySpec) *Policy {
	p := &Policy{bundle: b, spec: spec, recipients: newPayees(spec.Recipients), approvers: map[string]bool{}}
	for _, text := range spec.Hours {
		if hours, err := ParseHours(text); err == nil {
			p.hours = append(p.hours, hours)
		}
	}
	for _, route := range spec.Routes {
		if pattern, err := ParseRoutePattern(route.Route); err == nil {
			p.routes = append(p.routes, routeRule{pattern, route.Repeats})
		}
	}
	for _, name := range spec.Approvals.Approvers {
		p.approvers[name] = true
	}
	p.budgets = append(namedBudgets(spec.Name, spec.Budgets), namedBudgets(TenantName, b.spec.Tenant.Budgets)...)
	return p
}

// Name is the policy's name.
func (p *Policy) Name() string { return p.spec.Name }

// PolicySHA256 is the hash of the policy's bundle, as DecideRequest carries it.
func (p *Policy) PolicySHA256() []byte { return append([]byte(nil), p.bundle.hash[:]...) }

// ValidityMax caps how long an authorization may live; the combined verdicts may want less, see Conclude.
func (p *Policy) ValidityMax() time.Duration { return seconds(p.spec.ValidityS) }

// HoldMax is how long a hold waits for approvals before it becomes a denial.
func (p *Policy) HoldMax() time.Duration { return seconds(p.spec.Approvals.HoldS) }

// Breaker is the policy's breaker; its counters and latch belong to the host.
func (p *Policy) Breaker() Breaker { return p.spec.Breaker }

// Quorum is how many distinct people of Approvers clear a hold, from 1 to abi.ApprovalsMax.
func (p *Policy) Quorum() int { return int(min(p.spec.Approvals.Quorum, abi.ApprovalsMax)) }

// Approvers lists the people whose approval counts for this policy, with their keys.
func (p *Policy) Approvers() []Approver {
	var people []Approver
	for _, person := range p.bundle.spec.Approvers {
		if p.approvers[person.Name] {
			people = append(people, person)
		}
	}
	return people
}

// Plugins lists the Wasm policies that must also give a verdict, in order. The caller owns the copy.
func (p *Policy) Plugins() []Plugin { return append([]Plugin(nil), p.spec.Plugins...) }

// Repeats says what a second call for the same route means. A route without a single spelling ("", see Route) may
// be any of them, so it gets the strictest word of the policy.
func (p *Policy) Repeats(route string) Repeats {
	var best *routeRule
	for i := range p.routes {
		rule := &p.routes[i]
		if route == "" && stricter(rule.repeats, p.spec.Repeats) && (best == nil || stricter(rule.repeats, best.repeats)) ||
			route != "" && rule.pattern.matches(route) && (best == nil || rule.pattern.moreSpecific(best.pattern)) {
			best = rule
		}
	}
	if best == nil {
		return p.spec.Repeats
	}
	return best.repeats
}

func stricter(a, b Repeats) bool { return looseness[a] < looseness[b] }

// looseness orders Repeats; a word that is none of them is as strict as RepeatsNever.
var looseness = map[Repeats]int{RepeatsNever: 0, RepeatsSequential: 1, RepeatsParallel: 2}

func seconds(n uint64) time.Duration {
	return time.Duration(min(n, HoldMaxS)) * time.Second
}
