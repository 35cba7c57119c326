package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const (
	selectPayment = `SELECT tenant, id, agent, key, slot, state, version, digest, due_ms, body, response,
		created_ms, updated_ms, born FROM payments`
	selectAgent = `SELECT tenant, id, token_sha256, public_key, groups_json, tier, wallet, revoked, version, created_ms FROM agents`
	selectMeter = `SELECT total, sequence FROM meters WHERE tenant = ? AND meter = ?`
	selectLater = `SELECT amount FROM buckets WHERE tenant = ? AND meter = ? AND width_ms = ? AND start_ms >= ?`
	selectOlder = `SELECT amount FROM holds WHERE tenant = ? AND meter = ? AND state = 0 AND bucket_ms < ?`
)

// level adds up what a ledger.LevelRef asks for. SQLite cannot: its sums are 64-bit integers or floats.
func level(ref ledger.LevelRef, each func(string, []any, func(scanner) error) error) (sum abi.Amount, err error) {
	add := func(r scanner) error {
		var value abi.Amount
		if err := r.Scan(amount(&value)); err != nil {
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

func scanPayment(r scanner) (row ledger.StoredRow, err error) {
	var due, created, updated int64
	err = r.Scan(&row.Tenant, &row.ID, &row.Agent, &row.Key, &row.Slot, &row.State, &row.Version, &row.Digest, &due,
		&row.Body, &row.Response, &created, &updated, &row.Born)
	row.Due, row.Created, row.Updated = ledger.FromMillis(due), ledger.FromMillis(created), ledger.FromMillis(updated)
	return row, err
}

func scanAgent(r scanner) (agent store.Agent, err error) {
	var groups string
	var created int64
	if err := r.Scan(&agent.Tenant, &agent.ID, fixed(agent.TokenSHA256[:]), &agent.PublicKey, &groups, &agent.Tier,
		&agent.Wallet, &agent.Revoked, &agent.Version, &created); err != nil {
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

// amountScanner reads decimal text. Anything else in the column is damage, not a number.
type amountScanner struct{ into *abi.Amount }

func amount(into *abi.Amount) amountScanner { return amountScanner{into} }

// Scan implements sql.Scanner.
func (a amountScanner) Scan(value any) (err error) {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("amount is a %T, want text", value)
	}
	*a.into, err = abi.ParseAmount(text)
	return err
}

// fixedScanner reads a blob of exactly the length of its target.
type fixedScanner struct{ into []byte }

func fixed(into []byte) fixedScanner { return fixedScanner{into} }

// Scan implements sql.Scanner.
func (f fixedScanner) Scan(value any) error {
	blob, ok := value.([]byte)
	if !ok || len(blob) != len(f.into) {
		return fmt.Errorf("column is not a blob of %d bytes", len(f.into))
	}
	copy(f.into, blob)
	return nil
}
