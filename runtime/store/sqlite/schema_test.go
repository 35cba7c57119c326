package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/internal/sqldb"
	"github.com/purserhq/purser/runtime/store"
)

// TestALedgerOfTheFirstSchemaKeepsItsResponses opens a file that was written when responses lay beside the state.
func TestALedgerOfTheFirstSchemaKeepsItsResponses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	old, err := sqldb.Open(t.Context(), path, schema[:1])
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("answer "), 100_000)
	err = old.Write(t.Context(), func(tx *sql.Tx) error {
		for i, response := range [][]byte{large, nil} {
			id := []string{"p1", "p2"}[i]
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO payments (tenant, id, agent, key, slot, state, version, digest,
				due_ms, body, response, created_ms, updated_ms, born) VALUES ('acme', ?, 'a1', ?, '', 'done', 3, NULL, 7, x'7b7d', ?, 5, 6, ?)`,
				id, id, response, i+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	ledger, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows, err := ledger.Rows(t.Context(), store.RowQuery{Tenant: "acme"})
	if err != nil || len(rows) != 2 || !bytes.Equal(rows[0].Response, large) || rows[1].Response != nil {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[0].ID != "p1" || rows[0].Version != 3 || string(rows[0].Body) != "{}" || rows[0].Due.UnixMilli() != 7 || rows[0].Updated.UnixMilli() != 6 {
		t.Errorf("row %s is at version %d, due %s, updated %s", rows[0].ID, rows[0].Version, rows[0].Due, rows[0].Updated)
	}
	change := store.Change{Tenant: "acme", ID: "p1", Version: 3, State: "spoilt", Response: []byte("another"), Entry: store.Entry{Kind: "k"}}
	if _, err := ledger.Commit(t.Context(), change); err == nil {
		t.Error("a response of the first schema was replaced")
	}
	change.ID = "p2"
	if row, err := ledger.Commit(t.Context(), change); err != nil || string(row.Response) != "another" {
		t.Errorf("the first response of p2: %q, %v", row.Response, err)
	}
}

// TestAnAgentOfAnOlderSchemaPaysFromItsWalletItself opens a file that was written before agents had keys of their own.
func TestAnAgentOfAnOlderSchemaPaysFromItsWalletItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	old, err := sqldb.Open(t.Context(), path, schema[:2])
	if err != nil {
		t.Fatal(err)
	}
	err = old.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO agents (tenant, id, token_sha256, public_key, groups_json, tier, wallet,
			revoked, version, created_ms) VALUES ('acme', 'a1', ?, NULL, '["g"]', '', 'main', 0, 4, 5)`, bytes.Repeat([]byte{9}, 32))
		return err
	})
	if err := errors.Join(err, old.Close()); err != nil {
		t.Fatal(err)
	}
	ledger, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	}()
	agent, err := ledger.Agent(t.Context(), "acme", "a1")
	if err != nil || agent.Derived || agent.Enrolment != nil || agent.Wallet != "main" || agent.Version != 4 {
		t.Fatalf("%+v, %v", agent, err)
	}
	agent.Derived, agent.Enrolment = true, []byte("order")
	if _, err := ledger.PutAgent(t.Context(), agent, store.Entry{Kind: "agent.enrolled"}); err != nil {
		t.Fatal(err)
	}
	if agent, err = ledger.Agent(t.Context(), "acme", "a1"); err != nil || !agent.Derived || string(agent.Enrolment) != "order" {
		t.Errorf("%+v, %v", agent, err)
	}
}
