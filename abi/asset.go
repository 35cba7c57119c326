package abi

import (
	"fmt"
	"strings"
)

// Network is a CAIP-2 chain id: "eip155:8453".
type Network string

// Asset is a CAIP-19 asset id: "eip155:8453/erc20:0x8335…". The address of an
// eip155 asset is kept in lower case, so that equal assets are equal strings.
type Asset string

const (
	networkBytesMax = 41  // CAIP-2: 8 + 1 + 32
	assetBytesMax   = 179 // CAIP-19 without a token id: 41 + 1 + 8 + 1 + 128
)

// ParseNetwork checks the CAIP-2 form (namespace 3-8 of [-a-z0-9], reference
// 1-32 of [-_a-zA-Z0-9]).
func ParseNetwork(s string) (Network, error) {
	namespace, reference, ok := strings.Cut(s, ":")
	if !ok || len(s) > networkBytesMax ||
		!within(namespace, 3, 8, isLowerDash) || !within(reference, 1, 32, isReference) {
		return "", &Error{
			Code: "network_invalid", Message: fmt.Sprintf("%.60q is not a CAIP-2 chain id", s),
			Fix: `write it like "eip155:8453"`,
		}
	}
	return Network(s), nil
}

// ParseAsset checks the CAIP-19 form without a token id, and for eip155 that
// the reference is a 20-byte hex address. It returns the canonical spelling.
func ParseAsset(s string) (Asset, error) {
	bad := &Error{
		Code: "asset_invalid", Message: fmt.Sprintf("%.180q is not a CAIP-19 asset id", s),
		Fix: `write it like "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"`,
	}
	chain, rest, ok := strings.Cut(s, "/")
	if !ok || len(s) > assetBytesMax {
		return "", bad
	}
	network, err := ParseNetwork(chain)
	if err != nil {
		return "", bad
	}
	namespace, reference, ok := strings.Cut(rest, ":")
	if !ok || !within(namespace, 3, 8, isLowerDash) || !within(reference, 1, 128, isAssetReference) {
		return "", bad
	}
	if strings.HasPrefix(chain, "eip155:") {
		if namespace != "erc20" || !isHexAddress(reference) {
			return "", bad
		}
		reference = strings.ToLower(reference)
	}
	return Asset(string(network) + "/" + namespace + ":" + reference), nil
}

// ERC20 names a token contract on an EVM network.
func ERC20(network Network, contract string) (Asset, error) {
	return ParseAsset(string(network) + "/erc20:" + contract)
}

// Network returns the CAIP-2 part.
func (a Asset) Network() Network {
	network, _, _ := strings.Cut(string(a), "/")
	return Network(network)
}

// Reference returns the part after the asset namespace: for erc20 the contract
// address, lower case with 0x.
func (a Asset) Reference() string {
	_, rest, _ := strings.Cut(string(a), "/")
	_, reference, _ := strings.Cut(rest, ":")
	return reference
}

// EIP155 returns the chain id of an eip155 network; ok is false for others and
// for numbers above 2^63-1.
func (n Network) EIP155() (chainID uint64, ok bool) {
	reference, found := strings.CutPrefix(string(n), "eip155:")
	if !found {
		return 0, false
	}
	amount, err := ParseAmount(reference)
	if err != nil {
		return 0, false
	}
	chainID, ok = amount.Uint64()
	return chainID, ok && chainID > 0 && chainID < 1<<63
}

func within(s string, lengthMin, lengthMax int, allowed func(byte) bool) bool {
	if len(s) < lengthMin || len(s) > lengthMax {
		return false
	}
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool     { return '0' <= c && c <= '9' }
func isLowerDash(c byte) bool { return c == '-' || isDigit(c) || 'a' <= c && c <= 'z' }
func isReference(c byte) bool { return c == '_' || isLowerDash(c) || 'A' <= c && c <= 'Z' }

func isAssetReference(c byte) bool { return c == '.' || c == '%' || c != '_' && isReference(c) }

func isHexAddress(s string) bool {
	return len(s) == 42 && s[:2] == "0x" && within(s[2:], 40, 40, isHex)
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
