package main

import (
	"bytes"

	"github.com/purserhq/purser/sdk/go/abi"
	"github.com/purserhq/purser/sdk/go/chain"
)

func assemble(r *abi.AssembleRequest) *abi.AssembleResult {
	a, ok := authorizationOf(r.State)
	if !ok {
		return &abi.AssembleResult{Rejection: chain.Reject("state_invalid", "state", "the state is not one that build returned")}
	}
	if len(r.Signatures) != 1 || r.Signatures[0].ID != signingID {
		return &abi.AssembleResult{Rejection: chain.Reject("signature_missing", "signatures", "want exactly one signature, "+signingID)}
	}
	signature := r.Signatures[0].Signature
	signer, ok := recoverSigner(digestOf(r.State), signature)
	if !ok || signer != a.from {
		return &abi.AssembleResult{Rejection: chain.Reject("signature_invalid", "signatures", "the signature is not the payer's, or not 65 bytes with low s and v 27 or 28")}
	}
	return &abi.AssembleResult{Ok: true, Payload: payloadJSON(a, signature)}
}

// authorizationOf reads the struct part of a preimage that this adapter made, and accepts only its own bytes.
func authorizationOf(state []byte) (a authorization, ok bool) {
	if len(state) != preimageBytes || !bytes.Equal(state[:wordBytes], typeHashDomain[:]) {
		return a, false
	}
	fields := state[domainBytes+wordBytes:]
	word := func(i int) []byte { return fields[i*wordBytes : (i+1)*wordBytes] }
	a.from, a.to = address(word(0)[12:]), address(word(1)[12:])
	value, err := abi.AmountFromBytes(bytes.TrimLeft(word(2), "\x00"))
	a.value = value
	a.validAfter, a.validBefore = bigEndian(word(3)[24:]), bigEndian(word(4)[24:])
	a.nonce = [32]byte(word(5))
	again := a.appendFields(append([]byte(nil), typeHashTransfer[:]...))
	return a, err == nil && bytes.Equal(again, state[domainBytes:])
}
