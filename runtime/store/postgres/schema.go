package postgres

// schema is the history of the tables: append steps, never edit one. Every key starts with the tenant, so that the
// tables can be distributed by it; the two that cannot (a digest, a token) are unique over the whole ledger by
// intent. Instants are Unix milliseconds of ledger time, 0 for none. The CHECKs are the last fence: the arithmetic
// is runtime/store/internal/ledger. Names collate "C", because an operating system that changes its sorting
// corrupts indexes, and a unique index that is corrupt pays twice.
var schema = []string{`
CREATE TABLE ledger (one INT PRIMARY KEY CHECK (one = 1), id TEXT COLLATE "C" NOT NULL);

CREATE TABLE heads (
	tenant   TEXT COLLATE "C" PRIMARY KEY,
	position BIGINT NOT NULL CHECK (position >= 0),
	time_ms  BIGINT NOT NULL
);

CREATE TABLE payments (
	tenant TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, agent TEXT COLLATE "C" NOT NULL, key TEXT COLLATE "C" NOT NULL, slot TEXT COLLATE "C" NOT NULL,
	state TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, digest BYTEA, due_ms BIGINT NOT NULL,
	body BYTEA, response BYTEA,
	created_ms BIGINT NOT NULL, updated_ms BIGINT NOT NULL, born BIGINT NOT NULL,
	PRIMARY KEY (tenant, id), UNIQUE (tenant, agent, key), UNIQUE (born, tenant)
);
CREATE UNIQUE INDEX payments_slot ON payments (tenant, slot) WHERE slot <> '';
CREATE UNIQUE INDEX payments_digest ON payments (digest) WHERE digest IS NOT NULL;
CREATE INDEX payments_created ON payments (created_ms, tenant, born);
CREATE INDEX payments_due ON payments (due_ms) WHERE due_ms > 0;

CREATE TABLE log (
	tenant TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL, agent TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL,
	payment TEXT COLLATE "C" NOT NULL, entry BYTEA NOT NULL, hash BYTEA NOT NULL CHECK (length(hash) = 32),
	batch BYTEA NOT NULL,
	PRIMARY KEY (tenant, position), UNIQUE (tenant, agent, sequence)
);
CREATE INDEX log_payment ON log (tenant, payment, position);

CREATE TABLE chains (
	tenant TEXT COLLATE "C" NOT NULL, agent TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL, hash BYTEA NOT NULL,
	PRIMARY KEY (tenant, agent)
);

CREATE TABLE meters (
	tenant TEXT COLLATE "C" NOT NULL, meter TEXT COLLATE "C" NOT NULL, total NUMERIC(78, 0) NOT NULL CHECK (total >= 0), sequence BIGINT NOT NULL,
	PRIMARY KEY (tenant, meter)
);

CREATE TABLE buckets (
	tenant TEXT COLLATE "C" NOT NULL, meter TEXT COLLATE "C" NOT NULL, width_ms BIGINT NOT NULL, start_ms BIGINT NOT NULL,
	amount NUMERIC(78, 0) NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (tenant, meter, width_ms, start_ms)
);

CREATE TABLE holds (
	tenant TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, meter TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL,
	amount NUMERIC(78, 0) NOT NULL CHECK (amount >= 0), bucket_ms BIGINT NOT NULL, state BIGINT NOT NULL,
	PRIMARY KEY (tenant, meter, sequence), FOREIGN KEY (tenant, id) REFERENCES payments (tenant, id)
);
CREATE INDEX holds_open ON holds (tenant, meter, bucket_ms) WHERE state = 0;
CREATE INDEX holds_payment ON holds (tenant, id);

CREATE TABLE quotes (
	tenant TEXT COLLATE "C" NOT NULL, route TEXT COLLATE "C" NOT NULL, asset TEXT COLLATE "C" NOT NULL, position BIGINT NOT NULL,
	amount NUMERIC(78, 0) NOT NULL, at_ms BIGINT NOT NULL,
	PRIMARY KEY (tenant, route, asset, position)
);

CREATE TABLE payees (
	tenant TEXT COLLATE "C" NOT NULL, payee TEXT COLLATE "C" NOT NULL, first_ms BIGINT NOT NULL, times BIGINT NOT NULL,
	PRIMARY KEY (tenant, payee)
);

CREATE TABLE agents (
	tenant TEXT COLLATE "C" NOT NULL, id TEXT COLLATE "C" NOT NULL, token_sha256 BYTEA NOT NULL UNIQUE, public_key BYTEA,
	groups TEXT[] NOT NULL, tier TEXT COLLATE "C" NOT NULL, wallet TEXT COLLATE "C" NOT NULL, revoked BOOLEAN NOT NULL,
	version BIGINT NOT NULL, created_ms BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
`, `
-- The marks of batches that wrote no log record, for as long as a lost COMMIT may be looked for.
CREATE TABLE marks (
	tenant TEXT COLLATE "C" NOT NULL, at_ms BIGINT NOT NULL, batch BYTEA NOT NULL,
	PRIMARY KEY (tenant, at_ms, batch)
);
`, `
ALTER TABLE agents ADD COLUMN derived BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE agents ADD COLUMN enrolment BYTEA;
`}
