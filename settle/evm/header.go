package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const timeUnixSMax = 1<<53 - 1 // seconds; callers convert to signed time

// Tag names a block by how certain it is.
type Tag string

const (
	// Latest is the newest block the node has.
	Latest Tag = "latest"
	// Safe is a block that will not be undone unless validators misbehave.
	Safe Tag = "safe"
	// Finalized is a block that cannot be undone.
	Finalized Tag = "finalized"
	// Pending is Latest plus what waits to be mined.
	Pending Tag = "pending"
)

// Header is the part of a block header that payments need.
type Header struct {
	Number     uint64
	Hash       Hash
	ParentHash Hash
	// TimeUnixS is the chain's own clock, the one token contracts compare with.
	TimeUnixS uint64
	// BaseFeeWei is per gas.
	BaseFeeWei abi.Amount
}

type headerWire struct {
	Number     json.RawMessage `json:"number"`
	Hash       Hash            `json:"hash"`
	ParentHash Hash            `json:"parentHash"`
	Time       json.RawMessage `json:"timestamp"`
	BaseFee    json.RawMessage `json:"baseFeePerGas"`
}

// HeaderAt returns the header of a tagged block.
func (r *RPC) HeaderAt(ctx context.Context, tag Tag) (Header, error) {
	return r.header(ctx, string(tag))
}

// HeaderByNumber returns the canonical header of a height; code not_found when the
// chain is not that long.
func (r *RPC) HeaderByNumber(ctx context.Context, number uint64) (Header, error) {
	h, err := r.header(ctx, quantity(number))
	if err == nil && h.Number != number {
		return Header{}, badAnswer("eth_getBlockByNumber", fmt.Errorf("block %d instead of %d", h.Number, number))
	}
	return h, err
}

func (r *RPC) header(ctx context.Context, at string) (Header, error) {
	const method = "eth_getBlockByNumber"
	answer, err := r.call(ctx, method, at, false)
	if err != nil {
		return Header{}, err
	}
	if isNull(answer) {
		return Header{}, &abi.Error{Code: "not_found", Message: "the chain has no block " + at, Retry: abi.RetryLater}
	}
	var wire headerWire
	if err := json.Unmarshal(answer, &wire); err != nil {
		return Header{}, badAnswer(method, err)
	}
	h := Header{Hash: wire.Hash, ParentHash: wire.ParentHash}
	var errs [3]error
	h.Number, errs[0] = uint64Of(wire.Number)
	h.TimeUnixS, errs[1] = uint64Of(wire.Time)
	if !isNull(wire.BaseFee) { // chains before EIP-1559 have none
		h.BaseFeeWei, errs[2] = amountOf(wire.BaseFee)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return Header{}, badAnswer(method, err)
	}
	if h.Hash == (Hash{}) || h.TimeUnixS > timeUnixSMax {
		return Header{}, badAnswer(method, errors.New("no hash, or a time that is no date"))
	}
	return h, nil
}
