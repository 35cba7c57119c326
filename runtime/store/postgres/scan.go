package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const selectAgent = `SELECT tenant, id, token_sha256, public_key, groups, tier, wallet, derived, revoked, enrolment,
	version, created_ms FROM agents`

func scanPayment(r pgx.CollectableRow) (ledger.StoredRow, error) { return ledger.ScanPayment(r) }

func scanAgent(r pgx.CollectableRow) (agent store.Agent, err error) {
	var created int64
	err = r.Scan(&agent.Tenant, &agent.ID, ledger.Fixed(agent.TokenSHA256[:]), &agent.PublicKey, &agent.Groups, &agent.Tier,
		&agent.Wallet, &agent.Derived, &agent.Revoked, &agent.Enrolment, &agent.Version, &created)
	agent.Created = ledger.FromMillis(created)
	if len(agent.Groups) == 0 {
		agent.Groups = nil // one spelling of "none"
	}
	return agent, err
}
