package mpc

import (
	"math/big"

	"github.com/bnb-chain/tss-lib/v2/common"

	"github.com/purserhq/purser/abi"
)

// signatureFrom takes over the library's result if it is a canonical signature of our digest under our key. The
// library's own copies of both are ignored.
func signatureFrom(result *common.SignatureData, key PublicKey, digest [32]byte) (Signature, error) {
	var s Signature
	recovery := result.GetSignatureRecovery()
	if len(recovery) != 1 || !fixed(s.R[:], result.GetR()) || !fixed(s.S[:], result.GetS()) {
		return Signature{}, signatureError()
	}
	s.V = recovery[0]
	uncompressed := key.Uncompressed()
	if s.Verify(uncompressed[:], digest) != nil {
		return Signature{}, signatureError()
	}
	return s, nil
}

// fixed writes number right-aligned: the library may trim leading zeros.
func fixed(out, number []byte) bool {
	if len(number) > len(out) {
		return false
	}
	copy(out[len(out)-len(number):], number)
	return true
}

func signatureError() error {
	return &abi.Error{
		Code: CodeSignatureInvalid, Message: "the session's result is no canonical signature of the digest under the wallet's key",
		Fix: "treat the peer as compromised", Retry: abi.RetryNever,
	}
}

// digestNumber is the digest as the number ECDSA signs: reduced modulo the group order.
func digestNumber(digest [32]byte) *big.Int {
	m := new(big.Int).SetBytes(digest[:])
	return m.Mod(m, curveOrder)
}
