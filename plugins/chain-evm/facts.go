package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// facts says what became of a payload. Missing answers weaken what it says, never strengthen it: without proof an
// authorization is live, because a reservation that is given back too early can be spent twice.
func facts(r *abi.FactsRequest) *abi.FactsResult {
	if r.Quote == nil {
		return &abi.FactsResult{Rejection: chain.Reject("request_incomplete", "quote", "no quote")}
	}
	terms, p, rejection := checkedPayload(r.Payload, r.Quote)
	if rejection != nil {
		return &abi.FactsResult{Rejection: rejection}
	}
	given := answers(r.Answers)
	receipt, found, rejection := given.receipt(terms.token, p.authorization)
	if rejection != nil {
		return &abi.FactsResult{Rejection: rejection}
	}
	if found && receipt.succeeded && !receipt.used && !receipt.canceled {
		return &abi.FactsResult{Rejection: chain.Reject("receipt_mismatch", "answers."+receiptID, "the transaction has nothing to do with this authorization")}
	}
	latest, rejection := given.stateIfAny(stateID, terms.token)
	if rejection != nil {
		return &abi.FactsResult{Rejection: rejection}
	}
	final, rejection := given.stateIfAny(stateFinalID, terms.token)
	if rejection != nil {
		return &abi.FactsResult{Rejection: rejection}
	}
	result := &abi.FactsResult{Ok: true}
	result.Status, result.Life = judge(receipt, latest, final, p.authorization.validBefore)
	if found {
		result.Transaction, result.Block, result.BlockTimeUnixS = receipt.hash, receipt.block, receipt.blockTimeS
		result.GasUsed, result.Fee, result.Transferred = receipt.gasUsed, receipt.fee, receipt.transferred
	}
	return result
}

// stateIfAny is state, with a missing answer read as "unused, long ago", which proves nothing.
func (a answers) stateIfAny(id string, t token) (nonceState, *abi.Rejection) {
	state, rejection := a.state(id, t)
	if rejection != nil && rejection.Code == "answer_missing" {
		return nonceState{}, nil
	}
	return state, rejection
}

// judge combines what was read. Only the finalized state proves anything for good: a receipt, like the latest state,
// can vanish in a reorganisation.
func judge(receipt transactionReceipt, latest, final nonceState, validBeforeS uint64) (abi.ChainStatus, abi.Life) {
	switch {
	case final.used && receipt.canceled:
		return abi.ChainStatusFinal, abi.LifeDead
	case final.used:
		return abi.ChainStatusFinal, abi.LifeUsed
	case final.timeS > 0 && final.timeS >= validBeforeS:
		return abi.ChainStatusExpired, abi.LifeDead
	case latest.used && receipt.canceled:
		return abi.ChainStatusIncluded, abi.LifeLive
	case latest.used:
		return abi.ChainStatusIncluded, abi.LifeUsed
	case receipt.hash != "" && !receipt.succeeded:
		return abi.ChainStatusReverted, abi.LifeLive
	}
	return abi.ChainStatusUnknown, abi.LifeLive
}
