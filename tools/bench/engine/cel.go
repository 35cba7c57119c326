package engine

import (
	"context"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/policy"
)

// celRules are the rules in the order of policy.Codes, one program each, as Kubernetes runs them. A budget is the pair
// [used, limit]; a list costs CEL less than a map or a Go struct.
var celRules = []string{
	`quote_amount != amount || quote_payee != payee`,
	`!(network in networks)`,
	`!(asset in assets)`,
	`!(payee in payees)`,
	`!origin.startsWith("https://")`,
	`amount > amount_max`,
	`budgets.exists(b, b[0] + amount > b[1])`,
	`now / 3600 % 24 < open_hour || now / 3600 % 24 >= close_hour`,
	`amount > approval_above && tier != "trusted"`,
	`last_price != 0 && amount > price_factor * last_price`,
}

type celPrograms struct {
	programs []cel.Program
	settings map[string]ref.Val
}

var _ Engine = (*celPrograms)(nil)

// OpenCEL compiles one program for each rule.
func OpenCEL(c Config) (Engine, error) {
	options := []cel.EnvOption{cel.Variable("budgets", cel.ListType(cel.ListType(cel.IntType)))}
	for kind, names := range map[*cel.Type][]string{
		cel.StringType: {"network", "asset", "payee", "origin", "tier", "quote_payee"},
		cel.IntType:    {"amount", "quote_amount", "last_price", "now", "amount_max", "approval_above", "price_factor", "open_hour", "close_hour"},
		cel.MapType(cel.StringType, cel.BoolType): {"networks", "assets", "payees"},
	} {
		for _, name := range names {
			options = append(options, cel.Variable(name, kind))
		}
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	member := func(list []string) ref.Val {
		set := map[ref.Val]ref.Val{}
		for _, name := range list {
			set[types.String(name)] = types.True
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, set)
	}
	e := &celPrograms{settings: map[string]ref.Val{
		"networks": member(c.Networks), "assets": member(c.Assets), "payees": member(c.Payees),
		"amount_max": celInt(c.AmountMax), "approval_above": celInt(c.ApprovalAbove), "price_factor": celInt(c.PriceFactor),
		"open_hour": celInt(c.OpenHour), "close_hour": celInt(c.CloseHour),
	}}
	for i, rule := range celRules {
		ast, issues := env.Compile(rule)
		if err := issues.Err(); err != nil {
			return nil, fmt.Errorf("rule %s: %w", policy.Codes[i].Code, err)
		}
		program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", policy.Codes[i].Code, err)
		}
		e.programs = append(e.programs, program)
	}
	return e, nil
}

func celInt(n uint64) ref.Val { return types.Int(n) } //nolint:gosec // amounts are at most policy.AmountMax, times are seconds

// celPayment resolves names without a map: of all ways to hand values to CEL this one allocates least.
type celPayment struct {
	*policy.Payment
	budgets  ref.Val
	settings map[string]ref.Val
}

var _ cel.Activation = (*celPayment)(nil)

// Parent is none.
func (p *celPayment) Parent() cel.Activation { return nil }

// ResolveName returns a value of the request or a setting.
func (p *celPayment) ResolveName(name string) (any, bool) {
	switch name {
	case "network":
		return types.String(p.Network), true
	case "asset":
		return types.String(p.Asset), true
	case "payee":
		return types.String(p.Payee), true
	case "origin":
		return types.String(p.Origin), true
	case "tier":
		return types.String(p.Tier), true
	case "quote_payee":
		return types.String(p.QuotePayee), true
	case "amount":
		return celInt(p.Amount), true
	case "quote_amount":
		return celInt(p.QuoteAmount), true
	case "last_price":
		return celInt(p.LastPrice), true
	case "now":
		return celInt(p.NowUnixS), true
	case "budgets":
		return p.budgets, true
	}
	setting, ok := p.settings[name]
	return setting, ok
}

func (e *celPrograms) Decide(_ context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	p, readable := payment(r)
	if !readable {
		return policy.Unreadable(), nil
	}
	budgets := make([]ref.Val, 0, len(p.Budgets))
	for _, b := range p.Budgets {
		budgets = append(budgets, types.NewRefValList(types.DefaultTypeAdapter, []ref.Val{celInt(b.Used), celInt(b.Limit)}))
	}
	values := &celPayment{Payment: &p, budgets: types.NewRefValList(types.DefaultTypeAdapter, budgets), settings: e.settings}
	verdict := policy.Verdict{Outcome: policy.Allow}
	for rule, program := range e.programs {
		spoke, _, err := program.Eval(values)
		if err != nil {
			return policy.Verdict{}, fmt.Errorf("rule %s: %w", policy.Codes[rule].Code, err)
		}
		if spoke == types.True {
			verdict.SayRule(rule)
		}
	}
	return verdict, nil
}

func (e *celPrograms) Close(context.Context) error { return nil }
