//go:build !nodevchain

package devchain

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/node"

	"github.com/purserhq/purser/abi"
)

const advanceMax = 10 * 365 * 24 * time.Hour

// Chain is a running chain. Its methods may be called concurrently.
type Chain struct {
	config  Config
	stack   *node.Node
	backend *eth.Ethereum
	sealer  *sealer
	faucet  *faucet
	relayer Account

	closing  sync.Once
	closeErr error
}

// Open starts a chain, or resumes the one in cfg.DataDir. Codes:
// devchain_public_chain_id, devchain_not_loopback, devchain_config_invalid,
// devchain_data_mismatch, devchain_data_in_use. The context bounds the start only.
func Open(ctx context.Context, cfg Config) (*Chain, error) {
	cfg, err := cfg.validated()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open devchain: %w", err)
	}
	faucetKey, err := key(faucetKeySeed)
	if err != nil {
		return nil, err
	}
	relayerKey, err := key(relayerKeySeed)
	if err != nil {
		return nil, err
	}
	m, err := openManifest(cfg.DataDir, manifest{
		Version: manifestVersion, ChainID: cfg.ChainID,
		GenesisTimeUnixS: saturatingSub(unixSeconds(cfg.Now()), lagSecondsMax),
	})
	if err != nil {
		return nil, err
	}
	block0, err := genesis(m.ChainID, m.GenesisTimeUnixS, crypto.PubkeyToAddress(faucetKey.PublicKey),
		crypto.PubkeyToAddress(relayerKey.PublicKey))
	if err != nil {
		return nil, err
	}
	stack, backend, err := openNode(cfg, block0)
	if err != nil {
		return nil, err
	}
	c := &Chain{config: cfg, stack: stack, backend: backend, relayer: account(relayerKey)}
	c.faucet = newFaucet(backend, faucetKey, cfg)
	registerFaucet(stack, c)
	if err := stack.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start devchain node: %w", err), stack.Close())
	}
	if c.sealer, err = newSealer(backend, cfg); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	c.sealer.start()
	return c, nil
}

// Close stops the chain and waits until everything is on disk. Further calls
// return the same result.
func (c *Chain) Close() error {
	c.closing.Do(func() {
		c.sealer.stop()
		if err := c.stack.Close(); err != nil {
			c.closeErr = fmt.Errorf("close devchain: %w", err)
		}
	})
	return c.closeErr
}

// RPCURL is the JSON-RPC endpoint, such as "http://127.0.0.1:40123".
func (c *Chain) RPCURL() string { return c.stack.HTTPEndpoint() }

// WSURL is the same endpoint over WebSocket.
func (c *Chain) WSURL() string { return "ws" + strings.TrimPrefix(c.stack.HTTPEndpoint(), "http") }

// Network is the CAIP-2 id of the chain.
func (c *Chain) Network() abi.Network { return abi.Network(fmt.Sprintf("eip155:%d", c.config.ChainID)) }

// Token is the CAIP-19 id of the test USDC, which has 6 decimals and the EIP-712
// domain name "USDC", version "2".
func (c *Chain) Token() abi.Asset { return abi.Asset(string(c.Network()) + "/erc20:" + TokenAddress) }

// Relayer is the published account that holds gas from block 0, for a facilitator
// in a demonstration.
func (c *Chain) Relayer() Account { return c.relayer }

// Faucet is the published account that owns the test USDC and all of its supply.
func (c *Chain) Faucet() Account { return account(c.faucet.key) }

// Head is the number and the timestamp, in Unix seconds, of the newest block.
func (c *Chain) Head() (number, timeUnixS uint64) {
	head := c.backend.BlockChain().CurrentBlock()
	return head.Number.Uint64(), head.Time
}

// AdvanceTime seals a block d after the head, in whole seconds, and moves the
// chain's clock by d, for tests of expiry. A chain that has travelled is ahead of
// the wall clock for good.
func (c *Chain) AdvanceTime(ctx context.Context, d time.Duration) error {
	if d < time.Second || d > advanceMax || d%time.Second != 0 {
		return invalid("d", "%s is not whole seconds from 1s to %s", d, advanceMax)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("advance devchain time: %w", err)
	}
	if err := c.sealer.advance(d); err != nil {
		return fmt.Errorf("advance devchain time: %w", err)
	}
	return nil
}

// Commit seals one block at once, even an empty one.
func (c *Chain) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit devchain block: %w", err)
	}
	if err := c.sealer.commit(); err != nil {
		return fmt.Errorf("commit devchain block: %w", err)
	}
	return nil
}

// Fork makes block number the head again, as a reorganisation does. The blocks above
// it and their transactions are gone until somebody sends them again. Blocks at or
// below the finalized one cannot be undone: see Config.FinalityLagBlocks.
func (c *Chain) Fork(ctx context.Context, number uint64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fork devchain at block %d: %w", number, err)
	}
	if err := c.sealer.rewind(number); err != nil {
		return fmt.Errorf("fork devchain at block %d: %w", number, err)
	}
	return nil
}

func account(k *ecdsa.PrivateKey) Account {
	return Account{
		Address:       strings.ToLower(crypto.PubkeyToAddress(k.PublicKey).Hex()),
		PrivateKeyHex: hexutil.Encode(crypto.FromECDSA(k)),
	}
}
