package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/internal/ledger"
)

const (
	batchTimeMax  = 30 * time.Second
	triesMax      = 10
	retryDelayMin = 5 * time.Millisecond
	retryDelayMax = time.Second
	// unknownTimeMax bounds the search for the outcome of a commit whose answer was lost.
	unknownTimeMax = 15 * time.Second
	// markTimeMax is how long a mark without a log record is kept: longer than batchTimeMax and unknownTimeMax together,
	// with room for corrections of the database's clock. A mark that is gone reads as a commit that did not happen; the
	// repeated deferral then conflicts with its own row, which waits for its Due while no worker believes that it holds it.
	markTimeMax = 5 * time.Minute
)

// runBatch is the only writer of this process. All tries of a batch share one bound in time.
func (s *Store) runBatch(ops []ledger.Op) []ledger.Result {
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeMax)
	defer cancel()
	return ledger.Commit(ops, func(ops []ledger.Op) ([]ledger.Result, error) { return s.commitBatch(ctx, ops) }, refused)
}

// commitBatch tries until the batch is committed, refused, or its outcome cannot be known.
func (s *Store) commitBatch(ctx context.Context, ops []ledger.Op) (results []ledger.Result, err error) {
	delay := retryDelayMin
	for try := 1; ; try++ {
		b := &batch{}
		results, err = s.try(ctx, b, ops)
		if err != nil && b.sent && !settled(err) {
			var happened bool
			if happened, err = s.resolve(b, err); err == nil && happened {
				return results, nil
			}
			if err != nil {
				return nil, err
			}
			err = errLost
		}
		if err == nil {
			return results, nil
		}
		if try == triesMax || !retryable(err) {
			return nil, fmt.Errorf("write %d operations to the ledger: %w", len(ops), err)
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, fmt.Errorf("write %d operations to the ledger: %w", len(ops), err)
		}
		delay = min(2*delay, retryDelayMax)
	}
}

// errLost is a commit that was looked for and is not there.
var errLost = errors.New("the connection broke before the commit")

// try runs one transaction. After it, b.sent says that COMMIT left this machine.
func (s *Store) try(ctx context.Context, b *batch, ops []ledger.Op) ([]ledger.Result, error) {
	if _, err := io.ReadFull(s.random, b.mark[:]); err != nil {
		return nil, fmt.Errorf("mark the batch: %w", err)
	}
	tenants := ledger.Tenants(ops)
	if err := s.makeHeads(ctx, tenants); err != nil {
		return nil, fmt.Errorf("make head rows: %w", err)
	}
	tx, err := s.writer.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		// Without effect after a commit; after a failure the connection may be gone, which rolls back as well.
		_ = tx.Rollback(context.WithoutCancel(ctx))
	}()
	b.tx = tx
	heads, reading, err := b.lockHeads(ctx, tenants, s.now)
	if err != nil {
		clear(s.known) // a restored database may have lost head rows: make them again
		return nil, fmt.Errorf("lock heads: %w", err)
	}
	results, writes, err := ledger.Batch(ctx, b, &s.clock, heads, reading, ops)
	if err != nil {
		return nil, err
	}
	if writes.Empty() {
		return results, nil
	}
	b.proof = proofOf(writes, reading)
	if err := b.write(ctx, writes); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	b.sent = true
	if err := tx.Commit(ctx); err != nil {
		return results, fmt.Errorf("commit: %w", err)
	}
	return results, nil
}

// makeHeads creates missing head rows before the transaction, in one statement of its own: an empty head means
// nothing, and inserting inside would hold new rows while waiting for old ones.
func (s *Store) makeHeads(ctx context.Context, tenants []string) error {
	var missing []string
	for _, tenant := range tenants {
		if !s.known[tenant] {
			missing = append(missing, tenant)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := s.writer.Exec(ctx, `INSERT INTO heads (tenant, position, time_ms)
		SELECT tenant, 0, 0 FROM unnest($1::text[]) AS q(tenant) ORDER BY tenant ON CONFLICT DO NOTHING`, missing); err != nil {
		return err
	}
	for _, tenant := range missing {
		s.known[tenant] = true
	}
	return nil
}

// resolve finds out whether a commit happened whose answer was lost. It locks a head that the lost transaction
// held, so it waits until that one has ended either way; then it looks for the mark of the batch.
func (s *Store) resolve(b *batch, cause error) (happened bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), unknownTimeMax)
	defer cancel()
	for delay := retryDelayMin; ; delay = min(2*delay, retryDelayMax) {
		happened, err := s.lookForMark(ctx, b)
		if err == nil {
			return happened, nil
		}
		cause = errors.Join(cause, err)
		select {
		case <-time.After(delay):
			continue
		case <-ctx.Done():
		}
		return false, &abi.Error{
			Code: store.ErrCommitUnknown.Code, Message: store.ErrCommitUnknown.Message,
			Fix: store.ErrCommitUnknown.Fix, Retry: store.ErrCommitUnknown.Retry, Cause: cause,
		}
	}
}

func (s *Store) lookForMark(ctx context.Context, b *batch) (happened bool, err error) {
	err = pgx.BeginTxFunc(ctx, s.writer, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT 1 FROM heads WHERE tenant = $1 FOR UPDATE`, b.proof.tenant); err != nil {
			return err
		}
		if b.proof.position == 0 {
			return tx.QueryRow(ctx, `SELECT count(*) > 0 FROM marks WHERE tenant = $1 AND at_ms = $2 AND batch = $3`,
				b.proof.tenant, b.proof.atMS, b.mark[:]).Scan(&happened)
		}
		return tx.QueryRow(ctx, `SELECT count(*) > 0 FROM log WHERE tenant = $1 AND position = $2 AND batch = $3`,
			b.proof.tenant, b.proof.position, b.mark[:]).Scan(&happened)
	})
	return happened, err
}

// settled says that a failed COMMIT certainly rolled back: the server itself said so, in a session that went on. A
// FATAL error may come after the commit, for example while waiting for a standby.
func settled(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR" && answer.Code[:2] != "57"
}

// retryable says that the same batch may succeed: a deadlock, a serialization failure, a unique index that another
// process of another tenant was quicker with (the next try will see its row), or a connection that broke.
func retryable(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return !errors.Is(err, context.DeadlineExceeded) && !isCoded(err)
	}
	switch answer.Code {
	case "40001", "40P01", "23505", "25P03":
		return true
	}
	return answer.Code[:2] == "08" || answer.Code[:2] == "57" && answer.Code != "57014"
}

// refused says that the database does not take a value in the batch (classes of data, integrity and limits, and
// what a trigger raises), so that trying each operation alone helps.
func refused(err error) bool {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code[:2] {
	case "22", "23", "54", "P0":
		return true
	}
	return false
}

func isCoded(err error) bool {
	var coded *abi.Error
	return errors.As(err, &coded)
}
