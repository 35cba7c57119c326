package pinned_test

import (
	"encoding/hex"
	"testing"

	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/internal/preimage"
)

// onChain holds what each token's DOMAIN_SEPARATOR() returned on the public chain. Only the right pair of name and
// version rebuilds it, so a wrong row of the table cannot pass. The tokens that are missing here are XDC and its
// testnet, Sei's testnet and Celo Sepolia.
var onChain = map[uint64]string{
	1:      "06c37168a7db5138defc7866392bb87a741f9b3d104deb5094588ce041cae335",
	137:    "caa2ce1a5703ccbe253a34eb3166df60a705c561b44b192061e28f2a985be2ca",
	143:    "fe22123edc0dd4aeb912eb7948c5f0e531592c2053b3067612f427db342c93c6",
	1329:   "0a19136106ae98d2c245cbbd451f3cb2bbbb1670e1ee191abacb5a5e255c0255",
	8453:   "02fa7265e7c5d81118673727957699e4d68f74cd74b7db77da710fe8a2c7834f",
	42161:  "08d11903f8419e68b1b8721bcbe2e9fc68569122a77ef18c216f10b3b5112c78",
	42220:  "b2ce31d2838445fa765a491f550e7c78ac7280ab0f3bc9d6063a86df9c3fb578",
	43114:  "bbea200329a938bc3438984a49cb0732e66d66d7bd59c127abacc1710e77f7b3",
	80002:  "5cddc98319864e897e4469bd1d13c2288c677047b54b8cca12bd342adb6be9eb",
	43113:  "fe9fa105a0e9629446730e544caa6b8d05d8d4fc93451750dc50e2ddd6d374b3",
	421614: "85944e1292d007732838d6eadfa67589b78ffcededbd4df60488d0af251308bb",
	84532:  "71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818",
}

func TestPinnedDomainsRebuildTheSeparatorsOfTheRealContracts(t *testing.T) {
	found := 0
	for _, token := range pinned.Builtin().Tokens() {
		want, known := onChain[token.ChainID()]
		if !known {
			continue
		}
		found++
		domain := preimage.Transfer{Token: token}.Encode()[:160]
		if got := preimage.Keccak256(domain); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s: separator %x, the contract says %s", token.Asset, got, want)
		}
	}
	if found != len(onChain) {
		t.Errorf("%d of %d known tokens are pinned", found, len(onChain))
	}
}

// A mistyped digit in an address fails its EIP-55 checksum with probability 99.98 %.
func TestEveryPinnedContractHasAValidChecksum(t *testing.T) {
	for _, contract := range pinned.BuiltinSpellings() {
		if got := preimage.Checksum(contract); got != contract {
			t.Errorf("%s should read %s", contract, got)
		}
	}
}
