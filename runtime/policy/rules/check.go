package rules

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// ed25519KeyBytes is the size of an Ed25519 public key (RFC 8032).
const ed25519KeyBytes = 32

// check refuses a spec that is not in its only spelling. A YAML file never gets here with such a fault, because
// its compiler reports them with their place; a bundle from a peer or an archive may.
func (s Spec) check() error {
	if s.Format != Format {
		return specError("format %.40q, want %q", s.Format, Format)
	}
	checks := []func() error{s.checkAgents, s.checkPolicies, s.checkPeople, s.checkMerchants, s.checkTokens, s.checkNetworks, s.checkTrust}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func specError(format string, args ...any) error {
	return &abi.Error{Code: "policy_invalid", Message: fmt.Sprintf(format, args...)}
}

// ascending holds for sorted lists without repetition: the only spelling of a set.
func ascending[T any, K cmp.Ordered](list []T, key func(T) K) bool {
	for i := 1; i < len(list); i++ {
		if key(list[i-1]) >= key(list[i]) {
			return false
		}
	}
	return true
}

func isSet(list []string, most int) bool {
	return len(list) <= most && ascending(list, func(s string) string { return s })
}

// ValidPattern reports whether s names agents: a valid name, a prefix of one followed by '*', or '*'.
func ValidPattern(s string) bool {
	prefix, isPrefix := strings.CutSuffix(s, "*")
	return ValidName(prefix) || isPrefix && prefix == ""
}

func (s Spec) checkAgents() error {
	if len(s.Agents) > AgentsMax || !ascending(s.Agents, func(a AgentSpec) string { return a.Pattern }) {
		return specError("agents are too many or not sorted")
	}
	for _, agent := range s.Agents {
		known := slices.ContainsFunc(s.Policies, func(p PolicySpec) bool { return p.Name == agent.Policy })
		if !ValidPattern(agent.Pattern) || !known || agent.Tier != "" && !ValidName(agent.Tier) ||
			!isSet(agent.Groups, GroupsMax) || !allOf(agent.Groups, ValidName) {
			return specError("agent pattern %.80q is malformed or names an unknown policy", agent.Pattern)
		}
	}
	return nil
}

func allOf(list []string, ok func(string) bool) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !ok(s) })
}

func (s Spec) checkPolicies() error {
	if len(s.Policies) > PoliciesMax || !ascending(s.Policies, func(p PolicySpec) string { return p.Name }) {
		return specError("policies are too many or not sorted")
	}
	if err := checkBudgets(TenantName, s.Tenant.Budgets); err != nil {
		return err
	}
	for _, budget := range s.Tenant.Budgets {
		if budget.By != ByTenant {
			return specError("tenant.%s counts by %s", budget.Name, budget.By)
		}
	}
	for _, policy := range s.Policies {
		if err := s.checkPolicy(policy); err != nil {
			return err
		}
	}
	return nil
}

func (s Spec) checkPolicy(p PolicySpec) error {
	if !ValidName(p.Name) || p.Name == TenantName {
		return specError("policy name %.80q is malformed or reserved", p.Name)
	}
	if err := checkBudgets(p.Name, p.Budgets); err != nil {
		return err
	}
	switch {
	case p.AnyPayee && len(p.Recipients) > 0, !isSet(p.Recipients, RecipientsMax), !allOf(p.Recipients, isCanonicalRecipient):
		return specError("%s: recipients are malformed", p.Name)
	case len(p.Hours) > HoursMax, !allOf(p.Hours, isCanonicalHours):
		return specError("%s: hours are malformed", p.Name)
	case p.ValidityS < ValidityMinS || p.ValidityS > ValidityMaxS:
		return specError("%s: validity of %d s", p.Name, p.ValidityS)
	case p.Breaker.Latch && p.Breaker.PaidUndelivered == 0:
		return specError("%s: a breaker that latches but never opens", p.Name)
	}
	if err := checkRoutes(p); err != nil {
		return err
	}
	if err := checkPlugins(p); err != nil {
		return err
	}
	return s.checkApprovals(p)
}

func isCanonicalRecipient(s string) bool {
	r, err := ParseRecipient(s)
	return err == nil && r.String() == s && (r.Origin == "" || r.Origin.Private())
}

func isCanonicalHours(s string) bool {
	h, err := ParseHours(s)
	return err == nil && h.String() == s
}

func checkBudgets(owner string, budgets []BudgetSpec) error {
	names := map[string]bool{}
	for _, b := range budgets {
		window, err := store.ParseWindow(b.Window)
		countsOpen := b.Unit == store.UnitCount && window == store.Open() // a count is never open
		scoped := b.By == ByAgent || b.By == ByTenant || b.By == ByPayee || b.By == ByPolicy
		if err != nil || window.String() != b.Window || !scoped || b.Unit != UnitUSDC && b.Unit != store.UnitCount ||
			!ValidName(b.Name) || names[b.Name] || countsOpen {
			return specError("budget %s.%.80s is malformed or repeated", owner, b.Name)
		}
		names[b.Name] = true
	}
	if len(budgets) > BudgetsMax {
		return specError("%s has %d budgets, want at most %d", owner, len(budgets), BudgetsMax)
	}
	return nil
}

// Valid reports whether r is one of the three words.
func (r Repeats) Valid() bool {
	return r == RepeatsNever || r == RepeatsSequential || r == RepeatsParallel
}

func checkRoutes(p PolicySpec) error {
	if len(p.Routes) > RoutesMax || !p.Repeats.Valid() || !ascending(p.Routes, func(r RouteSpec) string { return r.Route }) {
		return specError("%s: repeats are malformed", p.Name)
	}
	for _, route := range p.Routes {
		pattern, err := ParseRoutePattern(route.Route)
		if err != nil || pattern.String() != route.Route || !route.Repeats.Valid() {
			return specError("%s: route %.80q is malformed", p.Name, route.Route)
		}
	}
	return nil
}

func checkPlugins(p PolicySpec) error {
	names := map[string]bool{SourceRules: true} // a plugin may not speak for the native rules
	for _, plugin := range p.Plugins {
		if !ValidName(plugin.Name) || names[plugin.Name] || !isModuleDigest(plugin.SHA256) || !areSigners(plugin.Signers) ||
			!isCanonicalObject(plugin.Config) || !isCanonicalObject(plugin.Grants) {
			return specError("%s: plugin %.80q is malformed or repeated", p.Name, plugin.Name)
		}
		names[plugin.Name] = true
	}
	if len(p.Plugins) > PluginsMax {
		return specError("%s has %d plugins, want at most %d", p.Name, len(p.Plugins), PluginsMax)
	}
	return nil
}

func isCanonicalObject(s string) bool {
	canonical, err := abi.CanonicalJSON([]byte(s))
	return err == nil && string(canonical) == s && strings.HasPrefix(s, "{")
}

func (s Spec) checkApprovals(p PolicySpec) error {
	a := p.Approvals
	known := func(name string) bool {
		return slices.ContainsFunc(s.Approvers, func(person Approver) bool { return person.Name == name })
	}
	if a.Quorum < 1 || a.Quorum > abi.ApprovalsMax || a.HoldS < HoldMinS || a.HoldS > HoldMaxS ||
		!isSet(a.Approvers, ApproversMax) || !allOf(a.Approvers, known) {
		return specError("%s: approvals are malformed or name an unknown approver", p.Name)
	}
	return nil
}

// checkPeople refuses one key under two names: its owner would be a quorum of two.
func (s Spec) checkPeople() error {
	keys := map[string]bool{}
	for _, person := range s.Approvers {
		key, err := hex.DecodeString(person.Key)
		if err != nil || len(key) != ed25519KeyBytes || hex.EncodeToString(key) != person.Key || keys[person.Key] || !ValidName(person.Name) {
			return specError("approver %.80q is malformed or has another's key", person.Name)
		}
		keys[person.Key] = true
	}
	if len(s.Approvers) > ApproversMax || !ascending(s.Approvers, func(a Approver) string { return a.Name }) {
		return specError("approvers are too many or not sorted")
	}
	return nil
}

func (s Spec) checkMerchants() error {
	if len(s.Merchants) > MerchantsMax || !ascending(s.Merchants, func(m Merchant) string { return m.Origin }) {
		return specError("merchants are too many or not sorted")
	}
	isAccount := func(s string) bool {
		r, err := ParseRecipient(s)
		return err == nil && r.Origin == "" && !r.Elided && r.String() == s
	}
	for _, merchant := range s.Merchants {
		origin, err := ParseOrigin(merchant.Origin)
		if err != nil || string(origin) != merchant.Origin || !origin.Private() ||
			!isSet(merchant.PayTo, PayToMax) || !allOf(merchant.PayTo, isAccount) {
			return specError("merchant %.80q is malformed", merchant.Origin)
		}
	}
	return nil
}

// checkTokens refuses a dollar that does not count in millionths: at par means smallest unit for smallest unit.
func (s Spec) checkTokens() error {
	for _, token := range s.Tokens {
		asset, err := abi.ParseAsset(token.Asset)
		if err != nil || string(asset) != token.Asset || !ValidUnit(token.Unit) ||
			token.Unit == UnitUSDC && token.Decimals != UnitDecimals {
			return specError("token %.180q is malformed", token.Asset)
		}
	}
	if len(s.Tokens) > TokensMax || !ascending(s.Tokens, func(t Token) string { return t.Asset }) {
		return specError("tokens are too many or not sorted")
	}
	return nil
}

// ValidUnit reports whether s may be a token's unit. The unit of counters is reserved: a token counted in it would
// mix money into a number of payments.
func ValidUnit(s string) bool { return ValidName(s) && s != store.UnitCount }

func (s Spec) checkNetworks() error {
	isNetwork := func(s string) bool {
		_, err := abi.ParseNetwork(s)
		return err == nil
	}
	if !isSet(s.Networks, NetworksMax) || !allOf(s.Networks, isNetwork) {
		return specError("networks are malformed or not sorted")
	}
	return nil
}
