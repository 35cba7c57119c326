package main

import (
	"bytes"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

// answers are what the host read for this adapter. An endpoint's word is a claim like any other.
type answers []abi.Answer

// find returns the only answer with that id.
func (a answers) find(id string) (answer abi.Answer, found bool) {
	for _, candidate := range a {
		if candidate.ID != id {
			continue
		}
		if found {
			return abi.Answer{}, false // two answers to one question: believe neither
		}
		answer, found = candidate, true
	}
	return answer, found
}

// hexBytes reads an answer that is a JSON string of hex.
func (a answers) hexBytes(id string) ([]byte, *abi.Rejection) {
	answer, found := a.find(id)
	if !found || answer.Error != "" {
		return nil, chain.Reject("answer_missing", "answers."+id, "the network did not answer")
	}
	value, ok := parseJSON(answer.Result)
	data, isHex := parseHex(value.text())
	if !ok || !isHex {
		return nil, answerInvalid(id)
	}
	return data, nil
}

func answerInvalid(id string) *abi.Rejection {
	return chain.Reject("answer_invalid", "answers."+id, "the answer is not one this call can have")
}

func (a answers) amount(id string) (abi.Amount, *abi.Rejection) {
	data, rejection := a.hexBytes(id)
	if rejection != nil {
		return abi.Amount{}, rejection
	}
	amount, err := abi.AmountFromBytes(bytes.TrimLeft(data, "\x00"))
	if err != nil || len(data) != wordBytes {
		return abi.Amount{}, answerInvalid(id)
	}
	return amount, nil
}

// nonceState is what a block says of an authorization.
type nonceState struct {
	used  bool
	timeS uint64 // of that block
}

// state reads the answer to a stateQuery and refuses one from another chain.
func (a answers) state(id string, t token) (nonceState, *abi.Rejection) {
	data, rejection := a.hexBytes(id)
	if rejection != nil {
		return nonceState{}, rejection
	}
	if len(data) != stateAnswerBytes {
		return nonceState{}, answerInvalid(id)
	}
	used, usedOK := uintWord(data[:wordBytes])
	timeS, timeOK := uintWord(data[wordBytes : 2*wordBytes])
	chainID, chainOK := uintWord(data[2*wordBytes:])
	if !usedOK || !timeOK || !chainOK || used > 1 || timeS == 0 || timeS > secondsMax {
		return nonceState{}, answerInvalid(id)
	}
	if chainID != t.chainID {
		return nonceState{}, chain.Reject("chain_differs", "answers."+id, "the endpoint serves another chain")
	}
	return nonceState{used == 1, timeS}, nil
}

func uintWord(word []byte) (uint64, bool) {
	return bigEndian(word[wordBytes-8:]), bytes.Equal(word[:wordBytes-8], make([]byte, wordBytes-8))
}
