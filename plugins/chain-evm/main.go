// Command chain-evm is purser's chain adapter for EVM networks: x402 scheme "exact" by EIP-3009
// (transferWithAuthorization of USDC-like tokens). It refuses every other scheme and transfer method, and every
// payer whose signature a token would not check with ecrecover: contract wallets and EIP-7702 delegations.
//
// It is a guest: it holds no key, opens no connection, reads no clock, and nothing it says is trusted. The host
// decodes the preimage natively, compares it with the intent, and hashes it.
package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
	"github.com/purserhq/purser/sdk/go/config"
)

const (
	quorumDefault = 1
	quorumMax     = 9

	// gasMaxDefault fits a transfer to a new holder through a proxy token (about 85,000) twice over.
	gasMaxDefault = 200_000
	gasMaxLowest  = 60_000
	gasMaxHighest = 2_000_000
)

// settings are set once by configure, before any call.
var settings = struct{ quorum, gasMax uint64 }{quorumDefault, gasMaxDefault}

func init() {
	chain.Register(chain.Adapter{
		Configure: configure,
		Describe:  describe,
		Needs:     needs,
		Build:     build,
		Assemble:  assemble,
		Verify:    verify,
		Plan:      plan,
		Facts:     facts,
	})
}

func main() {}

func configure(c *config.Config) {
	settings.quorum = within(c, "/quorum", quorumDefault, 1, quorumMax)
	settings.gasMax = within(c, "/gas_max", gasMaxDefault, gasMaxLowest, gasMaxHighest)
}

func within(c *config.Config, pointer string, absent, lowest, highest uint64) uint64 {
	if !c.Has(pointer) {
		return absent
	}
	n := c.Uint(pointer)
	if n < lowest || n > highest {
		c.Problem(pointer, "must be from "+decimal(lowest)+" to "+decimal(highest))
	}
	return n
}

func decimal(n uint64) string { return abi.NewAmount(n).String() }

func describe() *abi.DescribeResult {
	return &abi.DescribeResult{
		Networks:     []string{"eip155:*"},
		Schemes:      []string{schemeExact},
		SigningKinds: []string{kindEIP712},
		Curves:       []string{curveSecp256k1},
		RPCMethods:   []string{methodCall, methodCode},
		Finality: "final when the authorization is used in the state of the block tagged finalized; " +
			"dead when it is unused there and that block is not before validBefore",
	}
}
