//go:build !nodevchain

package devchain

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/purserhq/purser/abi"
)

const (
	rpcBodyBytesMax     = 1 << 20
	rpcBatchCallsMax    = 100
	rpcBatchAnswerBytes = 4 << 20
	databaseCacheMiB    = 16
	databaseHandlesMax  = 128
	trieCacheMiB        = 16
)

// rpcModules are the namespaces served. admin, debug, miner and txpool stay inside.
var rpcModules = []string{"eth", "net", "web3", faucetNamespace}

// openNode assembles the node without starting it.
func openNode(cfg Config, block0 *core.Genesis) (*node.Node, *eth.Ethereum, error) {
	host, port, err := cfg.endpoint()
	if err != nil {
		return nil, nil, err
	}
	stack, err := node.New(&node.Config{
		Name: "purser-devchain", DataDir: cfg.DataDir,
		P2P:      p2p.Config{NoDiscovery: true, NoDial: true},
		HTTPHost: host, HTTPPort: port, HTTPModules: rpcModules,
		HTTPVirtualHosts: []string{"localhost"}, // else any web page could reach us by DNS rebinding
		HTTPTimeouts:     rpc.DefaultHTTPTimeouts,
		WSHost:           host, WSPort: port, WSModules: rpcModules,
		WSOrigins:         []string{"https://no-browser.invalid"}, // the empty list would admit pages on localhost
		HTTPBodyLimit:     rpcBodyBytesMax,
		BatchRequestLimit: rpcBatchCallsMax, BatchResponseMaxSize: rpcBatchAnswerBytes,
	})
	if err != nil {
		return nil, nil, openFailure(cfg, err)
	}
	backend, err := eth.New(stack, ethConfig(block0))
	if err != nil {
		return nil, nil, errors.Join(openFailure(cfg, err), stack.Close())
	}
	stack.RegisterAPIs([]rpc.API{{
		Namespace: "eth",
		Service:   filters.NewFilterAPI(filters.NewFilterSystem(backend.APIBackend, filters.Config{})),
	}})
	return stack, backend, nil
}

func ethConfig(block0 *core.Genesis) *ethconfig.Config {
	c := ethconfig.Defaults
	c.Genesis = block0
	c.SyncMode = ethconfig.FullSync
	// Every state of every block goes to disk with its block. The default keeps the last
	// 128 in memory, so that a killed process would come back with payments undone.
	c.StateScheme, c.NoPruning, c.SnapshotCache = rawdb.HashScheme, true, 0
	c.DatabaseCache, c.DatabaseHandles = databaseCacheMiB, databaseHandlesMax
	c.TrieCleanCache, c.TrieDirtyCache = trieCacheMiB, trieCacheMiB
	c.LogNoHistory = true // no log index: searches read the few blocks there are
	c.TxPool.NoLocals = true
	c.TxPool.Journal = ""
	c.TxPool.PriceLimit = 1
	c.Miner.GasCeil = blockGasMax
	c.Miner.GasPrice = big.NewInt(1)
	c.GPO.IgnorePrice = big.NewInt(1) // else tips of a few wei do not count and estimates come out in gwei
	return &c
}

func openFailure(cfg Config, err error) error {
	if errors.Is(err, node.ErrDatadirUsed) {
		return &abi.Error{
			Code: "devchain_data_in_use", Message: "another process has this devchain folder open",
			Where: cfg.DataDir, Fix: "stop it, or use another folder", Retry: abi.RetryLater, Cause: err,
		}
	}
	if genesis := new(core.GenesisMismatchError); errors.As(err, &genesis) {
		return &abi.Error{
			Code: "devchain_data_mismatch", Message: "the devchain folder was made by another version of this program",
			Where: cfg.DataDir, Fix: "use another folder, or delete this one: it holds test money only", Cause: err,
		}
	}
	return fmt.Errorf("open devchain node: %w", err)
}
