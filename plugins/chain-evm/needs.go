package main

import (
	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// Answer ids. All but receiptID are asked for by needs; the receipt is handed over by a host that knows the
// transaction, as the result of eth_getTransactionReceipt, which is null while the transaction is pending.
const (
	codeID       = "code"
	stateID      = "state"
	stateFinalID = "state_final"
	balanceID    = "balance"
	simulateID   = "simulate"
	receiptID    = "receipt"
)

const (
	methodCall = "eth_call"
	methodCode = "eth_getCode"

	tagLatest    = "latest"
	tagFinalized = "finalized"
)

func needs(r *abi.NeedsRequest) *abi.NeedsResult {
	switch r.Operation {
	case "build", "plan":
		return &abi.NeedsResult{Ok: true}
	case "verify", "facts":
	default:
		return &abi.NeedsResult{Rejection: chain.Reject("operation_unknown", "operation", "want build, verify, plan or facts")}
	}
	if r.Quote == nil {
		return &abi.NeedsResult{Rejection: chain.Reject("request_incomplete", "quote", "no quote")}
	}
	terms, rejection := termsOf(r.Quote)
	if rejection != nil {
		return &abi.NeedsResult{Rejection: rejection}
	}
	p, rejection := parsePayload(r.Payload)
	if rejection != nil {
		return &abi.NeedsResult{Rejection: rejection}
	}
	if r.Operation == "facts" {
		return &abi.NeedsResult{Ok: true, Queries: []abi.Query{
			stateQuery(stateID, terms.token, p.authorization, tagLatest),
			stateQuery(stateFinalID, terms.token, p.authorization, tagFinalized),
		}}
	}
	balance := append(selector("balanceOf(address)"), appendAddress(nil, p.authorization.from)...)
	return &abi.NeedsResult{Ok: true, Queries: []abi.Query{
		query(codeID, methodCode, `["`+p.authorization.from.String()+`","`+tagLatest+`"]`),
		stateQuery(stateID, terms.token, p.authorization, tagLatest),
		query(balanceID, methodCall, callParams(terms.token.contract, balance)),
		query(simulateID, methodCall, callParams(terms.token.contract, transferCall(p))),
	}}
}

func query(id, method, params string) abi.Query {
	return abi.Query{ID: id, Method: method, Params: []byte(params), Quorum: settings.quorum}
}

func callParams(to address, data []byte) string {
	return `[{"to":"` + to.String() + `","data":"` + hexText(data) + `"},"` + tagLatest + `"]`
}

// stateQuery asks, in one read, whether the authorization is used, at what block time, and on which chain.
//
// Two reads would race: "unused" from before a block that used it, together with "past validBefore" from after
// that block, would declare a spent authorization dead and give its budget back. So the call creates no contract
// and calls none; it runs a few instructions that ask the token and return the answer beside TIMESTAMP and CHAINID
// of the same block. A node that returns anything else than the three words is not believed.
func stateQuery(id string, t token, a authorization, block string) abi.Query {
	return query(id, methodCall, `[{"data":"`+hexText(stateProgram(t, a))+`"},"`+block+`"]`)
}

const (
	stateCallBytes    = 4 + 2*wordBytes
	stateProgramBytes = 64
	stateJumpOffset   = 50
	stateAnswerBytes  = 3 * wordBytes
)

// stateProgram is EVM code that ends with its own call data; see stateQuery. It uses nothing newer than Istanbul.
func stateProgram(t token, a authorization) []byte {
	code := []byte{
		0x60, stateCallBytes, 0x60, stateProgramBytes, 0x60, 0x00, 0x39, // CODECOPY(0, stateProgramBytes, stateCallBytes)
		0x60, wordBytes, 0x60, 0x00, 0x60, stateCallBytes, 0x60, 0x00, 0x73, // PUSH out size, out, in size, in; PUSH20
	}
	code = append(code, t.contract[:]...)
	code = append(code,
		0x5a, 0xfa, // STATICCALL with all gas
		0x3d, 0x60, wordBytes, 0x14, 0x16, // and RETURNDATASIZE = 32: a contract, not an empty address
		0x60, stateJumpOffset, 0x57, // JUMPI behind the revert
		0x60, 0x00, 0x80, 0xfd, // REVERT(0, 0)
		0x5b,                   // JUMPDEST at stateJumpOffset
		0x42, 0x60, 0x20, 0x52, // MSTORE(32, TIMESTAMP)
		0x46, 0x60, 0x40, 0x52, // MSTORE(64, CHAINID)
		0x60, stateAnswerBytes, 0x60, 0x00, 0xf3, // RETURN(0, 96)
	)
	code = append(code, selector("authorizationState(address,bytes32)")...)
	return append(appendAddress(code, a.from), a.nonce[:]...)
}
