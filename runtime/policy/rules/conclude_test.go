package rules_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy/rules"
)

func yes(who string) abi.Approval {
	return abi.Approval{Approver: who, AmountMax: *dollars(20), ExpiresUnixS: uint64(noon.Unix()) + 1}
}

func TestApprovalsClearHoldsOnly(t *testing.T) {
	smaller, late := yes("ada"), yes("ada")
	smaller.AmountMax = abi.NewAmount(20*usd - 1)
	late.ExpiresUnixS = uint64(noon.Unix())
	tests := []struct {
		name      string
		policy    func(*rules.PolicySpec)
		approvals []abi.Approval
		want      abi.Outcome
	}{
		{"nobody asked", nil, nil, abi.Hold},
		{"one of one", nil, []abi.Approval{yes("ada")}, abi.Allow},
		{"somebody who is no approver", nil, []abi.Approval{yes("mallory")}, abi.Hold},
		{"an approver of other policies", nil, []abi.Approval{yes("eve")}, abi.Hold},
		{"nobody's name", nil, []abi.Approval{{AmountMax: *dollars(20), ExpiresUnixS: 1 << 40}}, abi.Hold},
		{"a smaller amount", nil, []abi.Approval{smaller}, abi.Hold},
		{"expired this second", nil, []abi.Approval{late}, abi.Hold},
		{"two needed, one given", quorum(2), []abi.Approval{yes("ada")}, abi.Hold},
		{"two needed, one given twice", quorum(2), []abi.Approval{yes("ada"), yes("ada")}, abi.Hold},
		{"two needed, one of them expired", quorum(2), []abi.Approval{late, yes("bea")}, abi.Hold},
		{"two needed, two given", quorum(2), []abi.Approval{yes("bea"), yes("ada")}, abi.Allow},
		{"a bad one beside a good one", nil, []abi.Approval{smaller, late, yes("mallory"), yes("bea")}, abi.Allow},
		{"nobody may approve", func(p *rules.PolicySpec) { p.Approvals.Approvers = nil }, []abi.Approval{yes("ada")}, abi.Hold},
		{"a denial stays a denial", func(p *rules.PolicySpec) { p.TransactionMax = dollars(1) }, []abi.Approval{yes("ada"), yes("bea")}, abi.Deny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := baseSpec()
			s.Policies[0].ApprovalAbove = dollars(10)
			if tt.policy != nil {
				tt.policy(&s.Policies[0])
			}
			p, request := newRequest(t, newBundle(t, s))
			request.Approvals = tt.approvals
			if got := p.Evaluate(request); got.Outcome != tt.want {
				t.Errorf("%s, want %s: %v", got.Outcome, tt.want, got.Reasons)
			}
		})
	}
}

func quorum(n uint64) func(*rules.PolicySpec) {
	return func(p *rules.PolicySpec) { p.Approvals.Quorum = n }
}

// An agent that is enrolled under an approver's name could otherwise approve itself.
func TestNobodyApprovesTheirOwnPayment(t *testing.T) {
	s := baseSpec()
	s.Policies[0].ApprovalAbove = dollars(10)
	s.Agents = []rules.AgentSpec{{Pattern: "a", Policy: "p"}, {Pattern: "ada", Policy: "p"}}
	p, request := newRequest(t, newBundle(t, s))
	request.Intent.Agent, request.Agent.ID = "ada", "ada"
	request.Approvals = []abi.Approval{yes("ada")}
	if got := p.Evaluate(request); got.Outcome != abi.Hold {
		t.Errorf("%s: %v", got.Outcome, got.Reasons)
	}
}

func TestConclude(t *testing.T) {
	digest := key('a')
	module, err := hex.DecodeString(digest)
	if err != nil {
		t.Fatal(err)
	}
	plugin := func(outcome abi.Outcome, obligations ...abi.Obligation) abi.Verdict {
		return abi.Verdict{Source: "sanity", Outcome: outcome, Obligations: obligations, Run: &abi.PluginRun{ModuleSHA256: module}}
	}
	must := func(kind, value string) abi.Obligation { return abi.Obligation{Kind: kind, Value: value} }
	type verdicts = func(own abi.Verdict) []abi.Verdict
	with := func(v abi.Verdict) verdicts {
		return func(own abi.Verdict) []abi.Verdict { return []abi.Verdict{v, own} }
	}
	impostor, unnamed, disguised := plugin(abi.Allow), plugin(abi.Allow), plugin(abi.Allow)
	impostor.Run = &abi.PluginRun{ModuleSHA256: []byte{1}}
	unnamed.Source = ""
	disguised.Source = rules.SourceRules
	tests := []struct {
		name      string
		verdicts  verdicts
		approvals []abi.Approval
		want      abi.Outcome
		validity  time.Duration
		reasons   []string
	}{
		{name: "everybody allows", verdicts: with(plugin(abi.Allow)), want: abi.Allow, validity: 2 * time.Minute},
		{name: "a plugin denies", verdicts: with(plugin(abi.Deny))},
		{name: "an outcome nobody knows denies", verdicts: with(plugin(9))},
		{
			name: "no verdicts at all", verdicts: func(abi.Verdict) []abi.Verdict { return nil },
			reasons: []string{"verdict_missing p.plugins", "verdict_missing p.plugins"},
		},
		{name: "the plugin was not asked", verdicts: func(own abi.Verdict) []abi.Verdict { return []abi.Verdict{own} }, reasons: []string{"verdict_missing p.plugins"}},
		{
			name: "the native rules were not asked", verdicts: func(abi.Verdict) []abi.Verdict { return []abi.Verdict{plugin(abi.Allow)} },
			reasons: []string{"verdict_missing p.plugins"},
		},
		{
			name: "a plugin speaks for the native rules", verdicts: func(abi.Verdict) []abi.Verdict { return []abi.Verdict{plugin(abi.Allow), disguised} },
			reasons: []string{"verdict_missing p.plugins"},
		},
		{name: "another module spoke", verdicts: with(impostor), reasons: []string{"verdict_missing p.plugins"}},
		{name: "a plugin without a name spoke", verdicts: with(unnamed), reasons: []string{"verdict_missing p.plugins"}},
		{
			name: "the plugin spoke twice", verdicts: func(own abi.Verdict) []abi.Verdict { return []abi.Verdict{own, plugin(abi.Allow), plugin(abi.Allow)} },
			reasons: []string{"verdict_missing p.plugins"},
		},
		{name: "the shortest validity wins", verdicts: with(plugin(abi.Allow, must("validity_max_s", "30"))), want: abi.Allow, validity: 30 * time.Second},
		{name: "no plugin lengthens it", verdicts: with(plugin(abi.Allow, must("validity_max_s", "600"))), want: abi.Allow, validity: 2 * time.Minute},
		{name: "an unknown obligation denies", verdicts: with(plugin(abi.Allow, must("escrow", "yes"))), reasons: []string{"obligation_unknown sanity"}},
		{
			name: "a known one with a value nobody can read denies", verdicts: with(plugin(abi.Allow, must("validity_max_s", "-1"))),
			reasons: []string{"obligation_unknown sanity"},
		},
		{name: "evidence that is there", verdicts: with(plugin(abi.Allow, must("evidence_min", "fetched"))), want: abi.Allow, validity: 2 * time.Minute},
		{
			name: "evidence that is not", verdicts: with(plugin(abi.Allow, must("evidence_min", "pinned"))), want: abi.Hold, validity: 2 * time.Minute,
			reasons: []string{"evidence_too_weak sanity", "approval_required p.approvals"},
		},
		{name: "a plugin holds", verdicts: with(plugin(abi.Hold)), want: abi.Hold, validity: 2 * time.Minute, reasons: []string{"approval_required p.approvals"}},
		{
			name: "a person clears a plugin's hold", verdicts: with(plugin(abi.Hold)), approvals: []abi.Approval{yes("ada")}, want: abi.Allow,
			validity: 2 * time.Minute, reasons: []string{"approved p.approvals"},
		},
		{
			name: "a plugin wants two people and has one", verdicts: with(plugin(abi.Allow, must("approvals_min", "2"))), approvals: []abi.Approval{yes("ada")},
			want: abi.Hold, validity: 2 * time.Minute, reasons: []string{"approval_required sanity", "approval_required p.approvals"},
		},
		{
			name: "a plugin wants two people and has them", verdicts: with(plugin(abi.Allow, must("approvals_min", "2"))),
			approvals: []abi.Approval{yes("ada"), yes("bea")}, want: abi.Allow, validity: 2 * time.Minute,
			reasons: []string{"approval_required sanity", "approved p.approvals"},
		},
		{name: "no person clears a denial", verdicts: with(plugin(abi.Deny)), approvals: []abi.Approval{yes("ada"), yes("bea")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := baseSpec()
			s.Policies[0].Plugins = []rules.Plugin{{Name: "sanity", Path: "sanity.wasm", SHA256: digest, Config: "{}", Grants: "{}"}}
			p, request := newRequest(t, newBundle(t, s))
			request.Approvals = tt.approvals
			got := p.Conclude(request, tt.verdicts(p.Evaluate(request)))
			if got.Outcome != tt.want || got.ValidityMax != tt.validity {
				t.Errorf("%s for %s, want %s for %s", got.Outcome, got.ValidityMax, tt.want, tt.validity)
			}
			if diff := cmp.Diff(tt.reasons, codes(got.Reasons)); diff != "" {
				t.Errorf("reasons: -want +got\n%s", diff)
			}
		})
	}
	p, _ := newRequest(t, newBundle(t, baseSpec()))
	if got := p.Conclude(nil, nil); got.Outcome != abi.Deny || len(got.Reasons) != 1 {
		t.Errorf("no request: %+v", got)
	}
}
