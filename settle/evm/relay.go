package evm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

const codeBytesMax = 64 << 10 // above EIP-170's limit for contract code

// SendRaw broadcasts a signed transaction and returns the hash the node says it has.
// An error does not mean that it was not broadcast, unless Classify says so.
func (r *RPC) SendRaw(ctx context.Context, raw []byte) (Hash, error) {
	const method = "eth_sendRawTransaction"
	answer, err := r.call(ctx, method, "0x"+hex.EncodeToString(raw))
	if err != nil {
		return Hash{}, err
	}
	var hash Hash
	if err := json.Unmarshal(answer, &hash); err != nil {
		return Hash{}, badAnswer(method, err)
	}
	return hash, nil
}

// Refusal is why a node would not take a transaction.
type Refusal uint8

const (
	// RefusalUnknown may be anything, even a transaction that was taken.
	RefusalUnknown Refusal = iota
	// RefusalKnown: the node has it already, which is as good as taking it.
	RefusalKnown
	// RefusalNonceUsed: another transaction with this nonce is mined already, or this one is.
	RefusalNonceUsed
	// RefusalUnderpriced: it pays too little, alone or as a replacement.
	RefusalUnderpriced
	// RefusalFunds: the sender cannot pay for the gas.
	RefusalFunds
)

// Classify reads a node's refusal of SendRaw. Nodes have no codes for this, only
// texts; these are geth's, which the other clients copy.
func Classify(err error) Refusal {
	var node *NodeError
	if !errors.As(err, &node) {
		return RefusalUnknown
	}
	message := strings.ToLower(node.Message)
	if strings.HasPrefix(message, "known transaction") { // anywhere else it may be "unknown transaction type"
		return RefusalKnown
	}
	for _, known := range []struct {
		text    string
		refusal Refusal
	}{
		{"already known", RefusalKnown},
		{"already imported", RefusalKnown},
		{"nonce too low", RefusalNonceUsed},
		{"nonce is too low", RefusalNonceUsed},
		{"oldnonce", RefusalNonceUsed},
		{"underpriced", RefusalUnderpriced},
		{"less than block base fee", RefusalUnderpriced},
		{"fee too low", RefusalUnderpriced},
		{"insufficient funds", RefusalFunds},
	} {
		if strings.Contains(message, known.text) {
			return known.refusal
		}
	}
	return RefusalUnknown
}

// TransactionCount is the next nonce of an account: of what is mined at Latest, of
// what is mined or waiting at Pending.
func (r *RPC) TransactionCount(ctx context.Context, account Address, tag Tag) (uint64, error) {
	const method = "eth_getTransactionCount"
	answer, err := r.call(ctx, method, account.String(), string(tag))
	if err != nil {
		return 0, err
	}
	n, err := uint64Of(answer)
	if err != nil {
		return 0, badAnswer(method, err)
	}
	return n, nil
}

// WeiBalance is what an account holds of the chain's own coin.
func (r *RPC) WeiBalance(ctx context.Context, account Address) (abi.Amount, error) {
	const method = "eth_getBalance"
	answer, err := r.call(ctx, method, account.String(), string(Latest))
	if err != nil {
		return abi.Amount{}, err
	}
	wei, err := amountOf(answer)
	if err != nil {
		return abi.Amount{}, badAnswer(method, err)
	}
	return wei, nil
}

// Code returns an account's code, empty for a plain account. 0xef0100 and an address
// is an EIP-7702 delegation, which makes tokens ask ERC-1271 instead of recovering.
func (r *RPC) Code(ctx context.Context, account Address) ([]byte, error) {
	const method = "eth_getCode"
	answer, err := r.call(ctx, method, account.String(), string(Latest))
	if err != nil {
		return nil, err
	}
	code, err := dataOf(answer)
	if err != nil {
		return nil, badAnswer(method, err)
	}
	if len(code) > codeBytesMax {
		return nil, badAnswer(method, fmt.Errorf("%d bytes of code", len(code)))
	}
	return code, nil
}

// SuggestedTipWei is the node's idea of a priority fee per gas.
func (r *RPC) SuggestedTipWei(ctx context.Context) (abi.Amount, error) {
	const method = "eth_maxPriorityFeePerGas"
	answer, err := r.call(ctx, method)
	if err != nil {
		return abi.Amount{}, err
	}
	tip, err := amountOf(answer)
	if err != nil {
		return abi.Amount{}, badAnswer(method, err)
	}
	return tip, nil
}
