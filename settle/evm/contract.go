package evm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/purserhq/purser/abi"
)

const (
	wordBytes         = 32
	textBytesMax      = 256 // a token's name or version
	revertTextMax     = 256
	errorStringPrefix = "\x08\xc3\x79\xa0" // Error(string)
)

// Function selectors: the first four bytes of keccak256 of the signature, checked in a test.
const (
	selectorBalanceOf          = "70a08231" // balanceOf(address)
	selectorName               = "06fdde03" // name()
	selectorVersion            = "54fd4d50" // version()
	selectorPaused             = "5c975abb" // paused()
	selectorAuthorizationState = "e94a0102" // authorizationState(address,bytes32)
)

// At says as of which block to read.
type At struct {
	tag  Tag
	hash Hash
}

// AtTag reads as of a tagged block, whichever that is when the node answers.
func AtTag(tag Tag) At { return At{tag: tag} }

// AtBlock reads as of one block, and fails when it is not canonical any more
// (EIP-1898): an answer from a block that was undone is worse than none.
func AtBlock(hash Hash) At { return At{hash: hash} }

func (a At) param() any {
	if a.tag != "" {
		return string(a.tag)
	}
	return map[string]any{"blockHash": a.hash.String(), "requireCanonical": true}
}

// CallRequest is a message call that changes nothing.
type CallRequest struct {
	From, To Address
	Data     []byte
	// GasMax bounds the work; zero leaves it to the node.
	GasMax uint64
}

// Call runs eth_call. A revert is code rpc_refused; see Reverted.
func (r *RPC) Call(ctx context.Context, c CallRequest, at At) ([]byte, error) {
	message := map[string]any{"from": c.From.String(), "to": c.To.String(), "data": "0x" + hex.EncodeToString(c.Data)}
	if c.GasMax > 0 {
		message["gas"] = quantity(c.GasMax)
	}
	answer, err := r.call(ctx, "eth_call", message, at.param())
	if err != nil {
		return nil, err
	}
	data, err := dataOf(answer)
	if err != nil {
		return nil, badAnswer("eth_call", err)
	}
	return data, nil
}

// Reverted reports whether err says that the contract refused, and with which
// text. Other refusals of a node (limits, missing state) are not reverts.
func Reverted(err error) (reason string, reverted bool) {
	var node *NodeError
	if !errors.As(err, &node) {
		return "", false
	}
	const codeRevert, codeExecution = 3, -32015 // geth and its descendants; others
	if node.Revert == nil && node.Code != codeRevert && node.Code != codeExecution {
		return "", false
	}
	if text, err := errorString(node.Revert); err == nil {
		return text, true
	}
	return "", true
}

func errorString(data []byte) (string, error) {
	if len(data) < 4 || string(data[:4]) != errorStringPrefix {
		return "", errors.New("not Error(string)")
	}
	return textOf(data[4:], revertTextMax)
}

// TokenBalance reads balanceOf in the asset's smallest unit.
func (r *RPC) TokenBalance(ctx context.Context, asset abi.Asset, account Address, at At) (abi.Amount, error) {
	word, err := r.readWord(ctx, asset, at, selectorBalanceOf, addressWord(account))
	if err != nil {
		return abi.Amount{}, fmt.Errorf("read balance of %s: %w", account, err)
	}
	return abi.AmountFromWord(word), nil
}

// AuthorizationState reads whether an EIP-3009 nonce is used or cancelled. A contract
// without the function is an error, never "unused".
func (r *RPC) AuthorizationState(ctx context.Context, asset abi.Asset, payer Address, nonce Hash, at At) (bool, error) {
	used, err := r.readBool(ctx, asset, at, selectorAuthorizationState, addressWord(payer), nonce)
	if err != nil {
		return false, fmt.Errorf("read authorization state: %w", err)
	}
	return used, nil
}

// TokenPaused reads paused().
func (r *RPC) TokenPaused(ctx context.Context, asset abi.Asset, at At) (bool, error) {
	paused, err := r.readBool(ctx, asset, at, selectorPaused)
	if err != nil {
		return false, fmt.Errorf("read paused: %w", err)
	}
	return paused, nil
}

// TokenName reads name(), the name of the EIP-712 domain of USDC-like tokens.
func (r *RPC) TokenName(ctx context.Context, asset abi.Asset) (string, error) {
	return r.readText(ctx, asset, selectorName)
}

// TokenVersion reads version(), the version of the EIP-712 domain.
func (r *RPC) TokenVersion(ctx context.Context, asset abi.Asset) (string, error) {
	return r.readText(ctx, asset, selectorVersion)
}

// Contract returns the address of an ERC-20 asset of this network; code
// asset_invalid for anything else.
func (r *RPC) Contract(asset abi.Asset) (Address, error) {
	if asset.Network() != r.config.Network {
		return Address{}, &abi.Error{Code: "asset_invalid", Message: fmt.Sprintf("asset %.180q is not on %s", asset, r.config.Network)}
	}
	return ParseAddress(asset.Reference())
}

func (r *RPC) read(ctx context.Context, asset abi.Asset, at At, selector string, words ...[32]byte) ([]byte, error) {
	contract, err := r.Contract(asset)
	if err != nil {
		return nil, err
	}
	data, err := hex.DecodeString(selector)
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", selector, err)
	}
	for _, w := range words {
		data = append(data, w[:]...)
	}
	return r.Call(ctx, CallRequest{To: contract, Data: data}, at)
}

func (r *RPC) readWord(ctx context.Context, asset abi.Asset, at At, selector string, words ...[32]byte) ([32]byte, error) {
	answer, err := r.read(ctx, asset, at, selector, words...)
	if err != nil {
		return [32]byte{}, err
	}
	if len(answer) != wordBytes {
		return [32]byte{}, badAnswer("eth_call", fmt.Errorf("%d bytes, want %d: the contract has no such function", len(answer), wordBytes))
	}
	return [32]byte(answer), nil
}

func (r *RPC) readBool(ctx context.Context, asset abi.Asset, at At, selector string, words ...[32]byte) (bool, error) {
	word, err := r.readWord(ctx, asset, at, selector, words...)
	if err != nil {
		return false, err
	}
	switch n, small := abi.AmountFromWord(word).Uint64(); {
	case small && n == 0:
		return false, nil
	case small && n == 1:
		return true, nil
	default:
		return false, badAnswer("eth_call", errors.New("a boolean that is neither 0 nor 1"))
	}
}

func (r *RPC) readText(ctx context.Context, asset abi.Asset, selector string) (string, error) {
	answer, err := r.read(ctx, asset, AtTag(Latest), selector)
	if err != nil {
		return "", fmt.Errorf("read token text: %w", err)
	}
	text, err := textOf(answer, textBytesMax)
	if err != nil {
		return "", badAnswer("eth_call", err)
	}
	return text, nil
}

// textOf decodes one ABI string: offset 32, length, bytes.
func textOf(data []byte, bytesMax uint64) (string, error) {
	if len(data) < 2*wordBytes {
		return "", errors.New("too short for a string")
	}
	offset, okOffset := abi.AmountFromWord([32]byte(data[:wordBytes])).Uint64()
	length, okLength := abi.AmountFromWord([32]byte(data[wordBytes : 2*wordBytes])).Uint64()
	if !okOffset || offset != wordBytes || !okLength || length > bytesMax || length > uint64(len(data)-2*wordBytes) { //nolint:gosec // not negative: checked above
		return "", errors.New("not one ABI string")
	}
	text := string(data[2*wordBytes : 2*wordBytes+length])
	if !utf8.ValidString(text) {
		return "", errors.New("string is not UTF-8")
	}
	return text, nil
}

func addressWord(a Address) [32]byte {
	var word [32]byte
	copy(word[12:], a[:])
	return word
}
