// Package journal keeps in SQLite which payments a merchant has accepted and what
// it answered (x402.Claims). It refuses to forget a payment: bodies can be pruned,
// keys stay for ever, because an authorization that was used once must never buy
// again. The facilitator's own journal is in the subpackage relayer.
package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sqldb"
	"github.com/purserhq/purser/settle/x402"
)

// schema is append-only: see sqldb.Open.
var schema = []string{`CREATE TABLE claim (
	asset        TEXT    NOT NULL,
	payer        TEXT    NOT NULL,
	nonce        BLOB    NOT NULL CHECK (length(nonce) = 32),
	request      BLOB    NOT NULL CHECK (length(request) = 32),
	payment      BLOB    NOT NULL CHECK (length(payment) = 32),
	valid_before INTEGER NOT NULL CHECK (valid_before >= 0),
	claimed_ms   INTEGER NOT NULL,
	state        INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
	lease_ms     INTEGER NOT NULL DEFAULT 0,
	attempts     INTEGER NOT NULL DEFAULT 0,
	status       INTEGER,
	header       TEXT,
	body         BLOB,
	PRIMARY KEY (asset, payer, nonce)
) STRICT, WITHOUT ROWID`}

const (
	columns = `request, payment, valid_before, claimed_ms, state, lease_ms, attempts, status, header, body`
	byKey   = ` WHERE asset = ? AND payer = ? AND nonce = ?`
)

// Claims is x402.Claims in one SQLite file. It may be used from any goroutine, and
// several processes may open one file.
type Claims struct{ db *sqldb.DB }

var _ x402.Claims = (*Claims)(nil)

// OpenClaims opens or creates the file; errors are those of sqldb.Open.
func OpenClaims(ctx context.Context, path string) (*Claims, error) {
	db, err := sqldb.Open(ctx, path, schema)
	if err != nil {
		return nil, fmt.Errorf("open the claims journal: %w", err)
	}
	return &Claims{db: db}, nil
}

// Close closes the file.
func (s *Claims) Close() error { return s.db.Close() }

// querier is what a transaction and the readers' pool share.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func keyArgs(key x402.ClaimKey, before ...any) []any {
	return append(before, string(key.Asset), key.Payer, key.Nonce[:])
}

// read returns found false when there is no such row.
func read(ctx context.Context, q querier, key x402.ClaimKey) (record x402.ClaimRecord, found bool, err error) {
	var request, payment, body []byte
	var claimed, lease int64
	var status sql.NullInt64
	var header sql.NullString
	row := q.QueryRowContext(ctx, "SELECT "+columns+" FROM claim"+byKey, keyArgs(key)...)
	err = row.Scan(&request, &payment, &record.ValidBefore, &claimed, &record.State, &lease, &record.Attempts,
		&status, &header, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return x402.ClaimRecord{}, false, nil
	}
	if err != nil {
		return x402.ClaimRecord{}, false, fmt.Errorf("read the claim of %s: %w", key.Payer, err)
	}
	record.Key, record.At = key, time.UnixMilli(claimed).UTC()
	copy(record.Request[:], request)
	copy(record.Payment[:], payment)
	if lease != 0 {
		record.LeaseUntil = time.UnixMilli(lease).UTC()
	}
	if status.Valid {
		answer := x402.Answer{Status: int(status.Int64), Header: http.Header{}, Body: body}
		if err := json.Unmarshal([]byte(header.String), &answer.Header); err != nil {
			return x402.ClaimRecord{}, false, fmt.Errorf("read the answer kept for %s: %w", key.Payer, err)
		}
		record.Answer = &answer
	}
	return record, true, nil
}

// Find implements x402.Claims.
func (s *Claims) Find(ctx context.Context, key x402.ClaimKey) (x402.ClaimRecord, bool, error) {
	return read(ctx, s.db.Read(), key)
}

// Claim implements x402.Claims. The primary key decides between racing callers.
func (s *Claims) Claim(ctx context.Context, c x402.Claim) (record x402.ClaimRecord, created bool, err error) {
	if c.ValidBefore > 1<<62 {
		return x402.ClaimRecord{}, false, &abi.Error{Code: x402.CodeClaimConflict, Message: "validBefore is out of range"}
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO claim (asset, payer, nonce, request, payment, valid_before, claimed_ms, state)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			string(c.Key.Asset), c.Key.Payer, c.Key.Nonce[:], c.Request[:], c.Payment[:], int64(c.ValidBefore), // #nosec G115 -- checked above
			c.At.UnixMilli(), x402.ClaimRunning)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return err
		}
		created = rows == 1
		var found bool
		if record, found, err = read(ctx, tx, c.Key); err == nil && !found {
			err = errors.New("the row is missing after its insertion")
		}
		return err
	})
	if err != nil {
		return x402.ClaimRecord{}, false, fmt.Errorf("claim a payment of %s: %w", c.Key.Payer, err)
	}
	return record, created, nil
}

// Prune drops the answers of finished claims whose authorization died before the
// given time, and returns how many. The keys stay.
func (s *Claims) Prune(ctx context.Context, before time.Time) (pruned int64, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE claim SET status = NULL, header = NULL, body = NULL
			WHERE state = ? AND valid_before < ? AND status IS NOT NULL`, x402.ClaimFinished, before.Unix())
		if err != nil {
			return err
		}
		pruned, err = result.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune the claims journal: %w", err)
	}
	return pruned, nil
}
