// Package evm is purser's door to an EVM chain: bounded JSON-RPC reads, receipts
// of EIP-3009 transfers and the question whether an authorization can still be
// used. It refuses to sign anything and to believe anything a node says without
// checking its shape; what a node says about the chain is believed only as far as
// the operator trusts that one node.
package evm
