package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/policy/rules"
	"go.yaml.in/yaml/v4"
)

const breakerCountMax = 1000

func (c *compiler) recipients(n *yaml.Node, p *rules.PolicySpec) {
	p.AnyPayee = false
	p.Recipients = c.set(n, "allowed_recipients", rules.RecipientsMax, c.recipient)
}

func (c *compiler) recipient(n *yaml.Node, what string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	r, err := rules.ParseRecipient(s)
	switch {
	case err != nil:
		c.failWith(n, err)
		return "", false
	case r.Elided:
		c.warn(n, "recipient_elided", fmt.Sprintf("%s is cut short and matches nobody", s), "write all 40 hex digits")
	case r.Origin != "" && !r.Origin.Private():
		c.failInsecure(n, r.Origin)
		return "", false
	case r.Origin == "" && !c.checksumHolds(n, s):
		return "", false
	}
	return r.String(), true
}

func (c *compiler) failInsecure(n *yaml.Node, origin rules.Origin) {
	c.fail(n, "origin_insecure", fmt.Sprintf("anybody on the way to %s can name another payee", origin), "use https, or an origin on this machine")
}

// checksumHolds reports a mixed-case address whose EIP-55 checksum is wrong: one digit was mistyped, and the money
// would be gone.
func (c *compiler) checksumHolds(n *yaml.Node, s string) bool {
	address := s[max(strings.LastIndexAny(s, ":/"), -1)+1:]
	want := preimage.Checksum(address)
	digits := strings.TrimPrefix(address, "0x")
	if want == "" || address == want || digits == strings.ToLower(digits) || digits == strings.ToUpper(digits) {
		return true
	}
	c.fail(n, "address_checksum", fmt.Sprintf("the upper and lower case of %s do not fit its digits (EIP-55)", address),
		"copy the address again; one of its digits is probably wrong")
	return false
}

func (c *compiler) approvalAbove(n *yaml.Node, p *rules.PolicySpec) {
	p.ApprovalAbove = c.dollars(n, "require_human_approval_above")
}

func (c *compiler) hours(n *yaml.Node, p *rules.PolicySpec) {
	list := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if list = c.items(n, "active_hours", rules.HoursMax); len(list) == 0 {
			c.fail(n, "list_empty", "active_hours lists no hours", "name the hours, or remove the key to be always active")
		}
	}
	for _, item := range list {
		s, ok := c.text(item, "active_hours")
		if !ok {
			continue
		}
		hours, err := rules.ParseHours(s)
		if err != nil {
			c.failWith(item, err)
			continue
		}
		p.Hours = append(p.Hours, hours.String())
	}
}

func (c *compiler) breaker(n *yaml.Node, p *rules.PolicySpec) {
	found := c.fields(n, "the breaker", "paid_undelivered", "latch")
	c.need(n, "the breaker", found, "paid_undelivered")
	p.Breaker.Latch = true // a breaker that closes by itself leaks its budget again and again
	if f, ok := found["paid_undelivered"]; ok {
		p.Breaker.PaidUndelivered, _ = c.count(f.value, "paid_undelivered", 1, breakerCountMax)
	}
	if f, ok := found["latch"]; ok {
		p.Breaker.Latch = c.flag(f.value, "latch")
	}
}

func (c *compiler) repeats(n *yaml.Node, p *rules.PolicySpec) {
	if n.Kind != yaml.SequenceNode {
		p.Repeats = c.repeatsWord(n)
		return
	}
	for _, item := range c.items(n, "repeats", rules.RoutesMax) {
		found := c.fields(item, "the entry", "route", "repeats")
		c.need(item, "the entry", found, "route", "repeats")
		route, hasRoute := found["route"]
		word, hasWord := found["repeats"]
		if !hasRoute || !hasWord {
			continue
		}
		c.routeRepeats(route.value, c.repeatsWord(word.value), p)
	}
	slices.SortFunc(p.Routes, func(a, b rules.RouteSpec) int { return strings.Compare(a.Route, b.Route) })
}

// routeRepeats adds one exception, or with route "*" sets the default.
func (c *compiler) routeRepeats(n *yaml.Node, repeats rules.Repeats, p *rules.PolicySpec) {
	s, ok := c.text(n, "route")
	if !ok {
		return
	}
	if s == "*" {
		p.Repeats = repeats
		return
	}
	pattern, err := rules.ParseRoutePattern(s)
	if err != nil {
		c.failWith(n, err)
		return
	}
	if slices.ContainsFunc(p.Routes, func(r rules.RouteSpec) bool { return r.Route == pattern.String() }) {
		c.fail(n, "entry_repeated", fmt.Sprintf("repeats names %.80q twice", s), "remove one")
		return
	}
	p.Routes = append(p.Routes, rules.RouteSpec{Route: pattern.String(), Repeats: repeats})
}

func (c *compiler) repeatsWord(n *yaml.Node) rules.Repeats {
	word, _ := c.word(n, "repeats", string(rules.RepeatsSequential), string(rules.RepeatsParallel), string(rules.RepeatsNever))
	return rules.Repeats(word)
}

func (c *compiler) validity(n *yaml.Node, p *rules.PolicySpec) {
	p.ValidityS, _ = c.seconds(n, "validity_max", rules.ValidityMinS, rules.ValidityMaxS)
}

func (c *compiler) evidence(n *yaml.Node, p *rules.PolicySpec) {
	word, ok := c.word(n, "evidence_min", abi.EvidenceAsserted.String(), abi.EvidenceFetched.String(),
		abi.EvidenceSignedOffer.String(), abi.EvidencePinned.String())
	if !ok {
		return
	}
	rank, err := abi.ParseEvidence(word)
	if err != nil {
		c.failWith(n, err)
	}
	p.Evidence = rank
}
