package engine

import (
	"context"
	_ "embed"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/tools/bench/policy"
)

//go:embed policy.rego
var regoPolicy string

type opa struct{ query rego.PreparedEvalQuery }

var _ Engine = (*opa)(nil)

// OpenOPA prepares the query once, over settings in OPA's own store. Partial evaluation was measured and is slower here.
func OpenOPA(ctx context.Context, c Config) (Engine, error) {
	member := func(list []string) map[string]any {
		set := make(map[string]any, len(list))
		for _, name := range list {
			set[name] = true
		}
		return set
	}
	store := inmem.NewFromObjectWithOpts(map[string]any{"settings": map[string]any{
		"networks": member(c.Networks), "assets": member(c.Assets), "payees": member(c.Payees),
		"amount_max": c.AmountMax, "approval_above": c.ApprovalAbove, "price_factor": c.PriceFactor,
		"open_hour": c.OpenHour, "close_hour": c.CloseHour,
	}}, inmem.OptReturnASTValuesOnRead(true)) // spares a conversion of what a rule reads, at every read
	query, err := rego.New(rego.Query("data.purser.bench.codes"), rego.Module("policy.rego", regoPolicy), rego.Store(store)).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	return &opa{query}, nil
}

// Names of the input document, made once.
var (
	keyNetwork     = ast.StringTerm("network")
	keyAsset       = ast.StringTerm("asset")
	keyPayee       = ast.StringTerm("payee")
	keyOrigin      = ast.StringTerm("origin")
	keyTier        = ast.StringTerm("tier")
	keyQuotePayee  = ast.StringTerm("quote_payee")
	keyAmount      = ast.StringTerm("amount")
	keyQuoteAmount = ast.StringTerm("quote_amount")
	keyLastPrice   = ast.StringTerm("last_price")
	keyNow         = ast.StringTerm("now_unix_s")
	keyBudgets     = ast.StringTerm("budgets")
	keyUsed        = ast.StringTerm("used")
	keyLimit       = ast.StringTerm("limit")
)

func (o *opa) Decide(ctx context.Context, r *abi.DecideRequest) (policy.Verdict, error) {
	p, readable := payment(r)
	if !readable {
		return policy.Unreadable(), nil
	}
	results, err := o.query.Eval(ctx, rego.EvalParsedInput(inputOf(&p)))
	if err != nil {
		return policy.Verdict{}, err
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return policy.Verdict{}, errors.New("the query has no single result")
	}
	codes, ok := results[0].Expressions[0].Value.([]any)
	if !ok {
		return policy.Verdict{}, errors.New("the query's result is not a set")
	}
	verdict := policy.Verdict{Outcome: policy.Allow}
	for _, code := range codes {
		name, ok := code.(string)
		if !ok || !verdict.Say(name) {
			return policy.Verdict{}, errors.New("the query answered with something that is no code")
		}
	}
	return verdict, nil
}

// inputOf builds OPA's own values: from a map of any it takes longer.
func inputOf(p *policy.Payment) ast.Value {
	number := func(n uint64) *ast.Term { return ast.UIntNumberTerm(n) }
	budgets := make([]*ast.Term, 0, len(p.Budgets))
	for _, b := range p.Budgets {
		budgets = append(budgets, ast.ObjectTerm([2]*ast.Term{keyUsed, number(b.Used)}, [2]*ast.Term{keyLimit, number(b.Limit)}))
	}
	return ast.NewObject(
		[2]*ast.Term{keyNetwork, ast.StringTerm(p.Network)},
		[2]*ast.Term{keyAsset, ast.StringTerm(p.Asset)},
		[2]*ast.Term{keyPayee, ast.StringTerm(p.Payee)},
		[2]*ast.Term{keyOrigin, ast.StringTerm(p.Origin)},
		[2]*ast.Term{keyTier, ast.StringTerm(p.Tier)},
		[2]*ast.Term{keyQuotePayee, ast.StringTerm(p.QuotePayee)},
		[2]*ast.Term{keyAmount, number(p.Amount)},
		[2]*ast.Term{keyQuoteAmount, number(p.QuoteAmount)},
		[2]*ast.Term{keyLastPrice, number(p.LastPrice)},
		[2]*ast.Term{keyNow, number(p.NowUnixS)},
		[2]*ast.Term{keyBudgets, ast.ArrayTerm(budgets...)},
	)
}

func (o *opa) Close(context.Context) error { return nil }
