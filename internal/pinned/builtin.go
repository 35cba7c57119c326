package pinned

import "strings"

// builtin lists Circle's USDC where x402 names it as a network's default asset with EIP-3009
// (transferWithAuthorization) and 6 decimals. The domain name differs between networks: "USD Coin" or "USDC".
//
// Left out on purpose, for an operator to declare: bridged dollars (their bridge is one more party to trust),
// Tether's USDT0 and Tether USD (another issuer never counts as USDC at par), and everything that only has Permit2.
var builtin = []struct {
	chainID  uint64
	contract string // EIP-55, as published; its checksum is tested
	name     string
}{
	{1, "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USD Coin"},      // Ethereum
	{50, "0xfA2958CB79b0491CC627c1557F441eF849Ca8eb1", "USDC"},         // XDC
	{51, "0xb5AB69F7bBada22B28e79C8FFAECe55eF1c771D4", "USDC"},         // XDC Apothem
	{137, "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359", "USD Coin"},    // Polygon
	{143, "0x754704Bc059F8C67012fEd69BC8A327a5aafb603", "USDC"},        // Monad
	{1328, "0x4fCF1784B31630811181f670Aea7A7bEF803eaED", "USDC"},       // Sei testnet
	{1329, "0xe15fC38F6D8c56aF07bbCBe3BAf5708A2Bf42392", "USDC"},       // Sei
	{8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USD Coin"},   // Base
	{42161, "0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USD Coin"},  // Arbitrum
	{42220, "0xcebA9300f2b948710d2653dD7B07f33A8B32118C", "USDC"},      // Celo
	{43113, "0x5425890298aed601595a70AB815c96711a31Bc65", "USD Coin"},  // Avalanche Fuji
	{43114, "0xB97EF9Ef8734C71904D8002F8b6Bc66Dd9c48a6E", "USD Coin"},  // Avalanche
	{80002, "0x41E94Eb019C0762f9Bfcf9Fb1E58725BfB0e7582", "USDC"},      // Polygon Amoy
	{84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "USDC"},      // Base Sepolia
	{421614, "0x75faf114eafb1BDbe2F0316DF893fd58CE46AA4d", "USD Coin"}, // Arbitrum Sepolia
	{11142220, "0x01C5C0122039549AD1493B8220cABEdD739BC44E", "USDC"},   // Celo Sepolia
}

// Builtin returns the table that is compiled in.
func Builtin() Table {
	var tokens []Token
	for _, row := range builtin {
		tokens = append(tokens, Token{
			Asset: assetOf(row.chainID, strings.ToLower(row.contract)), Symbol: "USDC", Unit: UnitUSDC,
			Decimals: unitUSDCDecimals, Name: row.name, Version: "2",
		})
	}
	table, err := Table{}.With(tokens...)
	if err != nil {
		panic("pinned: the compiled-in table is malformed: " + err.Error()) // a constant; every test would die here
	}
	return table
}
