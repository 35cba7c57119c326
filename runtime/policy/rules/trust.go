package rules

import (
	"bytes"
	"encoding/base64"
)

const (
	moduleDigestHex = 64
	// signerBytes is a minisign public key: algorithm, key ID, Ed25519 key.
	signerBytes     = 2 + 8 + ed25519KeyBytes
	signerAlgorithm = "Ed"
)

func isModuleDigest(s string) bool { return len(s) == moduleDigestHex && every(s, isHex) }

// areSigners holds for a set of keys in the spelling that minisign prints. Whether a key is a point of the curve is
// seen when it verifies: one that is not verifies nothing.
func areSigners(list []string) bool {
	return isSet(list, SignersMax) && allOf(list, func(s string) bool {
		raw, err := base64.StdEncoding.Strict().DecodeString(s)
		return err == nil && len(raw) == signerBytes && bytes.HasPrefix(raw, []byte(signerAlgorithm)) && base64.StdEncoding.EncodeToString(raw) == s
	})
}

func (s Spec) checkTrust() error {
	if !areSigners(s.ChainTrust.Signers) || !isSet(s.ChainTrust.SHA256, DigestsMax) || !allOf(s.ChainTrust.SHA256, isModuleDigest) {
		return specError("chain_trust is malformed or not sorted")
	}
	return nil
}
