package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// settleMarginS is how long an authorization must still live for a transaction to land in time; the official
// facilitator uses the same.
const settleMarginS = 6

// verify is the facilitator's side: would this payload move the quoted amount to the payee, if submitted now? The
// checks stand in the official order, so that a payload with several faults gets the same first reason.
func verify(r *abi.VerifyRequest) *abi.VerifyResult {
	terms, p, rejection := checkedPayload(r.Payload, r.Quote)
	if rejection == nil {
		rejection = inTime(p.authorization, r.NowUnixS, r.ChainTimeUnixS)
	}
	if rejection == nil {
		rejection = amountMatches(p.authorization, terms)
	}
	if rejection == nil {
		rejection = onChain(answers(r.Answers), terms.token, p.authorization)
	}
	if rejection != nil {
		return &abi.VerifyResult{Rejection: rejection}
	}
	return &abi.VerifyResult{Ok: true, Verified: summaryOf(r.Quote, p.authorization)}
}

// checkedPayload reads quote and payload and checks signature and payee.
func checkedPayload(document []byte, q *abi.Quote) (terms, payload, *abi.Rejection) {
	t, rejection := termsOf(q)
	if rejection != nil {
		return terms{}, payload{}, rejection
	}
	p, rejection := parsePayload(document)
	if rejection != nil {
		return terms{}, payload{}, rejection
	}
	if !p.authorization.signedBy(t.token, p.signature) {
		return terms{}, payload{}, chain.Reject("signature_invalid", "payload.signature", "the signature is not the payer's, or not 65 bytes with low s and v 27 or 28")
	}
	if p.authorization.to != t.payee {
		return terms{}, payload{}, chain.Reject("recipient_mismatch", "payload.authorization.to", "the payment goes to somebody else")
	}
	return t, p, nil
}

// inTime compares with both clocks, since the token asks the block and the merchant the wall: both must be inside
// the window, which the token bounds strictly.
func inTime(a authorization, nowS, chainTimeS uint64) *abi.Rejection {
	if chainTimeS == 0 {
		chainTimeS = nowS
	}
	if latest := max(nowS, chainTimeS); a.validBefore < settleMarginS || a.validBefore-settleMarginS < latest {
		return chain.Reject("expired", "payload.authorization.validBefore", "the authorization ends too soon to be settled")
	}
	if a.validAfter >= min(nowS, chainTimeS) {
		return chain.Reject("not_yet_valid", "payload.authorization.validAfter", "the authorization has not begun")
	}
	return nil
}

func amountMatches(a authorization, t terms) *abi.Rejection {
	if a.value != t.amount {
		return chain.Reject("amount_mismatch", "payload.authorization.value", "the amount is not the quoted one")
	}
	return nil
}

// onChain reads the answers of the network, the telling ones before the simulation that only says no.
func onChain(a answers, t token, auth authorization) *abi.Rejection {
	code, rejection := a.hexBytes(codeID)
	if rejection != nil {
		return rejection
	}
	if len(code) != 0 { // includes EIP-7702 delegations: the token then never falls back to ecrecover
		return chain.Reject("payer_is_contract", "payload.authorization.from", "the payer has code, so the token would not accept this signature")
	}
	state, rejection := a.state(stateID, t)
	if rejection != nil {
		return rejection
	}
	if state.used {
		return chain.Reject("nonce_used", "payload.authorization.nonce", "the authorization was used or cancelled")
	}
	balance, rejection := a.amount(balanceID)
	if rejection != nil {
		return rejection
	}
	if balance.Cmp(auth.value) < 0 {
		return chain.Reject("insufficient_balance", "payload.authorization.value", "the payer holds less than the amount")
	}
	answer, found := a.find(simulateID)
	if !found {
		return chain.Reject("answer_missing", "answers."+simulateID, "the network did not answer")
	}
	// A revert and a failing endpoint look alike here, and neither proves that the transfer would pass.
	if value, ok := parseJSON(answer.Result); answer.Error != "" || !ok || value.text() != "0x" {
		return chain.Reject("simulation_failed", "answers."+simulateID, "the transfer does not pass on the network")
	}
	return nil
}
