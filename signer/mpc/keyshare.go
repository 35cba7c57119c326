package mpc

import (
	"math/big"

	"github.com/purserhq/purser/internal/secret"
)

// Keyshare is one party's part of a wallet's key, with what it needs to know of the other two. It prints as
// [redacted] in every format; its bytes leave only by [Keyshare.MarshalBinary]. It is immutable, may be copied, and
// is safe for concurrent use. The zero value is no keyshare and nothing accepts it.
type Keyshare struct {
	secret.Hidden
	secret *keyshareSecret
}

// keyshareSecret stands behind a pointer, so that printing a struct that holds a Keyshare in an unexported field
// (where package fmt cannot call our methods) shows an address and not the share.
type keyshareSecret struct {
	role    Role
	parties [partyCount]keyshareParty // by Role.index
	key     curvePoint                // the wallet's public key
	xi      *big.Int                  // our Shamir share of the wallet's private key
	p, q    *big.Int                  // the factors of our Paillier modulus
}

// keyshareParty is what every party knows of one party.
type keyshareParty struct {
	id       *big.Int   // Shamir coordinate, 0 < id < q
	paillier *big.Int   // Paillier modulus N
	ring     *big.Int   // ring-Pedersen modulus N-tilde
	h1, h2   *big.Int   // ring-Pedersen bases
	share    curvePoint // the party's share times the generator
}

type curvePoint struct{ x, y *big.Int }

func (p curvePoint) equal(other curvePoint) bool {
	return p.x.Cmp(other.x) == 0 && p.y.Cmp(other.y) == 0
}

// Role is the party this keyshare belongs to; the zero Role for the zero Keyshare.
func (k Keyshare) Role() Role {
	if k.secret == nil {
		return 0
	}
	return k.secret.role
}

// PublicKey is the wallet's public key; the zero PublicKey for the zero Keyshare.
func (k Keyshare) PublicKey() PublicKey {
	if k.secret == nil {
		return PublicKey{}
	}
	return publicKey(k.secret.key.x, k.secret.key.y)
}
