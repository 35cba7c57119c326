package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
)

// plan makes the one call that settles a payload. It checks the payload again: a relayer pays gas for what this
// returns. Nonce, fees and key are the host's.
func plan(r *abi.PlanRequest) *abi.PlanResult {
	terms, p, rejection := checkedPayload(r.Payload, r.Quote)
	if rejection == nil {
		rejection = amountMatches(p.authorization, terms)
	}
	if rejection != nil {
		return &abi.PlanResult{Rejection: rejection}
	}
	return &abi.PlanResult{Ok: true, Templates: []abi.Template{{
		Network: r.Quote.Network, To: terms.token.contract.String(), Data: transferCall(p), GasMax: settings.gasMax,
	}}}
}

// transferCall is the call data of transferWithAuthorization in its v, r, s form. The signature is 65 bytes long or
// padded to it; needs simulates before anything is checked, and the simulation of a wrong one fails.
func transferCall(p payload) []byte {
	var signature [signatureBytes]byte
	copy(signature[:], p.signature)
	data := selector("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)")
	data = p.authorization.appendFields(append([]byte(nil), data...))
	data = appendUint(data, uint64(signature[64]))
	return append(data, signature[:64]...)
}
