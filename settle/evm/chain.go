package evm

import (
	"context"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
)

const (
	adapterAnswerBytesMax = 256 << 10
	adapterQueryTimeMax   = 2 * time.Second
)

// Chain is an RPC as the payment spine reads it. It is safe for concurrent use.
type Chain struct {
	rpc *RPC
	// methods are the reads that chain adapters may ask for.
	methods []string
}

var _ settle.Chain = (*Chain)(nil)

// NewChain lets chain adapters ask for the methods named, as far as they only read.
func NewChain(rpc *RPC, methods []string) *Chain { return &Chain{rpc: rpc, methods: methods} }

// Head is the newest block.
func (c *Chain) Head(ctx context.Context) (settle.Head, error) {
	head, err := c.rpc.HeaderAt(ctx, Latest)
	if err != nil {
		return settle.Head{}, err
	}
	return settle.Head{Number: head.Number, Time: time.Unix(int64(head.TimeUnixS), 0).UTC()}, nil //nolint:gosec // bounded by HeaderAt
}

// Fate asks whether the authorization can still be used, and reads the receipt when it was.
func (c *Chain) Fate(ctx context.Context, a settle.Authorization) (settle.Fate, error) {
	payer, err := ParseAddress(a.Payer)
	if err != nil {
		return settle.Fate{}, err
	}
	payee, err := ParseAddress(a.Payee)
	if err != nil {
		return settle.Fate{}, err
	}
	found, err := c.rpc.Liveness(ctx, Authorization{Asset: a.Asset, Payer: payer, Nonce: a.Nonce, ValidBefore: a.ValidBefore, FromBlock: a.FromBlock})
	if err != nil {
		return settle.Fate{}, err
	}
	switch found.Life {
	case LifeDead:
		return settle.Fate{Life: abi.LifeDead}, nil
	case LifeUsed:
	case LifeUnknown, LifeLive:
		return settle.Fate{Life: abi.LifeLive}, nil
	}
	receipt, err := c.rpc.SettlementReceipt(ctx, found.TxHash, Transfer{Asset: a.Asset, Payer: payer, Payee: payee, Amount: a.Amount, Nonce: a.Nonce})
	if err != nil && found.Final {
		// The token's own log proves the use for good. A receipt that nobody can read, such as one a hostile settler
		// filled with ten thousand logs, must not keep the budget open for ever.
		return settle.Fate{Life: abi.LifeUsed, Receipt: &settle.Receipt{
			Network: a.Asset.Network(), Transaction: found.TxHash.String(), Block: found.Block, Amount: a.Amount,
		}}, nil
	}
	if err != nil {
		return settle.Fate{}, fmt.Errorf("read receipt of %s: %w", found.TxHash, err)
	}
	return settle.Fate{Life: abi.LifeUsed, Receipt: &settle.Receipt{
		Network: receipt.Network, Transaction: receipt.TxHash.String(), Block: receipt.Block, BlockHash: receipt.BlockHash.String(),
		BlockTime: time.Unix(int64(receipt.BlockTime), 0).UTC(), //nolint:gosec // bounded by the reader
		GasUsed:   receipt.GasUsed, FeeWei: receipt.FeeWei, Amount: receipt.Amount,
	}}, nil
}

// Query runs one read for a chain adapter.
func (c *Chain) Query(ctx context.Context, method string, params []byte) ([]byte, error) {
	return c.rpc.Query(ctx, QueryLimits{Methods: c.methods, ResponseBytesMax: adapterAnswerBytesMax, Timeout: adapterQueryTimeMax}, method, params)
}
