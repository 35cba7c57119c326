package golden

// realistic holds messages as they occur, written as JSON views, so that a
// reader of the vectors sees what the fields are for.
var realistic = map[string][]struct{ name, json string }{
	"DecideRequest": {{"an API call for one cent", `{
		"intent": {
			"payment": "pay_2f6d0c6a8e5b4a31", "tenant": "acme", "agent": "research-bot", "key": "req-0001",
			"method": "GET", "url": "https://api.example.com/v1/weather?city=Berlin", "origin": "https://api.example.com:443",
			"scheme": "exact", "network": "eip155:84532",
			"asset": "eip155:84532/erc20:0x036cbd53842c5426634e7929541ec2318f3dcf7e",
			"payee": "0x209693bc6afc0c5328ba36faf03c514ef312287c",
			"amount": "10000", "amount_max": "50000", "purpose": "weather for the trip plan"
		},
		"quote": {
			"requirement": "7b7d", "extra": [
				{"pointer": "", "type": "object"},
				{"pointer": "/name", "type": "string", "text": "USDC"},
				{"pointer": "/version", "type": "string", "text": "2"}
			],
			"scheme": "exact", "network": "eip155:84532",
			"asset": "eip155:84532/erc20:0x036cbd53842c5426634e7929541ec2318f3dcf7e",
			"payee": "0x209693bc6afc0c5328ba36faf03c514ef312287c", "amount": "10000",
			"timeout_s": 60, "resource_url": "https://api.example.com/v1/weather", "mime_type": "application/json",
			"evidence": "fetched", "observed_unix_s": 1798761600
		},
		"agent": {"id": "research-bot", "groups": ["research"], "tier": "standard", "signed_request": true},
		"facts": {
			"budgets": [{"name": "daily", "unit": "usdc", "window": "rolling 24h", "used": "1200000", "limit": "5000000"}],
			"quotes": {"provenance": "own", "samples": [{"amount": "10000", "observed_unix_s": 1798758000}]},
			"payee": {"provenance": "own", "first_seen_unix_s": 1798000000, "payments": 12}
		},
		"now_unix_s": 1798761601
	}`}},
	"DecideResult": {
		{"allow on a condition", `{"outcome": "allow", "obligations": [{"kind": "validity_max_s", "value": "60"}]}`},
		{"deny with a reason", `{"reasons": [{"code": "ceiling_exceeded", "rule": "ceiling", "observed": "60000",
			"limit": "50000", "would_pass": "50000", "text": "the amount is above the ceiling"}]}`},
	},
	"ConfigureRequest": {{"a ceiling", `{"config": "7b226365696c696e67223a223530303030227d", "entries": [
		{"pointer": "", "type": "object"}, {"pointer": "/ceiling", "type": "string", "text": "50000"}]}`}},
	"NeedsResult": {{"one balance", `{"ok": true, "queries": [{"id": "balance", "method": "eth_call", "params": "5b5d", "quorum": 2}]}`}},
}
