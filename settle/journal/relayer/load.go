package relayer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/facilitator"
)

const selectOne = `SELECT id, fingerprint, payee, amount, valid_before, relayer, call_data, from_block, claimed_ms, delivered,
	ended, success, reason, tx_hash, block, block_hash, gas_used, fee_wei, ended_ms
	FROM settlement WHERE asset = ? AND payer = ? AND nonce = ?`

// load reads one settlement with its attempts; code journal_claim_unknown when
// there is none.
func load(ctx context.Context, tx *sql.Tx, key facilitator.ClaimKey) (id int64, s facilitator.Settlement, err error) {
	var fingerprint, payee, relayer, txHash, blockHash []byte
	var amount string
	var claimed int64
	var ended bool
	var success sql.NullBool
	var reason, fee sql.NullString
	var block, gas, endedAt sql.NullInt64
	s.Key = key
	err = tx.QueryRowContext(ctx, selectOne, string(key.Asset), key.Payer[:], key.Nonce[:]).Scan(&id, &fingerprint, &payee, &amount,
		&s.ValidBefore, &relayer, &s.CallData, &s.FromBlock, &claimed, &s.Delivered,
		&ended, &success, &reason, &txHash, &block, &blockHash, &gas, &fee, &endedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, facilitator.Settlement{}, &abi.Error{
			Code:    facilitator.CodeJournalUnknown,
			Message: "there is no claim for this authorization", Where: key.Nonce.String(),
		}
	}
	if err != nil {
		return 0, facilitator.Settlement{}, fmt.Errorf("read a settlement: %w", err)
	}
	copy(s.Fingerprint[:], fingerprint)
	copy(s.Payee[:], payee)
	copy(s.Relayer[:], relayer)
	s.At = time.UnixMilli(claimed).UTC()
	if s.Amount, err = abi.ParseAmount(amount); err != nil {
		return 0, facilitator.Settlement{}, fmt.Errorf("read a settlement: %w", err)
	}
	if ended {
		r := facilitator.Result{Success: success.Bool, Reason: reason.String, TxHash: hashOf(txHash), Block: uint64(block.Int64), // #nosec G115 -- written by signed
			BlockHash: hashOf(blockHash), GasUsed: uint64(gas.Int64), At: time.UnixMilli(endedAt.Int64).UTC()} // #nosec G115 -- as above
		if r.FeeWei, err = abi.ParseAmount(fee.String); err != nil {
			return 0, facilitator.Settlement{}, fmt.Errorf("read a result: %w", err)
		}
		s.Result = &r
	}
	s.Attempts, err = attempts(ctx, tx, id)
	return id, s, err
}

func attempts(ctx context.Context, tx *sql.Tx, id int64) (list []facilitator.Attempt, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT relayer_nonce, raw, tx_hash, max_fee_wei, tip_wei, signed_ms
		FROM attempt WHERE settlement = ? ORDER BY number`, id)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a facilitator.Attempt
		var hash []byte
		var maxFee, tip string
		var at int64
		if err := rows.Scan(&a.RelayerNonce, &a.Raw, &hash, &maxFee, &tip, &at); err != nil {
			return nil, fmt.Errorf("read an attempt: %w", err)
		}
		a.TxHash, a.At = hashOf(hash), time.UnixMilli(at).UTC()
		if a.MaxFeeWei, err = abi.ParseAmount(maxFee); err != nil {
			return nil, fmt.Errorf("read an attempt: %w", err)
		}
		if a.TipWei, err = abi.ParseAmount(tip); err != nil {
			return nil, fmt.Errorf("read an attempt: %w", err)
		}
		list = append(list, a)
	}
	return list, rows.Err()
}
