package pinned

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

const baseUSDC = abi.Asset("eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913")

func declared() Token {
	return Token{
		Asset: "eip155:402402/erc20:0x1111111111111111111111111111111111111111", Symbol: "tUSDC",
		Unit: UnitUSDC, Decimals: 6, Name: "Test USDC", Version: "2",
	}
}

func TestABuiltinTokenIsFoundByAssetAndByContractInAnyCase(t *testing.T) {
	want := Token{Asset: baseUSDC, Symbol: "USDC", Unit: UnitUSDC, Decimals: 6, Name: "USD Coin", Version: "2"}
	byAsset, ok := Builtin().ByAsset(baseUSDC)
	if diff := cmp.Diff(want, byAsset); !ok || diff != "" {
		t.Errorf("by asset: %v %s", ok, diff)
	}
	byContract, ok := Builtin().ByContract(8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
	if diff := cmp.Diff(want, byContract); !ok || diff != "" {
		t.Errorf("by contract: %v %s", ok, diff)
	}
	if want.ChainID() != 8453 || want.Contract() != "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913" {
		t.Errorf("parts: %d %s", want.ChainID(), want.Contract())
	}
}

func TestTheSameContractOnAnotherChainIsUnknown(t *testing.T) {
	if token, ok := Builtin().ByContract(84532, "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"); ok {
		t.Errorf("Base's USDC address was found on Base Sepolia: %+v", token)
	}
}

func TestTheZeroTableKnowsNothing(t *testing.T) {
	if _, ok := (Table{}).ByAsset(baseUSDC); ok || len(Table{}.Tokens()) != 0 {
		t.Error("the zero table holds a token")
	}
}

func TestADeclaredTokenIsAddedToACopy(t *testing.T) {
	before := Builtin()
	after, err := before.With(declared())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := after.ByAsset(declared().Asset); !ok || got != declared() {
		t.Errorf("after: %+v %v", got, ok)
	}
	if _, ok := before.ByAsset(declared().Asset); ok {
		t.Error("With changed the table it was called on")
	}
	if len(after.Tokens()) != len(before.Tokens())+1 {
		t.Errorf("%d tokens after, %d before", len(after.Tokens()), len(before.Tokens()))
	}
}

func TestTokensAreSortedByAsset(t *testing.T) {
	if !slices.IsSortedFunc(Builtin().Tokens(), func(a, b Token) int { return strings.Compare(string(a.Asset), string(b.Asset)) }) {
		t.Error("not sorted")
	}
}

func TestWithRefusesWhatCouldRedirectOrMiscountMoney(t *testing.T) {
	change := func(edit func(*Token)) []Token {
		token := declared()
		edit(&token)
		return []Token{token}
	}
	builtinToken, _ := Builtin().ByAsset(baseUSDC)
	cases := []struct {
		name   string
		tokens []Token
		code   string
	}{
		{"a built-in token with another name", change(func(t *Token) { t.Asset = baseUSDC }), "token_pinned"},
		{"a built-in token as it is", []Token{builtinToken}, "token_pinned"},
		{"the same token twice", []Token{declared(), declared()}, "token_pinned"},
		{"no CAIP-19", change(func(t *Token) { t.Asset = "usdc" }), "asset_invalid"},
		{"upper-case contract", change(func(t *Token) { t.Asset = abi.Asset(strings.Replace(string(t.Asset), "0x1111", "0xABCD", 1)) }), "token_invalid"},
		{"a network without EIP-712", change(func(t *Token) { t.Asset = "solana:abc/token:111" }), "token_invalid"},
		{"chain id zero", change(func(t *Token) { t.Asset = "eip155:0/erc20:0x1111111111111111111111111111111111111111" }), "token_invalid"},
		{"a second spelling of the chain id", change(func(t *Token) { t.Asset = "eip155:0402402/erc20:0x1111111111111111111111111111111111111111" }), "token_invalid"},
		{"chain id of 2^63", change(func(t *Token) {
			t.Asset = "eip155:9223372036854775808/erc20:0x1111111111111111111111111111111111111111"
		}), "token_invalid"},
		{"no name", change(func(t *Token) { t.Name = "" }), "token_invalid"},
		{"no version", change(func(t *Token) { t.Version = "" }), "token_invalid"},
		{"no unit", change(func(t *Token) { t.Unit = "" }), "token_invalid"},
		{"no symbol", change(func(t *Token) { t.Symbol = "" }), "token_invalid"},
		{"a name without end", change(func(t *Token) { t.Name = strings.Repeat("x", 65) }), "token_invalid"},
		{"a dollar of 18 decimals at par", change(func(t *Token) { t.Decimals = 18 }), "token_invalid"},
		{"more decimals than any token has", change(func(t *Token) { t.Unit, t.Decimals = "other", 37 }), "token_invalid"},
		{"too many", make([]Token, 1025), "token_invalid"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table, err := Builtin().With(c.tokens...)
			if abi.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %s", err, c.code)
			}
			if len(table.Tokens()) != 0 {
				t.Error("an error came with a usable table")
			}
		})
	}
}

func TestAnotherUnitMayHaveOtherDecimals(t *testing.T) {
	token := declared()
	token.Unit, token.Decimals = "eurc", 18
	if _, err := Builtin().With(token); err != nil {
		t.Error(err)
	}
}

func TestPublicChainIDsCoverEveryBuiltinTokenAndNoDevelopmentChain(t *testing.T) {
	ids := PublicChainIDs()
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Fatal("the list is not sorted and unique, so the search in it is wrong")
	}
	for _, token := range Builtin().Tokens() {
		if !IsPublicChainID(token.ChainID()) {
			t.Errorf("%s is pinned but its chain id is free for a development chain", token.Asset)
		}
	}
	for _, id := range []uint64{0, 1337, 31337, 402402} {
		if IsPublicChainID(id) {
			t.Errorf("%d is nobody's", id)
		}
	}
	ids[0] = 402402
	if IsPublicChainID(402402) || !IsPublicChainID(1) {
		t.Error("a caller can change the list")
	}
}
