package postgres

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
)

// TestAnAgentOfAnOlderSchemaPaysFromItsWalletItself opens a ledger that was written before agents had keys of their own.
func TestAnAgentOfAnOlderSchemaPaysFromItsWalletItself(t *testing.T) {
	dsn := pgtest.Start(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := migrate(t.Context(), pool, "", schema[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO agents (tenant, id, token_sha256, public_key, groups, tier, wallet, revoked, version, created_ms)
		VALUES ('acme', 'a1', $1, NULL, '{g}', '', 'main', false, 4, 5)`, bytes.Repeat([]byte{9}, 32)); err != nil {
		t.Fatal(err)
	}
	ledger, err := Open(t.Context(), Config{DSN: dsn})
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
