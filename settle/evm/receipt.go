package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const (
	logsMax     = 10_000 // logs of one receipt or one search
	topicsMax   = 4
	logBytesMax = 1 << 20
)

// Event topics: keccak256 of the signature, checked in a test.
const (
	topicTransfer              = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
	topicAuthorizationUsed     = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5"
	topicAuthorizationCanceled = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81"
)

// Transfer is what a settlement must have done.
type Transfer struct {
	Asset        abi.Asset
	Payer, Payee Address
	// Amount is in the asset's smallest unit.
	Amount abi.Amount
	// Nonce is the EIP-3009 nonce.
	Nonce Hash
}

// Receipt is a settlement as the chain shows it: the transaction succeeded, the
// token logged the use of the nonce, and with it the transfer of the amount from
// payer to payee. The node is believed; the block may still be undone until it is
// finalized.
type Receipt struct {
	Network   abi.Network
	TxHash    Hash
	Block     uint64
	BlockHash Hash
	// BlockTime is Unix seconds of the block's header.
	BlockTime uint64
	// GasUsed is in gas units. FeeWei is what the sender paid, with the OP-stack's L1
	// and operator fees where the receipt names them.
	GasUsed      uint64
	FeeWei       abi.Amount
	Payer, Payee Address
	Asset        abi.Asset
	Amount       abi.Amount
	Nonce        Hash
}

// Mined is where and how a transaction was executed, whatever it did.
type Mined struct {
	TxHash    Hash
	Block     uint64
	BlockHash Hash
	Succeeded bool
	GasUsed   uint64
	FeeWei    abi.Amount
	logs      []logEntry
}

type logEntry struct {
	Address Address         `json:"address"`
	Topics  []Hash          `json:"topics"`
	Data    json.RawMessage `json:"data"`
	Block   json.RawMessage `json:"blockNumber"`
	TxHash  Hash            `json:"transactionHash"`
	Removed bool            `json:"removed"`
}

type receiptWire struct {
	TxHash      Hash            `json:"transactionHash"`
	Block       json.RawMessage `json:"blockNumber"`
	BlockHash   Hash            `json:"blockHash"`
	Status      json.RawMessage `json:"status"`
	GasUsed     json.RawMessage `json:"gasUsed"`
	GasPrice    json.RawMessage `json:"effectiveGasPrice"`
	L1Fee       json.RawMessage `json:"l1Fee"`
	OperatorFee json.RawMessage `json:"operatorFee"`
	Logs        []logEntry      `json:"logs"`
}

// Mined returns how a transaction ended, or found false while it is not in a block.
func (r *RPC) Mined(ctx context.Context, tx Hash) (m Mined, found bool, err error) {
	const method = "eth_getTransactionReceipt"
	answer, err := r.call(ctx, method, tx.String())
	if err != nil || isNull(answer) {
		return Mined{}, false, err
	}
	var wire receiptWire
	if err := json.Unmarshal(answer, &wire); err != nil {
		return Mined{}, false, badAnswer(method, err)
	}
	if m, err = wire.mined(); err != nil {
		return Mined{}, false, badAnswer(method, err)
	}
	if m.TxHash != tx {
		return Mined{}, false, badAnswer(method, errors.New("the receipt of another transaction"))
	}
	return m, true, nil
}

func (w receiptWire) mined() (Mined, error) {
	m := Mined{TxHash: w.TxHash, BlockHash: w.BlockHash, logs: w.Logs}
	var errs [4]error
	m.Block, errs[0] = uint64Of(w.Block)
	status, err := uint64Of(w.Status)
	if errs[1] = err; err == nil && status > 1 {
		errs[1] = errors.New("status is neither 0 nor 1")
	}
	m.Succeeded = status == 1
	m.GasUsed, errs[2] = uint64Of(w.GasUsed)
	m.FeeWei, errs[3] = w.fee(m.GasUsed)
	if err := errors.Join(errs[:]...); err != nil {
		return Mined{}, err
	}
	if len(w.Logs) > logsMax || w.BlockHash == (Hash{}) {
		return Mined{}, errors.New("too many logs, or no block hash")
	}
	return m, nil
}

// fee adds the L1 and operator fees OP-stack receipts carry to gas times price.
func (w receiptWire) fee(gasUsed uint64) (abi.Amount, error) {
	price, err := amountOf(w.GasPrice)
	if err != nil {
		return abi.Amount{}, err
	}
	fee, err := price.Mul(gasUsed)
	if err != nil {
		return abi.Amount{}, err
	}
	for _, raw := range []json.RawMessage{w.L1Fee, w.OperatorFee} {
		if isNull(raw) {
			continue
		}
		part, err := amountOf(raw)
		if err != nil {
			return abi.Amount{}, err
		}
		if fee, err = fee.Add(part); err != nil {
			return abi.Amount{}, err
		}
	}
	return fee, nil
}

// SettlementReceipt checks that a transaction did what want says and returns its
// receipt. Codes: receipt_pending (not mined, or its block was just undone),
// receipt_reverted, receipt_mismatch (it did something else).
func (r *RPC) SettlementReceipt(ctx context.Context, tx Hash, want Transfer) (Receipt, error) {
	token, err := r.Contract(want.Asset)
	if err != nil {
		return Receipt{}, err
	}
	m, found, err := r.Mined(ctx, tx)
	if err != nil {
		return Receipt{}, fmt.Errorf("read receipt of %s: %w", tx, err)
	}
	if !found {
		return Receipt{}, &abi.Error{Code: "receipt_pending", Message: fmt.Sprintf("transaction %s is not mined", tx), Retry: abi.RetryLater}
	}
	if !m.Succeeded {
		return Receipt{}, &abi.Error{Code: "receipt_reverted", Message: fmt.Sprintf("transaction %s reverted", tx)}
	}
	if !m.moved(token, want) {
		return Receipt{}, &abi.Error{
			Code:    "receipt_mismatch",
			Message: fmt.Sprintf("transaction %s did not move the amount from payer to payee under this nonce", tx),
		}
	}
	header, err := r.HeaderByNumber(ctx, m.Block)
	if err != nil {
		return Receipt{}, fmt.Errorf("read block of %s: %w", tx, err)
	}
	if header.Hash != m.BlockHash {
		return Receipt{}, &abi.Error{
			Code: "receipt_pending", Message: fmt.Sprintf("the block of transaction %s was undone", tx),
			Retry: abi.RetryLater,
		}
	}
	return Receipt{
		Network: r.config.Network, TxHash: tx, Block: m.Block, BlockHash: m.BlockHash, BlockTime: header.TimeUnixS,
		GasUsed: m.GasUsed, FeeWei: m.FeeWei, Payer: want.Payer, Payee: want.Payee, Asset: want.Asset, Amount: want.Amount,
		Nonce: want.Nonce,
	}, nil
}

// Moved reports whether the transaction succeeded and its logs show the transfer.
func (m Mined) Moved(token Address, want Transfer) bool { return m.Succeeded && m.moved(token, want) }

// moved looks for the use of the nonce and the transfer that belongs to it. In a
// transaction that settles several authorizations the transfer must be the token's
// next log, else one transfer could stand for two equal payments. Alone, it may be
// anywhere: not every token logs in that order.
func (m Mined) moved(token Address, want Transfer) bool {
	uses, here, transfers := 0, -1, []int(nil)
	var own []logEntry
	for _, l := range m.logs {
		if l.Address == token && !l.Removed {
			own = append(own, l)
		}
	}
	for i, l := range own {
		if l.is(topicAuthorizationUsed, Hash(addressWord(want.Payer)), want.Nonce) {
			here = i
		}
		if len(l.Topics) > 0 && l.Topics[0].String() == topicAuthorizationUsed {
			uses++
		}
		if l.transfers(want) {
			transfers = append(transfers, i)
		}
	}
	if here < 0 || len(transfers) == 0 {
		return false
	}
	if uses == 1 {
		return true
	}
	for _, i := range transfers {
		if i == here+1 {
			return true
		}
	}
	return false
}

func (l logEntry) is(topics ...any) bool {
	if len(l.Topics) != len(topics) || len(l.Topics) > topicsMax {
		return false
	}
	for i, want := range topics {
		switch w := want.(type) {
		case string:
			if l.Topics[i].String() != w {
				return false
			}
		case Hash:
			if l.Topics[i] != w {
				return false
			}
		default:
			return false
		}
	}
	return true
}

func (l logEntry) transfers(want Transfer) bool {
	if !l.is(topicTransfer, Hash(addressWord(want.Payer)), Hash(addressWord(want.Payee))) || len(l.Data) > logBytesMax {
		return false
	}
	data, err := dataOf(l.Data)
	return err == nil && len(data) == wordBytes && abi.AmountFromWord([32]byte(data)) == want.Amount
}
