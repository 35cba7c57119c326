package relayer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
)

// RecordAttempt implements facilitator.Journal. That no two open claims hold one
// relayer nonce is asked under the writer's lock: two transactions with one nonce
// cannot both be mined, and the loser's payment would hang.
func (j *Journal) RecordAttempt(ctx context.Context, key facilitator.ClaimKey, a facilitator.Attempt) error {
	nonce, _, err := signed(a.RelayerNonce, 0)
	if err != nil {
		return conflict(key, err.Error())
	}
	return j.change(ctx, "record an attempt", key, func(tx *sql.Tx, id int64, s facilitator.Settlement) error {
		if s.Result != nil {
			return conflict(key, "the settlement has ended")
		}
		var held int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM attempt JOIN settlement ON attempt.settlement = settlement.id
			WHERE settlement.ended = 0 AND settlement.network = ? AND settlement.relayer = ? AND settlement.id <> ?
			AND attempt.relayer_nonce = ?`, string(key.Asset.Network()), s.Relayer[:], id, nonce).Scan(&held)
		if err != nil {
			return err
		}
		if held > 0 {
			return conflict(key, "another open settlement holds this relayer nonce")
		}
		for _, known := range s.Attempts {
			if known.TxHash == a.TxHash {
				return nil
			}
		}
		raw := a.Raw
		if raw == nil {
			raw = []byte{}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO attempt (settlement, number, relayer_nonce, raw, tx_hash, max_fee_wei, tip_wei, signed_ms)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, id, len(s.Attempts), nonce, raw, a.TxHash[:], a.MaxFeeWei.String(), a.TipWei.String(), a.At.UnixMilli())
		return err
	})
}

// ListOpen implements facilitator.Journal.
func (j *Journal) ListOpen(ctx context.Context, network abi.Network, relayer evm.Address) (list []facilitator.Settlement, err error) {
	tx, err := j.db.Read().BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("list open settlements: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was changed
	keys, err := openKeys(ctx, tx, network, relayer)
	if err != nil {
		return nil, fmt.Errorf("list open settlements: %w", err)
	}
	for _, key := range keys {
		_, s, err := load(ctx, tx, key)
		if err != nil {
			return nil, fmt.Errorf("list open settlements: %w", err)
		}
		list = append(list, s)
	}
	return list, nil
}

func openKeys(ctx context.Context, tx *sql.Tx, network abi.Network, relayer evm.Address) (keys []facilitator.ClaimKey, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT asset, payer, settlement.nonce FROM settlement
		LEFT JOIN attempt ON attempt.settlement = settlement.id AND attempt.number = 0
		WHERE ended = 0 AND network = ? AND relayer = ?
		ORDER BY attempt.relayer_nonce NULLS LAST, claimed_ms, settlement.id`, string(network), relayer[:])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var key facilitator.ClaimKey
		var payer, nonce []byte
		if err := rows.Scan(&key.Asset, &payer, &nonce); err != nil {
			return nil, err
		}
		copy(key.Payer[:], payer)
		key.Nonce = hashOf(nonce)
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
