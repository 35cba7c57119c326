// Package pinned holds the facts about networks and tokens that purser takes from its own binary or its
// operator; it refuses to learn any of them from a merchant, an agent, an adapter or an RPC endpoint.
//
// A payment authorization is only as good as the EIP-712 domain it is signed under. A merchant's `extra` names
// that domain too, and a wrong or hostile one would have the signer authorize a transfer of another token.
package pinned

import (
	"fmt"

	"github.com/purserhq/purser/abi"
)

// UnitUSDC is the unit in which policy limits count US-dollar stablecoins issued by Circle: millionths of a
// dollar, at par. A token counts in it only when its smallest unit is a millionth too.
const UnitUSDC = "usdc"

const (
	unitUSDCDecimals  = 6
	tokenTextBytesMax = 64 // symbol, unit, domain name and version
	tokenDecimalsMax  = 36
)

// Token is what purser knows of one EIP-3009 token. Tokens are values; a Table hands out copies.
type Token struct {
	// Asset is the CAIP-19 id with the contract in lower case.
	Asset abi.Asset
	// Symbol is for people and never compared.
	Symbol string
	// Unit is what policy limits count this token in. Several tokens may share a unit; they then count at par.
	Unit string
	// Decimals turns smallest units into whole ones for people.
	Decimals uint8
	// Name and Version are the token's EIP-712 domain fields, byte for byte as its DOMAIN_SEPARATOR hashes them.
	Name, Version string
}

// ChainID returns the EIP-155 chain id. It is zero only for a Token that no Table holds.
func (t Token) ChainID() uint64 {
	id, ok := t.Asset.Network().EIP155()
	if !ok {
		return 0
	}
	return id
}

// Contract returns the token contract's address, lower case with 0x.
func (t Token) Contract() string { return t.Asset.Reference() }

// check refuses a token that could not be signed for, or would be counted wrongly.
func (t Token) check() error {
	asset, err := abi.ParseAsset(string(t.Asset))
	if err != nil {
		return err
	}
	if asset != t.Asset {
		return tokenError(t.Asset, fmt.Sprintf("the asset is not in its canonical spelling, %s", asset))
	}
	if chainID := t.ChainID(); chainID == 0 || t.Asset != assetOf(chainID, t.Contract()) {
		return tokenError(t.Asset, "the network is not eip155 with a chain id below 2^63")
	}
	for _, field := range []struct{ name, text string }{
		{"symbol", t.Symbol}, {"unit", t.Unit}, {"name", t.Name}, {"version", t.Version},
	} {
		if field.text == "" || len(field.text) > tokenTextBytesMax {
			return tokenError(t.Asset, fmt.Sprintf("%s has %d bytes, want 1 to %d", field.name, len(field.text), tokenTextBytesMax))
		}
	}
	if t.Decimals > tokenDecimalsMax {
		return tokenError(t.Asset, fmt.Sprintf("%d decimals, want at most %d", t.Decimals, tokenDecimalsMax))
	}
	// At par means smallest unit for smallest unit: an 18-decimal dollar would spend a budget 10^12 times too
	// fast, and a 2-decimal one 10^4 times too slowly.
	if t.Unit == UnitUSDC && t.Decimals != unitUSDCDecimals {
		return tokenError(t.Asset, fmt.Sprintf("unit %s needs %d decimals, not %d", UnitUSDC, unitUSDCDecimals, t.Decimals))
	}
	return nil
}

func tokenError(asset abi.Asset, message string) *abi.Error {
	return &abi.Error{
		Code: "token_invalid", Message: message, Where: fmt.Sprintf("%.180q", string(asset)),
		Fix: "declare the token with its CAIP-19 asset in lower case, symbol, unit, decimals, and the name() and version() of its contract",
	}
}
