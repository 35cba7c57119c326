package pinned

import "slices"

// publicChainIDs lists EIP-155 ids that money or its test twin lives on: every network x402 names, and the large
// public ones beside them. Sorted.
var publicChainIDs = []uint64{
	1,         // Ethereum
	10,        // OP Mainnet
	14,        // Flare
	25,        // Cronos
	50,        // XDC
	51,        // XDC Apothem
	56,        // BNB Smart Chain
	97,        // BNB Smart Chain testnet
	100,       // Gnosis
	130,       // Unichain
	137,       // Polygon
	143,       // Monad
	146,       // Sonic
	196,       // X Layer
	252,       // Fraxtal
	324,       // zkSync Era
	480,       // World Chain
	988,       // Stable
	999,       // HyperEVM
	1284,      // Moonbeam
	1301,      // Unichain Sepolia
	1328,      // Sei testnet
	1329,      // Sei
	1514,      // Story
	2201,      // Stable testnet
	2741,      // Abstract
	3338,      // peaq
	4326,      // MegaETH
	4689,      // IoTeX
	5000,      // Mantle
	8453,      // Base
	10143,     // Monad testnet
	10200,     // Gnosis Chiado
	11124,     // Abstract testnet
	17000,     // Holesky
	31611,     // Mezo testnet
	31612,     // Mezo
	34443,     // Mode
	36900,     // ADI
	38833,     // Igra
	41923,     // EDU Chain
	42161,     // Arbitrum One
	42170,     // Arbitrum Nova
	42220,     // Celo
	43113,     // Avalanche Fuji
	43114,     // Avalanche
	59141,     // Linea Sepolia
	59144,     // Linea
	72344,     // Radius testnet
	80002,     // Polygon Amoy
	80094,     // Berachain
	81457,     // Blast
	84532,     // Base Sepolia
	181228,    // HPP Sepolia
	190415,    // HPP
	421614,    // Arbitrum Sepolia
	534352,    // Scroll
	560048,    // Hoodi
	723487,    // Radius
	7777777,   // Zora
	11142220,  // Celo Sepolia
	11155111,  // Sepolia
	11155420,  // OP Sepolia
	324705682, // SKALE Base Sepolia
}

// PublicChainIDs returns the EIP-155 chain ids that a private development chain may never take, sorted. With a
// public id, and the real token's address, an authorization signed in a demo would move money on the public chain.
func PublicChainIDs() []uint64 { return slices.Clone(publicChainIDs) }

// IsPublicChainID reports whether the chain id is one of PublicChainIDs.
func IsPublicChainID(chainID uint64) bool {
	_, found := slices.BinarySearch(publicChainIDs, chainID)
	return found
}
