package purser.bench

codes contains "quote_mismatch" if input.quote_amount != input.amount

codes contains "quote_mismatch" if input.quote_payee != input.payee

codes contains "network_not_allowed" if not data.settings.networks[input.network]

codes contains "asset_not_allowed" if not data.settings.assets[input.asset]

codes contains "payee_not_listed" if not data.settings.payees[input.payee]

codes contains "origin_not_https" if not startswith(input.origin, "https://")

codes contains "amount_above_max" if input.amount > data.settings.amount_max

codes contains "budget_exceeded" if {
	some budget in input.budgets
	budget.used + input.amount > budget.limit
}

codes contains "outside_hours" if hour < data.settings.open_hour

codes contains "outside_hours" if hour >= data.settings.close_hour

codes contains "needs_approval" if {
	input.amount > data.settings.approval_above
	input.tier != "trusted"
}

codes contains "price_jumped" if {
	input.last_price != 0
	input.amount > data.settings.price_factor * input.last_price
}

hour := floor(input.now_unix_s / 3600) % 24
