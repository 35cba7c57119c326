//go:build !nodevchain

package devchain

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"

	"github.com/purserhq/purser/abi"
)

const (
	faucetGasMax      = 200_000
	faucetPollDelay   = 5 * time.Millisecond
	faucetFeeCapWei   = 1_000_000_000_000
	faucetTipWei      = 1
	faucetWaitDefault = 30 * time.Second
)

// faucet sends from the account that owns the test USDC.
type faucet struct {
	backend *eth.Ethereum
	key     *ecdsa.PrivateKey
	address common.Address
	signer  types.Signer
	limits  FaucetLimits
	now     func() time.Time

	// mu makes reading the account's nonce and adding the transaction one step.
	mu sync.Mutex
	// calls holds the times of the calls of the last minute, oldest first.
	calls []time.Time
}

func newFaucet(backend *eth.Ethereum, k *ecdsa.PrivateKey, c Config) *faucet {
	return &faucet{
		backend: backend, key: k, address: crypto.PubkeyToAddress(k.PublicKey), now: c.Now, limits: c.Faucet,
		signer: types.LatestSignerForChainID(new(big.Int).SetUint64(c.ChainID)),
	}
}

// Fund sends tokens (smallest units of the test USDC) and wei to address and waits
// until both are in a block. A zero amount sends nothing of that kind. Codes:
// address_invalid, faucet_limit, faucet_busy (rate limit), faucet_failed.
func (c *Chain) Fund(ctx context.Context, address string, tokens, wei abi.Amount) (Funded, error) {
	to, err := parseAddress(address)
	if err != nil {
		return Funded{}, err
	}
	if err := c.faucet.admit(tokens, wei); err != nil {
		return Funded{}, err
	}
	var funded Funded
	var sent []common.Hash
	if !tokens.IsZero() {
		hash, err := c.faucet.send(common.HexToAddress(TokenAddress), nil, callData("a9059cbb", addressWord(to), tokens.Word()))
		if err != nil {
			return Funded{}, err
		}
		funded.TokenTx, sent = hash.Hex(), append(sent, hash)
	}
	if !wei.IsZero() {
		hash, err := c.faucet.send(to, new(big.Int).SetBytes(wei.Bytes()), nil)
		if err != nil {
			return Funded{}, err
		}
		funded.WeiTx, sent = hash.Hex(), append(sent, hash)
	}
	for _, hash := range sent {
		if funded.Block, err = c.faucet.wait(ctx, hash); err != nil {
			return funded, err
		}
	}
	return funded, nil
}

// SetPaused pauses the test USDC or lets it go on, for fault tests.
func (c *Chain) SetPaused(ctx context.Context, paused bool) error {
	selector := "3f4ba83a" // unpause()
	if paused {
		selector = "8456cb59" // pause()
	}
	return c.administer(ctx, callData(selector))
}

// SetBlacklisted bars an account from the test USDC or admits it again.
func (c *Chain) SetBlacklisted(ctx context.Context, address string, barred bool) error {
	account, err := parseAddress(address)
	if err != nil {
		return err
	}
	selector := "1a895266" // unBlacklist(address)
	if barred {
		selector = "f9f92be4" // blacklist(address)
	}
	return c.administer(ctx, callData(selector, addressWord(account)))
}

func (c *Chain) administer(ctx context.Context, data []byte) error {
	hash, err := c.faucet.send(common.HexToAddress(TokenAddress), nil, data)
	if err != nil {
		return err
	}
	_, err = c.faucet.wait(ctx, hash)
	return err
}

// admit applies the limits. It counts refused calls too: they cost as much to check.
func (f *faucet) admit(tokens, wei abi.Amount) error {
	if tokens.Cmp(f.limits.TokensPerCallMax) > 0 || wei.Cmp(f.limits.WeiPerCallMax) > 0 {
		return &abi.Error{Code: "faucet_limit", Message: fmt.Sprintf("one call gives at most %s token units and %s wei",
			f.limits.TokensPerCallMax, f.limits.WeiPerCallMax), Fix: "ask for less, or call again"}
	}
	if tokens.IsZero() && wei.IsZero() {
		return &abi.Error{Code: "faucet_limit", Message: "nothing was asked for", Fix: "ask for tokens or wei"}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for len(f.calls) > 0 && now.Sub(f.calls[0]) >= time.Minute {
		f.calls = f.calls[1:]
	}
	if len(f.calls) >= f.limits.CallsPerMinuteMax {
		return &abi.Error{
			Code: "faucet_busy", Message: fmt.Sprintf("more than %d faucet calls in a minute", f.limits.CallsPerMinuteMax),
			Fix: "wait a minute", Retry: abi.RetryLater,
		}
	}
	f.calls = append(f.calls, now)
	return nil
}

func (f *faucet) send(to common.Address, wei *big.Int, data []byte) (common.Hash, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	tx, err := types.SignNewTx(f.key, f.signer, &types.DynamicFeeTx{
		ChainID: f.signer.ChainID(), Nonce: f.backend.TxPool().PoolNonce(f.address), To: &to, Value: wei, Data: data,
		Gas: faucetGasMax, GasFeeCap: big.NewInt(faucetFeeCapWei), GasTipCap: big.NewInt(faucetTipWei),
	})
	if err != nil {
		return common.Hash{}, fmt.Errorf("sign faucet transaction: %w", err)
	}
	if err := f.backend.TxPool().Add([]*types.Transaction{tx}, true)[0]; err != nil {
		return common.Hash{}, &abi.Error{
			Code: "faucet_failed", Message: "the pool refused the faucet's transaction",
			Retry: abi.RetryLater, Cause: err,
		}
	}
	return tx.Hash(), nil
}

// wait returns the block of a transaction once it is in one and has not reverted.
func (f *faucet) wait(ctx context.Context, hash common.Hash) (uint64, error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, faucetWaitDefault)
		defer cancel()
	}
	poll := time.NewTicker(faucetPollDelay)
	defer poll.Stop()
	for {
		if found, tx, blockHash, block, index := f.backend.APIBackend.GetCanonicalTransaction(hash); found {
			receipt, err := f.backend.APIBackend.GetCanonicalReceipt(tx, blockHash, block, index)
			if err != nil {
				return 0, fmt.Errorf("read receipt of faucet transaction %s: %w", hash, err)
			}
			if receipt.Status != types.ReceiptStatusSuccessful {
				return 0, &abi.Error{
					Code: "faucet_failed", Message: fmt.Sprintf("transaction %s reverted", hash),
					Fix: "the token is paused, or the address is blacklisted",
				}
			}
			return block, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for faucet transaction %s: %w", hash, ctx.Err())
		case <-poll.C:
		}
	}
}

func parseAddress(s string) (common.Address, error) {
	if len(s) != 42 || s[:2] != "0x" || !common.IsHexAddress(s) {
		return common.Address{}, &abi.Error{
			Code: "address_invalid", Message: fmt.Sprintf("%.64q is not an address", s),
			Fix: "write 0x and 40 hex digits",
		}
	}
	a := common.HexToAddress(s)
	if a == (common.Address{}) {
		return common.Address{}, &abi.Error{Code: "address_invalid", Message: "the zero address is nobody"}
	}
	return a, nil
}

func addressWord(a common.Address) [32]byte { return common.BytesToHash(a.Bytes()) }

// callData is a four-byte selector and static arguments of 32 bytes each.
func callData(selector string, words ...[32]byte) []byte {
	data := common.Hex2Bytes(selector)
	for _, w := range words {
		data = append(data, w[:]...)
	}
	return data
}

// asPublic reports an error in the one shape a peer may see.
func asPublic(err error) *abi.Error {
	var public *abi.Error
	if errors.As(err, &public) {
		return public
	}
	return &abi.Error{Code: "faucet_failed", Message: "the faucet did not finish", Retry: abi.RetryLater, Cause: err}
}
