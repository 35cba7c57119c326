package ledger

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// SelectPayment reads the columns that ScanPayment takes, in its order.
const SelectPayment = `SELECT tenant, id, agent, key, slot, state, version, digest, due_ms, body, response,
		created_ms, updated_ms, born FROM payments`

// RowScanner is one row of a result, as every driver has it.
type RowScanner interface{ Scan(into ...any) error }

// ScanPayment reads a row of SelectPayment.
func ScanPayment(r RowScanner) (row StoredRow, err error) {
	var due, created, updated int64
	err = r.Scan(&row.Tenant, &row.ID, &row.Agent, &row.Key, &row.Slot, &row.State, &row.Version, &row.Digest, &due,
		&row.Body, &row.Response, &created, &updated, &row.Born)
	row.Due, row.Created, row.Updated = FromMillis(due), FromMillis(created), FromMillis(updated)
	return row, err
}

// AmountScanner is a target that reads decimal text: amounts are stored and selected as text, so that no number type
// comes in between. Anything else in the column is damage.
type AmountScanner struct{ into *abi.Amount }

// Amount returns a target for an amount.
func Amount(into *abi.Amount) AmountScanner { return AmountScanner{into} }

// Scan implements sql.Scanner.
func (a AmountScanner) Scan(value any) (err error) {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("amount is a %T, want text", value)
	}
	*a.into, err = abi.ParseAmount(text)
	return err
}

// FixedScanner is a target that reads bytes of exactly its own length.
type FixedScanner struct{ into []byte }

// Fixed returns a target for bytes that must be as many as into has.
func Fixed(into []byte) FixedScanner { return FixedScanner{into} }

// Scan implements sql.Scanner.
func (f FixedScanner) Scan(value any) error {
	raw, ok := value.([]byte)
	if !ok || len(raw) != len(f.into) {
		return fmt.Errorf("column is not %d bytes", len(f.into))
	}
	copy(f.into, raw)
	return nil
}
