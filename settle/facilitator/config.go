// Package facilitator settles x402 payments of scheme "exact" on one EVM chain: it
// checks a signed EIP-3009 authorization, pays the gas to submit it and says what
// became of it (/verify, /settle, /supported of the x402 facilitator API, version 2).
// It refuses to hold anybody's money: its key pays gas only, and an authorization
// names its payee itself.
//
// One process may use a relayer key on a chain. Two would hand out the same
// transaction nonces, which delays settlements but cannot pay twice: the token takes
// each authorization once.
package facilitator

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
)

const (
	gasMaxDefault         = 200_000
	gasMaxLimit           = 5_000_000
	feeCapWeiDefault      = 500_000_000_000 // 500 gwei
	confirmTimeoutDefault = 30 * time.Second
	pollIntervalDefault   = 250 * time.Millisecond
	requestsMaxDefault    = 256
	assetsMax             = 64
)

// Config describes a facilitator for one chain.
type Config struct {
	// RPC is the chain. Required. The facilitator does not close it.
	RPC *evm.RPC
	// Assets are the tokens it settles, all on RPC's network. At least one.
	Assets []abi.Asset
	// Key is the relayer's: an account that holds coins for gas and nothing else. Required.
	Key Key
	// Journal remembers across crashes. Required. The facilitator does not close it.
	Journal Journal
	// Now is the wall clock. Default time.Now.
	Now func() time.Time
	// Logger hears of failures nobody is waiting for. Default slog.Default().
	Logger *slog.Logger
	// GasMax is the gas limit of a settlement. Default 200,000.
	GasMax uint64
	// FeeCapWei is the most it offers per gas, in wei. Default 500 gwei.
	FeeCapWei abi.Amount
	// ConfirmTimeout is how long /settle waits for the block before it answers
	// settlement_pending. Default 30 s; callers give up after about 90 s.
	ConfirmTimeout time.Duration
	// PollInterval is how often the chain is asked while settlements are open. Default 250 ms.
	PollInterval time.Duration
	// RequestsMax bounds the requests served at a time; more are told to come back. Default 256.
	RequestsMax int
}

func (c Config) validated() (Config, error) {
	if c.RPC == nil || c.Journal == nil || c.Key.empty() {
		return Config{}, configFault("RPC, Journal or Key", "is missing")
	}
	if len(c.Assets) == 0 || len(c.Assets) > assetsMax {
		return Config{}, configFault("Assets", fmt.Sprintf("has %d entries, want 1 to %d", len(c.Assets), assetsMax))
	}
	for i, asset := range c.Assets {
		canonical, err := abi.ParseAsset(string(asset))
		if err != nil || canonical != asset || asset.Network() != c.RPC.Network() {
			return Config{}, configFault(fmt.Sprintf("Assets[%d]", i), fmt.Sprintf("%.180q is not a canonical token id on %s", asset, c.RPC.Network()))
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.GasMax == 0 {
		c.GasMax = gasMaxDefault
	}
	if c.FeeCapWei.IsZero() {
		c.FeeCapWei = abi.NewAmount(feeCapWeiDefault)
	}
	if c.ConfirmTimeout == 0 {
		c.ConfirmTimeout = confirmTimeoutDefault
	}
	if c.PollInterval == 0 {
		c.PollInterval = pollIntervalDefault
	}
	if c.RequestsMax == 0 {
		c.RequestsMax = requestsMaxDefault
	}
	if c.GasMax > gasMaxLimit || c.ConfirmTimeout < 0 || c.PollInterval < 0 || c.RequestsMax < 0 {
		return Config{}, configFault("GasMax, ConfirmTimeout, PollInterval or RequestsMax", "is negative or too large")
	}
	if _, err := c.FeeCapWei.Mul(c.GasMax); err != nil {
		return Config{}, configFault("FeeCapWei", "is too large")
	}
	return c, nil
}

func configFault(where, what string) error {
	return &abi.Error{Code: "facilitator_config_invalid", Message: where + " " + what, Where: where}
}
