package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// signingID names the only signature of a payment.
const signingID = "authorization"

func build(r *abi.BuildRequest) *abi.BuildResult {
	t, a, rejection := toSign(r)
	if rejection != nil {
		return &abi.BuildResult{Rejection: rejection}
	}
	encoded := preimage(t, a)
	return &abi.BuildResult{
		Ok: true,
		Signing: []abi.SigningRequest{{
			ID: signingID, Kind: kindEIP712, Curve: curveSecp256k1, Preimage: encoded,
			Summary: summaryOf(r.Quote, a),
		}},
		State: encoded, // all that assemble needs, and it can be checked again
	}
}

// toSign compares the quote with the intent before it uses it: what the merchant asks now must be what was decided.
func toSign(r *abi.BuildRequest) (token, authorization, *abi.Rejection) {
	intent, quote := r.Intent, r.Quote
	for _, same := range []struct{ field, quoted, intended string }{
		{"scheme", quote.Scheme, intent.Scheme},
		{"network", quote.Network, intent.Network},
		{"asset", quote.Asset, intent.Asset},
		{"payee", quote.Payee, intent.Payee},
		{"amount", quote.Amount.String(), intent.Amount.String()},
	} {
		if same.quoted != same.intended {
			return token{}, authorization{}, chain.Reject("quote_differs", "quote."+same.field, "the quote is not what the intent says")
		}
	}
	terms, rejection := termsOf(quote)
	if rejection != nil {
		return token{}, authorization{}, rejection
	}
	if !intent.AmountMax.IsZero() && intent.Amount.Cmp(intent.AmountMax) > 0 {
		return token{}, authorization{}, chain.Reject("amount_above_max", "intent.amount", "the amount is above the agent's own ceiling")
	}
	payer, ok := parseAddress(r.Payer)
	if !ok || payer == (address{}) {
		return token{}, authorization{}, chain.Reject("payer_invalid", "payer", "the payer is not an address")
	}
	if len(r.Nonce) != wordBytes {
		return token{}, authorization{}, chain.Reject("nonce_invalid", "nonce", "the nonce has not 32 bytes")
	}
	now := max(r.NowUnixS, r.ChainTimeUnixS)
	if r.ValidBeforeUnixS <= now || r.ValidAfterUnixS >= r.ValidBeforeUnixS {
		return token{}, authorization{}, chain.Reject("validity_invalid", "valid_before_unix_s", "the authorization would be over before it begins, or already is")
	}
	return terms.token, authorization{
		from: payer, to: terms.payee, value: terms.amount,
		validAfter: r.ValidAfterUnixS, validBefore: r.ValidBeforeUnixS, nonce: [32]byte(r.Nonce),
	}, nil
}

func summaryOf(q *abi.Quote, a authorization) *abi.Summary {
	return &abi.Summary{
		Network: q.Network, Asset: q.Asset, Payer: a.from.String(), Payee: a.to.String(), Amount: a.value,
		ValidAfterUnixS: a.validAfter, ValidBeforeUnixS: a.validBefore, Nonce: a.nonce[:],
	}
}
