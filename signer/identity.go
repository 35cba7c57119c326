package signer

import (
	"crypto/ed25519"
	"fmt"
	"io"

	"github.com/purserhq/purser/internal/secret"
)

// Identity is a host's Ed25519 key: what one side signs its promises with. It is not a key share and moves
// no money. It prints as [redacted].
type Identity struct {
	secret.Hidden
	key ed25519.PrivateKey
}

// NewIdentity makes an identity from 32 bytes of random.
func NewIdentity(random io.Reader) (Identity, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return Identity{}, fmt.Errorf("make host identity: %w", err)
	}
	return Identity{key: ed25519.NewKeyFromSeed(seed)}, nil
}

// IdentityFromSeed restores an identity from the 32 bytes that Seed returned.
func IdentityFromSeed(seed []byte) (Identity, error) {
	if len(seed) != ed25519.SeedSize {
		return Identity{}, fmt.Errorf("restore host identity: seed has %d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return Identity{key: ed25519.NewKeyFromSeed(seed)}, nil
}

// Seed is the secret to keep at rest.
func (i Identity) Seed() []byte { return i.key.Seed() }

// Public is the key the other side pins.
func (i Identity) Public() ed25519.PublicKey {
	public, _ := i.key.Public().(ed25519.PublicKey)
	return public
}

func (i Identity) sign(message []byte) []byte { return ed25519.Sign(i.key, message) }
