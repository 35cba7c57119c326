package rules

import (
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Budget is one limit over one meter, as it applies to one payment.
type Budget struct {
	// Name is the rule's: "travel.daily_spending_limit", "tenant.month".
	Name   string
	Meter  store.Meter
	Window store.Window
	Max    abi.Amount
}

type namedBudget struct {
	name   string
	by     By
	unit   string
	window store.Window
	max    abi.Amount
}

func namedBudgets(owner string, specs []BudgetSpec) []namedBudget {
	var budgets []namedBudget
	for _, spec := range specs {
		window, err := store.ParseWindow(spec.Window)
		if err != nil { // refused by check; the lifetime window is the strictest
			window = store.Lifetime()
		}
		budgets = append(budgets, namedBudget{name: owner + "." + spec.Name, by: spec.By, unit: spec.Unit, window: window, max: spec.Limit})
	}
	return budgets
}

// metered is a scope and a unit in which payments are measured.
type metered struct {
	by   By
	unit string
}

// meteredBy says what a bundle measures: agents and the tenant always, so that a limit added tomorrow finds what was
// spent today; payees and policies when any policy of the bundle limits them, whichever policy a payment is under.
func meteredBy(spec Spec) map[metered]bool {
	all := map[metered]bool{
		{ByAgent, UnitUSDC}: true, {ByAgent, store.UnitCount}: true,
		{ByTenant, UnitUSDC}: true, {ByTenant, store.UnitCount}: true,
	}
	for _, policy := range spec.Policies {
		for _, budget := range policy.Budgets {
			all[metered{budget.By, budget.Unit}] = true
		}
	}
	return all
}

// meter names whose level a budget reads. Scopes hold no limit, no rule's name and no bundle's hash: a new version
// is no fresh budget. The tenant is not in them, because a ledger keeps tenants apart.
func (p *Policy) meter(by By, unit string, intent *abi.Intent) store.Meter {
	scope := string(ByTenant)
	switch by {
	case ByAgent:
		scope = "agent/" + intent.Agent
	case ByPayee:
		scope = "payee/" + intent.Network + "/" + canonicalPayee(intent)
	case ByPolicy:
		scope = "policy/" + p.Name()
	case ByTenant:
	}
	return store.Meter{Scope: scope, Unit: unit}
}

// canonicalPayee gives one payee one spelling: with two, a budget per payee would be two budgets.
func canonicalPayee(intent *abi.Intent) string {
	if strings.HasPrefix(intent.Network, eip155Prefix) {
		return strings.ToLower(intent.Payee)
	}
	return intent.Payee
}

// Budgets lists every budget that applies to an intent: the policy's in the order of the file, then the tenant's.
// DecideRequest.Facts.Budgets holds their levels in this order.
func (p *Policy) Budgets(intent *abi.Intent) []Budget {
	budgets := make([]Budget, 0, len(p.budgets))
	for _, b := range p.budgets {
		budgets = append(budgets, Budget{Name: b.name, Meter: p.meter(b.by, b.unit, intent), Window: b.window, Max: b.max})
	}
	return budgets
}

// FactQuery asks a ledger for what Evaluate needs: the levels of Budgets in their order, and what was seen of the
// route and the payee before.
func (p *Policy) FactQuery(intent *abi.Intent) store.FactQuery {
	query := store.FactQuery{Tenant: intent.Tenant, Route: Route(intent), Asset: intent.Asset, Payee: payeeKey(intent)}
	for _, budget := range p.Budgets(intent) {
		query.Levels = append(query.Levels, store.LevelQuery{Meter: budget.Meter, Window: budget.Window})
	}
	return query
}

// Sighting is what a change of the ledger should record with the reservation, so that FactQuery finds it later.
func Sighting(intent *abi.Intent) store.Sighting {
	return store.Sighting{Route: Route(intent), Asset: intent.Asset, QuoteAmount: intent.Amount, Payee: payeeKey(intent)}
}

func payeeKey(intent *abi.Intent) string { return intent.Network + "/" + canonicalPayee(intent) }

// Levels turns a ledger's answer to FactQuery into the request's facts. It returns nil, which denies, when the
// answer does not have one level per budget.
func (p *Policy) Levels(intent *abi.Intent, levels []abi.Amount) []abi.BudgetLevel {
	budgets := p.Budgets(intent)
	if len(levels) != len(budgets) {
		return nil
	}
	facts := make([]abi.BudgetLevel, 0, len(levels))
	for i, b := range budgets {
		facts = append(facts, abi.BudgetLevel{Name: b.Name, Unit: b.Meter.Unit, Window: b.Window.String(), Used: levels[i], Limit: b.Max})
	}
	return facts
}

// Reservations lists what a payment claims, one per meter with all the limits that read it: a meter claimed twice
// would count the payment twice. It fails with code asset_unknown for an asset that no limit can count.
func (p *Policy) Reservations(intent *abi.Intent) ([]store.Reservation, error) {
	token, ok := p.bundle.tokens[intent.Asset]
	if !ok || token.Unit != UnitUSDC {
		return nil, &abi.Error{Code: abi.ReasonAssetUnknown, Message: "no limit counts this asset", Where: intent.Payment}
	}
	var reservations []store.Reservation
	for _, key := range meteredOrder {
		if !p.bundle.metered[key] {
			continue
		}
		add := intent.Amount
		if key.unit == store.UnitCount {
			add = abi.NewAmount(1)
		}
		reservation := store.Reservation{Meter: p.meter(key.by, key.unit, intent), Add: add}
		for _, b := range p.budgets {
			if b.by == key.by && b.unit == key.unit {
				reservation.Limits = append(reservation.Limits, store.Limit{Name: b.name, Window: b.window, Max: b.max})
			}
		}
		reservations = append(reservations, reservation)
	}
	return reservations, nil
}

// meteredOrder goes from the root to the leaf. A fixed order also keeps two ledger transactions from locking the
// same meters the other way round.
var meteredOrder = []metered{
	{ByTenant, UnitUSDC},
	{ByTenant, store.UnitCount},
	{ByPolicy, UnitUSDC},
	{ByPolicy, store.UnitCount},
	{ByAgent, UnitUSDC},
	{ByAgent, store.UnitCount},
	{ByPayee, UnitUSDC},
	{ByPayee, store.UnitCount},
}
