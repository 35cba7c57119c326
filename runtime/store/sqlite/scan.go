package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const (
	selectPayment = ledger.SelectPayment + ` LEFT JOIN responses USING (tenant, id)`
	selectAgent   = `SELECT tenant, id, token_sha256, public_key, groups_json, tier, wallet, derived, revoked, enrolment,
		version, created_ms FROM agents`
	selectMeter = `SELECT total, sequence FROM meters WHERE tenant = ? AND meter = ?`
	selectLater = `SELECT amount FROM buckets WHERE tenant = ? AND meter = ? AND width_ms = ? AND start_ms >= ?`
	selectOlder = `SELECT amount FROM holds WHERE tenant = ? AND meter = ? AND state = 0 AND bucket_ms < ?`
)

// level adds up what a ledger.LevelRef asks for. SQLite cannot: its sums are 64-bit integers or floats.
func level(ref ledger.LevelRef, each func(string, []any, func(ledger.RowScanner) error) error) (sum abi.Amount, err error) {
	add := func(r ledger.RowScanner) error {
		var value abi.Amount
		if err := r.Scan(ledger.Amount(&value)); err != nil {
			return err
		}
		sum, err = sum.Add(value)
		return err
	}
	if err := each(selectLater, []any{ref.Tenant, ref.Meter, ref.Width, ref.From}, add); err != nil {
		return sum, err
	}
	return sum, each(selectOlder, []any{ref.Tenant, ref.Meter, ref.From}, add)
}

func scanAgent(r ledger.RowScanner) (agent store.Agent, err error) {
	var groups string
	var created int64
	if err := r.Scan(&agent.Tenant, &agent.ID, ledger.Fixed(agent.TokenSHA256[:]), &agent.PublicKey, &groups, &agent.Tier,
		&agent.Wallet, &agent.Derived, &agent.Revoked, &agent.Enrolment, &agent.Version, &created); err != nil {
		return agent, err
	}
	agent.Created = ledger.FromMillis(created)
	if err := json.Unmarshal([]byte(groups), &agent.Groups); err != nil {
		return agent, fmt.Errorf("groups of agent %s: %w", agent.ID, err)
	}
	if len(agent.Groups) == 0 {
		agent.Groups = nil // one spelling of "none"
	}
	return agent, nil
}
