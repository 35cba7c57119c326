package signer

import (
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/purserhq/purser/abi"
)

// Signature is an ECDSA signature on secp256k1, always canonical: S is at most half the group order (EIP-2), both
// numbers keep their leading zeros, and V is the recovery id, 0 or 1, without Ethereum's offset of 27.
type Signature struct {
	R, S [32]byte
	V    byte
}

// recoveryOffset is what Ethereum and Bitcoin add to the recovery id.
const recoveryOffset = 27

// Bytes is the 65-byte form that EIP-3009 tokens take: r, s, and V as 27 or 28.
func (s Signature) Bytes() []byte {
	out := append(append(make([]byte, 0, 65), s.R[:]...), s.S[:]...)
	return append(out, recoveryOffset+s.V)
}

// Verify returns an error with code signature_invalid unless the signature is canonical, valid for the digest under
// the key (uncompressed, 65 bytes), and recovers to that key. It uses github.com/decred/dcrd/dcrec/secp256k1 and never
// the protocol library's verification, which trusts the public key inside the share. A digest at or above the group
// order is reduced, as ECDSA does (SEC 1, section 4.1.4).
func (s Signature) Verify(publicKey []byte, digest [32]byte) error {
	bad := &abi.Error{
		Code: "signature_invalid", Message: "the signature is not a canonical one of the digest under the wallet's key",
		Fix: "treat the peer as compromised", Retry: abi.RetryNever,
	}
	var r, low secp256k1.ModNScalar
	if r.SetBytes(&s.R) != 0 || low.SetBytes(&s.S) != 0 || r.IsZero() || low.IsZero() || low.IsOverHalfOrder() || s.V > 1 {
		return bad
	}
	want, err := secp256k1.ParsePubKey(publicKey)
	if err != nil || !ecdsa.NewSignature(&r, &low).Verify(digest[:], want) {
		return bad
	}
	// Bitcoin's compact form: 27 plus the recovery id, then r and s.
	compact := append([]byte{recoveryOffset + s.V}, s.R[:]...)
	recovered, _, err := ecdsa.RecoverCompact(append(compact, s.S[:]...), digest[:])
	if err != nil || !recovered.IsEqual(want) {
		return bad
	}
	return nil
}
