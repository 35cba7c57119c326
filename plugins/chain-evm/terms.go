package main

import (
	"strings"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

const (
	domainTextBytesMax = 64
	methodEIP3009      = "eip3009"
	chainIDMax         = 1<<63 - 1
)

// terms are a quote that this adapter can serve.
type terms struct {
	token  token
	payee  address
	amount abi.Amount
}

// termsOf reads a quote, or says why it cannot be paid or settled here.
func termsOf(q *abi.Quote) (terms, *abi.Rejection) {
	if q.Scheme != schemeExact {
		return terms{}, chain.Reject("unsupported_scheme", "quote.scheme", "this adapter serves the scheme exact only")
	}
	t, rejection := tokenOf(q)
	if rejection != nil {
		return terms{}, rejection
	}
	payee, ok := parseAddress(q.Payee)
	if !ok || payee == (address{}) {
		return terms{}, chain.Reject("payee_invalid", "quote.payee", "the payee is not an address that can hold tokens")
	}
	if q.Amount.IsZero() {
		return terms{}, chain.Reject("amount_invalid", "quote.amount", "the amount is zero")
	}
	return terms{token: t, payee: payee, amount: q.Amount}, nil
}

func tokenOf(q *abi.Quote) (token, *abi.Rejection) {
	reference, isEVM := strings.CutPrefix(q.Network, "eip155:")
	chainID, err := abi.ParseAmount(reference)
	id, fits := chainID.Uint64()
	if !isEVM || err != nil || !fits || id == 0 || id > chainIDMax {
		return token{}, chain.Reject("unsupported_network", "quote.network", "the network is not eip155 with a chain id")
	}
	contractText, onNetwork := strings.CutPrefix(q.Asset, q.Network+"/erc20:")
	contract, ok := parseAddress(contractText)
	if !onNetwork || !ok {
		return token{}, chain.Reject("unsupported_asset", "quote.asset", "the asset is not an ERC-20 token of the network")
	}
	t := token{network: q.Network, chainID: id, contract: contract}
	rejection := readExtra(q.Extra, &t)
	return t, rejection
}

// readExtra takes the domain's name and version from the offer, as every x402 client must. The host signs only
// when they equal its pinned ones.
func readExtra(extra []abi.JSONEntry, t *token) *abi.Rejection {
	method := methodEIP3009
	for _, entry := range extra {
		into := map[string]*string{"/name": &t.name, "/version": &t.version, "/assetTransferMethod": &method}[entry.Pointer]
		if into == nil {
			continue
		}
		if entry.Type != "string" {
			return chain.Reject("extra_invalid", "quote.extra"+entry.Pointer, "this member of extra must be a string")
		}
		*into = entry.Text
	}
	if method != methodEIP3009 {
		return chain.Reject("unsupported_transfer_method", "quote.extra/assetTransferMethod", "this adapter transfers by eip3009 only")
	}
	for _, text := range []string{t.name, t.version} {
		if text == "" || len(text) > domainTextBytesMax {
			return chain.Reject("missing_eip712_domain", "quote.extra", "extra must hold name and version of the token's EIP-712 domain")
		}
	}
	return nil
}
