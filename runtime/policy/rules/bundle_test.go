package rules_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/store"
)

func TestTheMostSpecificPatternWins(t *testing.T) {
	s := baseSpec()
	for _, name := range []string{"q", "r", "s"} {
		other := s.Policies[0]
		other.Name = name
		s.Policies = append(s.Policies, other)
	}
	s.Agents = []rules.AgentSpec{
		{Pattern: "*", Policy: "p"},
		{Pattern: "travel-*", Policy: "q", Tier: "gold", Groups: []string{"eu"}},
		{Pattern: "travel-1", Policy: "r"},
		{Pattern: "travel-1*", Policy: "s"},
	}
	b := newBundle(t, s)
	for id, want := range map[string]string{"x": "p", "travel": "p", "travel-": "q", "travel-2": "q", "travel-1": "r", "travel-12": "s", "Travel-1": "p"} {
		if p, ok := b.For(id); !ok || p.Name() != want {
			t.Errorf("%s: %v", id, p)
		}
	}
	if agent, ok := b.Agent("travel-2"); !ok || agent.Tier != "gold" || !slices.Equal(agent.Groups, []string{"eu"}) {
		t.Errorf("%+v", agent)
	}
	for _, id := range []string{"", "*", "travel-*", "a/b", "a#count", "a b", "a\x00", "é", string(make([]byte, 65))} {
		if p, ok := b.For(id); ok {
			t.Errorf("%q has policy %s", id, p.Name())
		}
	}
}

func TestAnAgentThatNoPatternNamesHasNoPolicy(t *testing.T) {
	b := newBundle(t, baseSpec())
	if _, ok := b.For("b"); ok {
		t.Error("an unnamed agent has a policy")
	}
	if _, ok := b.Agent("b"); ok {
		t.Error("an unnamed agent is known")
	}
}

func TestACanonicalBundleReadsBackAndNoOtherSpellingDoes(t *testing.T) {
	b := newBundle(t, baseSpec())
	again, err := rules.Decode(b.Canonical())
	if err != nil || again.Hash() != b.Hash() {
		t.Fatalf("%v", err)
	}
	canonical := string(b.Canonical())
	for name, other := range map[string]string{
		"a space more": canonical + " ", "cut": canonical[:len(canonical)-1], "twice": canonical + canonical,
		"a key more": `{"a":1,` + canonical[1:], "nothing": "", "empty": "{}", "null": "null", "a list": "[]",
	} {
		if _, err := rules.Decode([]byte(other)); abi.CodeOf(err) != "policy_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABundleKeepsItsOwnCopy(t *testing.T) {
	s := baseSpec()
	s.Policies[0].Plugins = []rules.Plugin{{Name: "x", Path: "/opt/x.wasm", SHA256: key('b'), Config: "{}", Grants: "{}"}}
	b := newBundle(t, s)
	before := b.Hash()
	p, request := newRequest(t, b, 90*usd)
	*s.Policies[0].TransactionMax = *dollars(9999)
	s.Policies[0].Budgets[0].Limit = *dollars(9999)
	s.Agents[0].Policy = "other"
	b.Canonical()[0] = 'x'
	p.Plugins()[0].SHA256 = "other"
	p.PolicySHA256()[0] ^= 1
	p.Approvers()[0].Key = "other"
	if got := p.Evaluate(request); got.Outcome != abi.Deny || b.Hash() != before || p.Plugins()[0].Path != "/opt/x.wasm" || p.Plugins()[0].SHA256 != key('b') {
		t.Errorf("the bundle changed: %v", got)
	}
	spec, err := b.Spec()
	if err != nil || spec.Policies[0].Plugins[0].Path != "/opt/x.wasm" {
		t.Errorf("%+v %v", spec, err)
	}
}

// A peer's bundle has passed no YAML compiler.
func TestASpecThatIsNotInItsOnlySpellingIsRefused(t *testing.T) {
	for name, change := range map[string]func(*rules.Spec){
		"another format": func(s *rules.Spec) { s.Format = "v2" },
		"agents not sorted": func(s *rules.Spec) {
			s.Agents = []rules.AgentSpec{{Pattern: "b", Policy: "p"}, {Pattern: "a", Policy: "p"}}
		},
		"a pattern twice":         func(s *rules.Spec) { s.Agents = append(s.Agents, s.Agents[0]) },
		"a star inside a pattern": func(s *rules.Spec) { s.Agents[0].Pattern = "a*b" },
		"an unknown policy":       func(s *rules.Spec) { s.Agents[0].Policy = "q" },
		"a policy called tenant":  func(s *rules.Spec) { s.Policies[0].Name, s.Agents[0].Policy = "tenant", "tenant" },
		"a list beside any payee": func(s *rules.Spec) { s.Policies[0].Recipients = []string{merchant} },
		"recipients not sorted": func(s *rules.Spec) {
			s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, []string{stranger, merchant}
		},
		"a recipient in upper case": func(s *rules.Spec) {
			s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, []string{"API.example.com"}
		},
		"a recipient over plain http": func(s *rules.Spec) {
			s.Policies[0].AnyPayee, s.Policies[0].Recipients = false, []string{"http://a.example"}
		},
		"hours with days to spell":   func(s *rules.Spec) { s.Policies[0].Hours = []string{"mon-fri 09:00-17:00 UTC"} },
		"no validity":                func(s *rules.Spec) { s.Policies[0].ValidityS = 0 },
		"a validity of a day":        func(s *rules.Spec) { s.Policies[0].ValidityS = 86_400 },
		"no quorum":                  func(s *rules.Spec) { s.Policies[0].Approvals.Quorum = 0 },
		"an unknown approver":        func(s *rules.Spec) { s.Policies[0].Approvals.Approvers = []string{"mallory"} },
		"one key for two people":     func(s *rules.Spec) { s.Approvers[1].Key = s.Approvers[0].Key },
		"a key in upper case":        func(s *rules.Spec) { s.Approvers[2].Key = key('A') },
		"a budget twice":             func(s *rules.Spec) { s.Policies[0].Budgets = append(s.Policies[0].Budgets, s.Policies[0].Budgets[0]) },
		"a budget in euros":          func(s *rules.Spec) { s.Policies[0].Budgets[0].Unit = "eurc" },
		"a budget by nobody":         func(s *rules.Spec) { s.Policies[0].Budgets[0].By = "" },
		"a budget with a slash":      func(s *rules.Spec) { s.Policies[0].Budgets[0].Name = "a/b" },
		"a window in another form":   func(s *rules.Spec) { s.Policies[0].Budgets[0].Window = "rolling 1440m" },
		"the tenant's by agent":      func(s *rules.Spec) { s.Tenant.Budgets = tenantBudget(1); s.Tenant.Budgets[0].By = rules.ByAgent },
		"too many budgets":           func(s *rules.Spec) { s.Policies[0].Budgets = manyBudgets(rules.BudgetsMax + 1) },
		"a breaker that never opens": func(s *rules.Spec) { s.Policies[0].Breaker.Latch = true },
		"no word for repeats":        func(s *rules.Spec) { s.Policies[0].Repeats = "" },
		"a route in another form": func(s *rules.Spec) {
			s.Policies[0].Routes = []rules.RouteSpec{{Route: "a.example/x", Repeats: rules.RepeatsNever}}
		},
		"a plugin called rules": func(s *rules.Spec) {
			s.Policies[0].Plugins = []rules.Plugin{{Name: "rules", SHA256: key('1'), Config: "{}", Grants: "{}"}}
		},
		"a plugin without digest": func(s *rules.Spec) { s.Policies[0].Plugins = []rules.Plugin{{Name: "x", Config: "{}", Grants: "{}"}} },
		"a plugin's config is a list": func(s *rules.Spec) {
			s.Policies[0].Plugins = []rules.Plugin{{Name: "x", SHA256: key('1'), Config: "[]", Grants: "{}"}}
		},
		"a pin in another form": func(s *rules.Spec) {
			s.Merchants = []rules.Merchant{{Origin: origin + ":443", PayTo: []string{merchant}}}
		},
		"a pin to a domain": func(s *rules.Spec) {
			s.Merchants = []rules.Merchant{{Origin: origin, PayTo: []string{"https://b.example"}}}
		},
		"a token called count":   func(s *rules.Spec) { s.Tokens[0].Unit = store.UnitCount },
		"dollars of 18 decimals": func(s *rules.Spec) { s.Tokens[1].Decimals = 18 },
		"tokens not sorted":      func(s *rules.Spec) { slices.Reverse(s.Tokens) },
		"a network that is none": func(s *rules.Spec) { s.Networks = []string{"base"} },
	} {
		s := baseSpec()
		change(&s)
		if b, err := rules.New(s); abi.CodeOf(err) != "policy_invalid" || b != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyBudgets(n int) []rules.BudgetSpec {
	var list []rules.BudgetSpec
	for i := range n {
		list = append(list, rules.BudgetSpec{Name: "b" + string(rune('a'+i)), Limit: *dollars(1), Window: "lifetime", By: rules.ByAgent, Unit: rules.UnitUSDC})
	}
	return list
}

func TestRepeatsByRoute(t *testing.T) {
	s := baseSpec()
	s.Policies[0].Routes = []rules.RouteSpec{
		{Route: "GET https://api.example.com/orders/status", Repeats: rules.RepeatsParallel},
		{Route: "https://api.example.com/orders/*", Repeats: rules.RepeatsNever},
		{Route: "https://api.example.com/orders/status", Repeats: rules.RepeatsSequential},
	}
	p, request := newRequest(t, newBundle(t, s))
	for url, want := range map[string]rules.Repeats{
		"/orders/1": rules.RepeatsNever, "/orders/status": rules.RepeatsParallel, "/orders/status?x=1": rules.RepeatsParallel,
		"/orders/statusquo": rules.RepeatsNever, "/orders": rules.RepeatsSequential, "": rules.RepeatsSequential, "/": rules.RepeatsSequential,
		// Other spellings of /orders/1 get the strictest word, whichever rule they were meant to pass by.
		"/x/../orders/1": rules.RepeatsNever, "/%6frders/1": rules.RepeatsNever, "//orders/1": rules.RepeatsNever, "/./orders/1": rules.RepeatsNever,
		"/orders%2f1": rules.RepeatsNever, "/x\\..\\orders/1": rules.RepeatsNever,
	} {
		request.Intent.URL = origin + url
		if got := p.Repeats(rules.Route(request.Intent)); got != want {
			t.Errorf("%s as %q: %s, want %s", url, rules.Route(request.Intent), got, want)
		}
	}
	request.Intent.Method, request.Intent.URL = "POST", origin+"/orders/status"
	if got := p.Repeats(rules.Route(request.Intent)); got != rules.RepeatsSequential {
		t.Errorf("POST: %s", got)
	}
	request.Intent.Method = "get"
	if route := rules.Route(request.Intent); route != "" {
		t.Errorf("a method in lower case makes route %q", route)
	}
}

func FuzzRoutePattern(f *testing.F) {
	for _, s := range []string{"GET https://api.example.com/paid", "api.example.com/images/*", "a.b/%20", "a.b/../c", "POST http://127.0.0.1:1/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := rules.ParseRoutePattern(s)
		if err != nil {
			return
		}
		again, err := rules.ParseRoutePattern(p.String())
		if err != nil || again != p {
			t.Errorf("%q reads as %+v and then as %+v, %v", s, p, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	bundle, err := rules.New(baseSpec())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle.Canonical())
	f.Add([]byte(`{"format":"purser.policy.v1","tenant":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := rules.Decode(data)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Canonical(), data) {
			t.Errorf("-in +canonical\n%s", cmp.Diff(string(data), string(b.Canonical())))
		}
		if p, ok := b.For("a"); ok {
			if got := p.Evaluate(&abi.DecideRequest{Intent: &abi.Intent{Agent: "a"}, Quote: &abi.Quote{}, Agent: &abi.Agent{}, Facts: &abi.Facts{}, NowUnixS: 1}); got.Outcome != abi.Deny {
				t.Errorf("an empty intent is %s", got.Outcome)
			}
		}
	})
}

// An exception that loosens must not be reached by a spelling that no rule was written for.
func TestARouteWithoutOneSpellingGetsNoLooserWord(t *testing.T) {
	s := baseSpec()
	s.Policies[0].Repeats = rules.RepeatsSequential
	s.Policies[0].Routes = []rules.RouteSpec{{Route: "https://api.example.com/status", Repeats: rules.RepeatsParallel}}
	p, _ := newRequest(t, newBundle(t, s))
	if got := p.Repeats(""); got != rules.RepeatsSequential {
		t.Errorf("%s", got)
	}
}
