package mpc

import (
	"math/big"

	"github.com/purserhq/purser/abi"
)

const (
	keyshareMagic   = "purser keyshare "
	keyshareVersion = 1

	keysharePartyBytes = scalarBytes + 4*modulusBytes + 2*scalarBytes
	// KeyshareBytes is the size of every encoded keyshare.
	KeyshareBytes = len(keyshareMagic) + 4 + partyCount*keysharePartyBytes + 2*scalarBytes + scalarBytes + 2*primeBytes
)

// MarshalBinary writes the keyshare in the clear: seal it before it touches a disk or a wire. The layout, all
// numbers big endian with fixed width, is
//
//	magic(16) version(1)=1 role(1) threshold(1)=1 parties(1)=3
//	3 x { id(32) N(256) N-tilde(256) h1(256) h2(256) X(32) Y(32) }   by role
//	public key X(32) Y(32)   share(32)   Paillier p(128) q(128)
//
// It holds nothing that only key generation needs, so a stolen share does not tell the factors of N-tilde.
func (k Keyshare) MarshalBinary() ([]byte, error) {
	if k.secret == nil {
		return nil, inputError("keyshare", "there is no keyshare to encode")
	}
	s := k.secret
	w := keyshareWriter{data: make([]byte, 0, KeyshareBytes)}
	w.head(keyshareMagic, keyshareVersion, s.role)
	for _, p := range s.parties {
		w.number(p.id, scalarBytes)
		w.number(p.paillier, modulusBytes)
		w.number(p.ring, modulusBytes)
		w.number(p.h1, modulusBytes)
		w.number(p.h2, modulusBytes)
		w.point(p.share)
	}
	w.point(s.key)
	w.number(s.xi, scalarBytes)
	w.number(s.p, primeBytes)
	w.number(s.q, primeBytes)
	return w.data, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and checks it: points on the curve, the share times the generator
// equal to its public share, all public shares on one line with the public key, ids distinct and not zero, moduli
// of the right shape and distinct, our Paillier factors prime and matching. On error k is unchanged.
func (k *Keyshare) UnmarshalBinary(data []byte) error {
	if len(data) != KeyshareBytes {
		return keyshareError("the keyshare has the wrong length")
	}
	r := keyshareReader{data: data}
	role, err := r.head(keyshareMagic, keyshareVersion)
	if err != nil {
		return err
	}
	s := &keyshareSecret{role: role}
	for i := range s.parties {
		s.parties[i] = keyshareParty{
			id: r.number(scalarBytes), paillier: r.number(modulusBytes), ring: r.number(modulusBytes),
			h1: r.number(modulusBytes), h2: r.number(modulusBytes), share: r.point(),
		}
	}
	s.key = r.point()
	s.xi, s.p, s.q = r.number(scalarBytes), r.number(primeBytes), r.number(primeBytes)
	if err := s.check(); err != nil {
		return err
	}
	k.secret = s
	return nil
}

// keyshareWriter writes the parts that keyshares of every scheme are made of.
type keyshareWriter struct{ data []byte }

func (w *keyshareWriter) head(magic string, version byte, role Role) {
	w.data = append(w.data, magic...)
	w.data = append(w.data, version, byte(role), partyThreshold, partyCount)
}

func (w *keyshareWriter) number(x *big.Int, width int) {
	start := len(w.data)
	w.data = append(w.data, make([]byte, width)...)
	x.FillBytes(w.data[start:])
}

func (w *keyshareWriter) point(p curvePoint) {
	w.number(p.x, scalarBytes)
	w.number(p.y, scalarBytes)
}

// keyshareReader reads fixed widths; the caller has compared the total with what it will read.
type keyshareReader struct{ data []byte }

func (r *keyshareReader) head(magic string, version byte) (Role, error) {
	if string(r.data[:len(magic)]) != magic {
		return 0, keyshareError("this is no keyshare of this scheme")
	}
	head := r.data[len(magic):]
	role := Role(head[1])
	switch {
	case head[0] != version:
		return 0, keyshareError("the keyshare has an unknown version")
	case !role.Valid():
		return 0, keyshareError("the keyshare is of no known role")
	case head[2] != partyThreshold || head[3] != partyCount:
		return 0, keyshareError("the keyshare is not two of three")
	}
	r.data = head[4:]
	return role, nil
}

func (r *keyshareReader) number(width int) *big.Int {
	x := new(big.Int).SetBytes(r.data[:width])
	r.data = r.data[width:]
	return x
}

func (r *keyshareReader) point() curvePoint {
	x := r.number(scalarBytes)
	return curvePoint{x: x, y: r.number(scalarBytes)}
}

func keyshareError(message string) error {
	return &abi.Error{
		Code: CodeKeyshareInvalid, Message: message,
		Fix: "restore the keyshare from its backup or replace it by a recovery", Retry: abi.RetryNever,
	}
}
