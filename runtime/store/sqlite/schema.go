package sqlite

// schema is the history of the tables, applied in order by internal/sqldb: append steps, never edit one. The shapes
// are those of runtime/store/postgres, with amounts as decimal text, because no integer of SQLite holds a uint256,
// and instants as Unix milliseconds, 0 for none.
var schema = []string{`
CREATE TABLE ledger (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL) STRICT;

CREATE TABLE heads (
	tenant   TEXT PRIMARY KEY,
	position INTEGER NOT NULL CHECK (position > 0),
	time_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
	tenant TEXT NOT NULL, id TEXT NOT NULL, agent TEXT NOT NULL, key TEXT NOT NULL, slot TEXT NOT NULL,
	state TEXT NOT NULL, version INTEGER NOT NULL, digest BLOB, due_ms INTEGER NOT NULL,
	body BLOB, response BLOB,
	created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, born INTEGER NOT NULL,
	PRIMARY KEY (tenant, id), UNIQUE (tenant, agent, key), UNIQUE (tenant, born)
) STRICT;
CREATE UNIQUE INDEX payments_slot ON payments (tenant, slot) WHERE slot <> '';
CREATE UNIQUE INDEX payments_digest ON payments (digest) WHERE digest IS NOT NULL;
CREATE INDEX payments_created ON payments (created_ms, tenant, born);
CREATE INDEX payments_due ON payments (due_ms) WHERE due_ms > 0;

CREATE TABLE log (
	tenant TEXT NOT NULL, position INTEGER NOT NULL, agent TEXT NOT NULL, sequence INTEGER NOT NULL,
	payment TEXT NOT NULL, entry BLOB NOT NULL, hash BLOB NOT NULL,
	PRIMARY KEY (tenant, position), UNIQUE (tenant, agent, sequence)
) STRICT;
CREATE INDEX log_payment ON log (tenant, payment, position);

CREATE TABLE chains (
	tenant TEXT NOT NULL, agent TEXT NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL,
	PRIMARY KEY (tenant, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE meters (
	tenant TEXT NOT NULL, meter TEXT NOT NULL, total TEXT NOT NULL, sequence INTEGER NOT NULL,
	PRIMARY KEY (tenant, meter)
) STRICT, WITHOUT ROWID;

CREATE TABLE buckets (
	tenant TEXT NOT NULL, meter TEXT NOT NULL, width_ms INTEGER NOT NULL, start_ms INTEGER NOT NULL, amount TEXT NOT NULL,
	PRIMARY KEY (tenant, meter, width_ms, start_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
	tenant TEXT NOT NULL, id TEXT NOT NULL, meter TEXT NOT NULL, sequence INTEGER NOT NULL,
	amount TEXT NOT NULL, bucket_ms INTEGER NOT NULL, state INTEGER NOT NULL,
	PRIMARY KEY (tenant, meter, sequence), FOREIGN KEY (tenant, id) REFERENCES payments (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds (tenant, meter, bucket_ms) WHERE state = 0;
CREATE INDEX holds_payment ON holds (tenant, id);

CREATE TABLE quotes (
	tenant TEXT NOT NULL, route TEXT NOT NULL, asset TEXT NOT NULL, position INTEGER NOT NULL,
	amount TEXT NOT NULL, at_ms INTEGER NOT NULL,
	PRIMARY KEY (tenant, route, asset, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE payees (
	tenant TEXT NOT NULL, payee TEXT NOT NULL, first_ms INTEGER NOT NULL, times INTEGER NOT NULL,
	PRIMARY KEY (tenant, payee)
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
	tenant TEXT NOT NULL, id TEXT NOT NULL, token_sha256 BLOB NOT NULL UNIQUE, public_key BLOB,
	groups_json TEXT NOT NULL, tier TEXT NOT NULL, wallet TEXT NOT NULL, revoked INTEGER NOT NULL,
	version INTEGER NOT NULL, created_ms INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
`, `
-- SQLite rewrites the whole record of a row that is updated, so a response of megabytes beside the state would be
-- written again by every later change.
CREATE TABLE responses (
	tenant TEXT NOT NULL, id TEXT NOT NULL, response BLOB NOT NULL,
	PRIMARY KEY (tenant, id), FOREIGN KEY (tenant, id) REFERENCES payments (tenant, id)
) STRICT;
INSERT INTO responses (tenant, id, response) SELECT tenant, id, response FROM payments WHERE response IS NOT NULL;
ALTER TABLE payments DROP COLUMN response;
`, `
ALTER TABLE agents ADD COLUMN derived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN enrolment BLOB;
`}
