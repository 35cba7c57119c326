package pinned

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
)

// tableTokensMax bounds a Table, so that an operator's file cannot grow without limit.
const tableTokensMax = 1024

// Table is a set of pinned tokens, one per asset. It never changes after it is made, so it may be copied and
// read by many goroutines. The zero Table knows no token, and a signer with it signs nothing.
type Table struct {
	tokens map[abi.Asset]Token
}

// ByAsset returns the token of a CAIP-19 asset in its canonical spelling.
func (t Table) ByAsset(asset abi.Asset) (Token, bool) {
	token, ok := t.tokens[asset]
	return token, ok
}

// ByContract returns the token at a contract address (0x and 40 hex digits in any case) of an EIP-155 chain:
// the lookup by what an EIP-712 domain holds.
func (t Table) ByContract(chainID uint64, contract string) (Token, bool) {
	return t.ByAsset(assetOf(chainID, strings.ToLower(contract)))
}

func assetOf(chainID uint64, contract string) abi.Asset {
	return abi.Asset("eip155:" + strconv.FormatUint(chainID, 10) + "/erc20:" + contract)
}

// Tokens returns all tokens, sorted by asset.
func (t Table) Tokens() []Token {
	return slices.SortedFunc(maps.Values(t.tokens), func(a, b Token) int { return cmp.Compare(a.Asset, b.Asset) })
}

// With returns a table that also holds the operator's tokens; t stays as it is. It refuses, with code
// token_invalid, a token that is malformed, and with code token_pinned one whose asset the table already holds,
// even with equal facts: a file that may redefine the domain of a built-in token may redirect money.
func (t Table) With(extra ...Token) (Table, error) {
	if total := len(t.tokens) + len(extra); total > tableTokensMax {
		return Table{}, &abi.Error{Code: "token_invalid", Message: fmt.Sprintf("%d tokens, want at most %d", total, tableTokensMax)}
	}
	tokens := make(map[abi.Asset]Token, len(t.tokens)+len(extra))
	maps.Copy(tokens, t.tokens)
	for _, token := range extra {
		if err := token.check(); err != nil {
			return Table{}, err
		}
		if _, exists := tokens[token.Asset]; exists {
			return Table{}, &abi.Error{
				Code: "token_pinned", Message: "the token is already pinned and cannot be declared again",
				Where: string(token.Asset), Fix: "remove the token from the declared ones",
			}
		}
		tokens[token.Asset] = token
	}
	return Table{tokens: tokens}, nil
}
