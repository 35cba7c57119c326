//go:build !nodevchain

package devchain

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
)

// headKey holds the hash of the block that is, or is about to become, the head.
var headKey = []byte("purser-devchain-head")

// makeHead makes a stored block the head. Its hash goes to disk first, together with
// the block: the database keeps the tail of its log in memory, and once the block is
// the head anybody may read a receipt from it that a killed process would take back.
func makeHead(backend *eth.Ethereum, block *types.Block) error {
	db := backend.ChainDb()
	if err := db.Put(headKey, block.Hash().Bytes()); err != nil {
		return fmt.Errorf("note block %d as the head: %w", block.NumberU64(), err)
	}
	if err := db.SyncKeyValue(); err != nil {
		return fmt.Errorf("sync block %d to disk: %w", block.NumberU64(), err)
	}
	if _, err := backend.BlockChain().SetCanonical(block); err != nil {
		return fmt.Errorf("make block %d the head: %w", block.NumberU64(), err)
	}
	return nil
}

// resumeHead finishes what a killed process had begun.
func resumeHead(backend *eth.Ethereum) error {
	db, chain := backend.ChainDb(), backend.BlockChain()
	noted, err := db.Has(headKey)
	if err != nil {
		return fmt.Errorf("read the noted head: %w", err)
	}
	if !noted {
		return nil // a chain without blocks
	}
	hash, err := db.Get(headKey)
	if err != nil {
		return fmt.Errorf("read the noted head: %w", err)
	}
	block := chain.GetBlockByHash(common.BytesToHash(hash))
	if block == nil {
		return fmt.Errorf("the noted head %x is not stored", hash)
	}
	if chain.CurrentBlock().Hash() == block.Hash() {
		return nil
	}
	if err := makeHead(backend, block); err != nil {
		return err
	}
	// The pool must know before anybody asks it for a nonce: an old one would make the
	// faucet sign the very transaction that is mined already, and believe it done.
	if err := backend.TxPool().Sync(); err != nil {
		return fmt.Errorf("wait for transaction pool: %w", err)
	}
	return nil
}
