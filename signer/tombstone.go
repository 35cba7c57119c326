package signer

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"

	"github.com/purserhq/purser/abi"
)

const tombstoneDomain = "purser.tombstone.v1"

// NewTombstone signs the co-signer's promise never to sign what was armed. The caller makes it durable together with
// the end of the promise, before it shows it to anybody.
func NewTombstone(armed *abi.Armed, cosignerStore string, cosignerHead uint64, key Identity) (*abi.Tombstone, error) {
	hash, err := ArmedHash(armed)
	if err != nil {
		return nil, err
	}
	t := &abi.Tombstone{
		Domain: tombstoneDomain, Payment: armed.Payment, Digest: armed.Digest, ArmedSHA256: hash[:],
		CosignerStore: cosignerStore, CosignerHead: binary.BigEndian.AppendUint64(nil, cosignerHead),
	}
	message, err := t.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode tombstone of payment %s: %w", armed.Payment, err)
	}
	t.Signature = key.sign(message)
	return t, nil
}

// VerifyTombstone checks that the co-signer whose promise armed is has taken it back.
func VerifyTombstone(t *abi.Tombstone, armed *abi.Armed, key ed25519.PublicKey) error {
	hash, err := ArmedHash(armed)
	if err != nil {
		return err
	}
	unsigned := *t
	unsigned.Signature = nil
	message, err := unsigned.Marshal()
	if err != nil {
		return fmt.Errorf("encode tombstone of payment %s: %w", armed.Payment, err)
	}
	if t.Domain != tombstoneDomain || t.Payment != armed.Payment || t.CosignerStore != armed.CosignerStore ||
		!bytes.Equal(t.Digest, armed.Digest) || !bytes.Equal(t.ArmedSHA256, hash[:]) ||
		len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, message, t.Signature) {
		return &abi.Error{
			Code: "tombstone_invalid", Where: armed.Payment, Message: "this is not the co-signer's word that it never signs the payment",
			Fix: "nothing was released; the chain tells what became of it",
		}
	}
	return nil
}
