package mpc

import (
	"crypto/ed25519"
	"encoding/hex"
	"math/big"

	"github.com/purserhq/purser/internal/secret"
)

// EdPublicKey is an Ed25519 public key (RFC 8032, section 5.1.2), which is also a Solana address before base58. It is
// comparable. The zero value is no key.
type EdPublicKey [ed25519.PublicKeySize]byte

// String is the key in hex.
func (k EdPublicKey) String() string { return hex.EncodeToString(k[:]) }

// EdSignature is an Ed25519 signature (RFC 8032, section 5.1.6): R, then s.
type EdSignature [ed25519.SignatureSize]byte

// Verify reports whether the signature is one of the message under the key, by the standard library.
func (s EdSignature) Verify(key EdPublicKey, message []byte) bool {
	return ed25519.Verify(key[:], message, s[:])
}

// EdKeyshare is one party's part of an Ed25519 wallet's key: what [Keyshare] is for secp256k1. It prints as [redacted]
// in every format; its bytes leave only by [EdKeyshare.MarshalBinary]. It is immutable, may be copied, and is safe for
// concurrent use. The zero value is no keyshare and nothing accepts it.
//
// The shared secret is a scalar and not a seed: no ordinary Ed25519 wallet could import it.
type EdKeyshare struct {
	secret.Hidden
	// Behind a pointer for the reason given at keyshareSecret.
	secret *sharing
}

// Role is the party this keyshare belongs to; the zero Role for the zero EdKeyshare.
func (k EdKeyshare) Role() Role {
	if k.secret == nil {
		return 0
	}
	return k.secret.role
}

// PublicKey is the wallet's public key; the zero EdPublicKey for the zero EdKeyshare.
func (k EdKeyshare) PublicKey() EdPublicKey {
	if k.secret == nil {
		return EdPublicKey{}
	}
	return edPublicKey(k.secret.key)
}

// edPublicKey encodes a member of the group: y little endian, with the lowest bit of x on top.
func edPublicKey(p curvePoint) EdPublicKey {
	key := EdPublicKey(littleEndian(p.y))
	key[len(key)-1] |= byte(p.x.Bit(0)) << 7 // #nosec G115 -- a bit
	return key
}

const (
	edKeyshareMagic   = "purser ed25519sh"
	edKeyshareVersion = 1
	// EdKeyshareBytes is the size of every encoded EdKeyshare.
	EdKeyshareBytes = len(edKeyshareMagic) + 4 + partyCount*3*scalarBytes + 2*scalarBytes + scalarBytes
)

// MarshalBinary writes the keyshare in the clear: seal it before it touches a disk or a wire. The layout, all
// numbers big endian with fixed width, is
//
//	magic(16) version(1)=1 role(1) threshold(1)=1 parties(1)=3
//	3 x { id(32) X(32) Y(32) }   by role
//	public key X(32) Y(32)   share(32)
func (k EdKeyshare) MarshalBinary() ([]byte, error) {
	if k.secret == nil {
		return nil, inputError("keyshare", "there is no keyshare to encode")
	}
	s := k.secret
	w := keyshareWriter{data: make([]byte, 0, EdKeyshareBytes)}
	w.head(edKeyshareMagic, edKeyshareVersion, s.role)
	for i := range s.ids {
		w.number(s.ids[i], scalarBytes)
		w.point(s.public[i])
	}
	w.point(s.key)
	w.number(s.xi, scalarBytes)
	return w.data, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and checks it: points in the prime-order group, the share times the
// generator equal to its public share, all public shares on one line with the public key, ids distinct and not zero.
// On error k is unchanged.
func (k *EdKeyshare) UnmarshalBinary(data []byte) error {
	if len(data) != EdKeyshareBytes {
		return keyshareError("the keyshare has the wrong length")
	}
	r := keyshareReader{data: data}
	role, err := r.head(edKeyshareMagic, edKeyshareVersion)
	if err != nil {
		return err
	}
	s := &sharing{group: edGroup{}, role: role}
	for i := range s.ids {
		s.ids[i], s.public[i] = r.number(scalarBytes), r.point()
	}
	s.key, s.xi = r.point(), r.number(scalarBytes)
	if err := s.check(); err != nil {
		return err
	}
	k.secret = s
	return nil
}

// edPublicPoint decodes a public key of our own records.
func edPublicPoint(key []byte) (curvePoint, error) {
	bad := inputError("public key", "this is no ed25519 public key of 32 bytes")
	if len(key) != ed25519.PublicKeySize {
		return curvePoint{}, bad
	}
	p, err := edDecode(key)
	if err != nil || !(edGroup{}).member(p) || string(key) != string(edKeyBytes(p)) {
		return curvePoint{}, bad
	}
	return p, nil
}

func edKeyBytes(p curvePoint) []byte {
	key := edPublicKey(p)
	return key[:]
}

// copiedIDs keeps the library from changing a keyshare.
func (s *sharing) copiedIDs() []*big.Int {
	ids := make([]*big.Int, partyCount)
	for i, id := range s.ids {
		ids[i] = copied(id)
	}
	return ids
}
