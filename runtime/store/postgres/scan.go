package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const (
	selectPayment = `SELECT tenant, id, agent, key, slot, state, version, digest, due_ms, body, response,
		created_ms, updated_ms, born FROM payments`
	selectAgent = `SELECT tenant, id, token_sha256, public_key, groups, tier, wallet, revoked, version, created_ms FROM agents`
)

func scanPayment(r pgx.CollectableRow) (row ledger.StoredRow, err error) {
	var due, created, updated int64
	err = r.Scan(&row.Tenant, &row.ID, &row.Agent, &row.Key, &row.Slot, &row.State, &row.Version, &row.Digest, &due,
		&row.Body, &row.Response, &created, &updated, &row.Born)
	row.Due, row.Created, row.Updated = ledger.FromMillis(due), ledger.FromMillis(created), ledger.FromMillis(updated)
	return row, err
}

func scanAgent(r pgx.CollectableRow) (agent store.Agent, err error) {
	var created int64
	err = r.Scan(&agent.Tenant, &agent.ID, fixed(agent.TokenSHA256[:]), &agent.PublicKey, &agent.Groups, &agent.Tier,
		&agent.Wallet, &agent.Revoked, &agent.Version, &created)
	agent.Created = ledger.FromMillis(created)
	if len(agent.Groups) == 0 {
		agent.Groups = nil // one spelling of "none"
	}
	return agent, err
}

// amountScanner reads decimal text: every NUMERIC is selected as text, so that no number type comes in between.
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

// fixedScanner reads bytes of exactly the length of its target.
type fixedScanner struct{ into []byte }

func fixed(into []byte) fixedScanner { return fixedScanner{into} }

// Scan implements sql.Scanner.
func (f fixedScanner) Scan(value any) error {
	raw, ok := value.([]byte)
	if !ok || len(raw) != len(f.into) {
		return fmt.Errorf("column is not %d bytes", len(f.into))
	}
	copy(f.into, raw)
	return nil
}
