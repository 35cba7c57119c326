// Package relayer keeps in SQLite what a facilitator's relayer has claimed, signed
// and seen (facilitator.Journal), so that a crash neither loses nor repeats a
// transaction. It refuses to forget a settlement for which anything was signed.
package relayer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sqldb"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
)

// schema is append-only: see sqldb.Open.
var schema = []string{`CREATE TABLE settlement (
	id           INTEGER PRIMARY KEY,
	asset        TEXT    NOT NULL,
	network      TEXT    NOT NULL,
	payer        BLOB    NOT NULL CHECK (length(payer) = 20),
	nonce        BLOB    NOT NULL CHECK (length(nonce) = 32),
	fingerprint  BLOB    NOT NULL CHECK (length(fingerprint) = 32),
	payee        BLOB    NOT NULL CHECK (length(payee) = 20),
	amount       TEXT    NOT NULL,
	valid_before INTEGER NOT NULL,
	relayer      BLOB    NOT NULL CHECK (length(relayer) = 20),
	call_data    BLOB    NOT NULL,
	from_block   INTEGER NOT NULL,
	claimed_ms   INTEGER NOT NULL,
	delivered    INTEGER NOT NULL DEFAULT 0 CHECK (delivered IN (0, 1)),
	ended        INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
	success      INTEGER,
	reason       TEXT,
	tx_hash      BLOB,
	block        INTEGER,
	block_hash   BLOB,
	gas_used     INTEGER,
	fee_wei      TEXT,
	ended_ms     INTEGER,
	UNIQUE (asset, payer, nonce)
) STRICT;
CREATE INDEX settlement_open ON settlement (network, relayer) WHERE ended = 0;
CREATE TABLE attempt (
	settlement    INTEGER NOT NULL REFERENCES settlement (id),
	number        INTEGER NOT NULL,
	relayer_nonce INTEGER NOT NULL,
	raw           BLOB    NOT NULL,
	tx_hash       BLOB    NOT NULL CHECK (length(tx_hash) = 32),
	max_fee_wei   TEXT    NOT NULL,
	tip_wei       TEXT    NOT NULL,
	signed_ms     INTEGER NOT NULL,
	PRIMARY KEY (settlement, number)
) STRICT, WITHOUT ROWID`}

// Journal is facilitator.Journal in one SQLite file. It may be used from any
// goroutine, and several processes may open one file.
type Journal struct{ db *sqldb.DB }

var _ facilitator.Journal = (*Journal)(nil)

// Open opens or creates the file; errors are those of sqldb.Open.
func Open(ctx context.Context, path string) (*Journal, error) {
	db, err := sqldb.Open(ctx, path, schema)
	if err != nil {
		return nil, fmt.Errorf("open the relayer's journal: %w", err)
	}
	return &Journal{db: db}, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.db.Close() }

func conflict(key facilitator.ClaimKey, message string) error {
	return &abi.Error{Code: facilitator.CodeJournalConflict, Message: message, Where: key.Nonce.String()}
}

// Claim implements facilitator.Journal. The unique key decides between racing callers.
func (j *Journal) Claim(ctx context.Context, c facilitator.Claim) (s facilitator.Settlement, created bool, err error) {
	validBefore, fromBlock, err := signed(c.ValidBefore, c.FromBlock)
	if err != nil {
		return facilitator.Settlement{}, false, conflict(c.Key, err.Error())
	}
	callData := c.CallData
	if callData == nil {
		callData = []byte{} // NULL and empty are one thing here
	}
	err = j.db.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO settlement (asset, network, payer, nonce, fingerprint, payee, amount,
			valid_before, relayer, call_data, from_block, claimed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			string(c.Key.Asset), string(c.Key.Asset.Network()), c.Key.Payer[:], c.Key.Nonce[:], c.Fingerprint[:], c.Payee[:], c.Amount.String(),
			validBefore, c.Relayer[:], callData, fromBlock, c.At.UnixMilli())
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return err
		}
		created = rows == 1
		_, s, err = load(ctx, tx, c.Key)
		return err
	})
	if err != nil {
		return facilitator.Settlement{}, false, fmt.Errorf("claim an authorization of %s: %w", c.Key.Payer, err)
	}
	return s, created, nil
}

// Find implements facilitator.Journal.
func (j *Journal) Find(ctx context.Context, key facilitator.ClaimKey) (s facilitator.Settlement, found bool, err error) {
	// One transaction, so that a settlement and its attempts are of one moment.
	tx, err := j.db.Read().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return facilitator.Settlement{}, false, fmt.Errorf("find a settlement: %w", err)
	}
	_, s, err = load(ctx, tx, key)
	// A rollback that fails changes nothing about what was read.
	_ = tx.Rollback()
	if abi.CodeOf(err) == facilitator.CodeJournalUnknown {
		return facilitator.Settlement{}, false, nil
	}
	return s, err == nil, err
}

// change runs a change of one settlement under the writer's lock.
func (j *Journal) change(ctx context.Context, what string, key facilitator.ClaimKey,
	run func(tx *sql.Tx, id int64, s facilitator.Settlement) error,
) error {
	err := j.db.Write(ctx, func(tx *sql.Tx) error {
		id, s, err := load(ctx, tx, key)
		if err != nil {
			return err
		}
		return run(tx, id, s)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// RecordResult implements facilitator.Journal.
func (j *Journal) RecordResult(ctx context.Context, key facilitator.ClaimKey, r facilitator.Result) error {
	block, gas, err := signed(r.Block, r.GasUsed)
	if err != nil {
		return conflict(key, err.Error())
	}
	return j.change(ctx, "record a result", key, func(tx *sql.Tx, id int64, s facilitator.Settlement) error {
		if s.Result != nil {
			kept, given := *s.Result, r
			kept.At, given.At = time.Time{}, time.Time{}
			if kept != given {
				return conflict(key, "another result is recorded already")
			}
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE settlement SET ended = 1, success = ?, reason = ?, tx_hash = ?, block = ?,
			block_hash = ?, gas_used = ?, fee_wei = ?, ended_ms = ? WHERE id = ?`,
			r.Success, r.Reason, r.TxHash[:], block, r.BlockHash[:], gas, r.FeeWei.String(), r.At.UnixMilli(), id)
		return err
	})
}

// Deliver implements facilitator.Journal.
func (j *Journal) Deliver(ctx context.Context, key facilitator.ClaimKey) (first bool, err error) {
	err = j.change(ctx, "deliver a result", key, func(tx *sql.Tx, id int64, s facilitator.Settlement) error {
		if s.Result == nil || !s.Result.Success {
			return conflict(key, "there is no success to deliver")
		}
		first = !s.Delivered
		_, err := tx.ExecContext(ctx, "UPDATE settlement SET delivered = 1 WHERE id = ?", id)
		return err
	})
	return first && err == nil, err
}

// Release implements facilitator.Journal.
func (j *Journal) Release(ctx context.Context, key facilitator.ClaimKey) error {
	return j.change(ctx, "release a claim", key, func(tx *sql.Tx, id int64, s facilitator.Settlement) error {
		if s.Result != nil || len(s.Attempts) > 0 {
			return conflict(key, "something was signed for this claim")
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM settlement WHERE id = ?", id)
		return err
	})
}

// signed converts for SQLite, whose integers have a sign.
func signed(a, b uint64) (int64, int64, error) {
	if a > math.MaxInt64 || b > math.MaxInt64 {
		return 0, 0, errors.New("a number is above 2^63-1")
	}
	return int64(a), int64(b), nil
}

func hashOf(b []byte) (h evm.Hash) {
	copy(h[:], b)
	return h
}
