package signer

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const armedDomain = "purser.armed.v1"

// SignArmed adds one side's signature: Ed25519 over the record without both signatures.
func SignArmed(armed *abi.Armed, role Role, key Identity) error {
	message, err := armedMessage(armed)
	if err != nil {
		return err
	}
	switch role {
	case RoleRuntime:
		armed.RuntimeSignature = key.sign(message)
	case RoleCoSigner:
		armed.CosignerSignature = key.sign(message)
	case RoleRecovery:
		return fmt.Errorf("sign armed record: role %s does not arm", role)
	}
	return nil
}

// VerifyArmed checks one side's signature, and that the record is of this kind.
func VerifyArmed(armed *abi.Armed, role Role, key ed25519.PublicKey) error {
	message, err := armedMessage(armed)
	if err != nil {
		return err
	}
	signature := armed.CosignerSignature
	if role == RoleRuntime {
		signature = armed.RuntimeSignature
	}
	if armed.Domain != armedDomain || len(armed.Digest) != sha256.Size ||
		len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, signature) {
		return &abi.Error{
			Code: "armed_invalid", Message: fmt.Sprintf("the armed record is not signed by the %s", role),
			Where: armed.Payment, Fix: "nothing was signed; check that both sides hold the other's identity key",
		}
	}
	return nil
}

// ArmedHash identifies the record in every later frame.
func ArmedHash(armed *abi.Armed) ([32]byte, error) {
	message, err := armedMessage(armed)
	return sha256.Sum256(message), err
}

// SameArmed reports whether two records promise the same, whoever signed them so far.
func SameArmed(a, b *abi.Armed) bool {
	first, errFirst := armedMessage(a)
	second, errSecond := armedMessage(b)
	return errFirst == nil && errSecond == nil && bytes.Equal(first, second)
}

func armedMessage(armed *abi.Armed) ([]byte, error) {
	unsigned := *armed
	unsigned.CosignerSignature, unsigned.RuntimeSignature = nil, nil
	message, err := unsigned.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode armed record of payment %s: %w", armed.Payment, err)
	}
	return message, nil
}

// Promise is the Armed record that answers a request, without the co-signer's own part: policy, decision, store, head
// and path. expires is the authorization's validBefore, in unix seconds.
func Promise(request *abi.ArmRequest, digest [32]byte, expires uint64) (*abi.Armed, error) {
	intent, err := request.Intent.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode intent: %w", err)
	}
	intentHash, preimageHash := sha256.Sum256(intent), sha256.Sum256(request.Preimage)
	return &abi.Armed{
		Domain: armedDomain, Payment: request.Intent.Payment, IntentSHA256: intentHash[:], PreimageSHA256: preimageHash[:], Digest: digest[:],
		RuntimePolicySHA256: request.RuntimePolicySHA256, RuntimeDecisionSHA256: request.RuntimeDecisionSHA256,
		RuntimeStore: request.RuntimeStore, RuntimeHead: request.RuntimeHead, Wallet: request.Wallet, ExpiresUnixS: expires,
	}, nil
}
