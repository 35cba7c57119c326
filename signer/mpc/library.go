package mpc

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	goruntime "runtime"
	"slices"
	"sync"

	"github.com/bnb-chain/tss-lib/v2/crypto"
	"github.com/bnb-chain/tss-lib/v2/crypto/paillier"
	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/bnb-chain/tss-lib/v2/tss"
	golog "github.com/ipfs/go-log"

	"github.com/purserhq/purser/signer"
)

// silenceLibrary keeps the library's logger quiet, which an environment variable (GOLOG_LOG_LEVEL) could otherwise
// turn up to a level that prints protocol messages.
func silenceLibrary() error {
	if err := golog.SetLogLevel("tss-lib", "fatal"); err != nil {
		return fmt.Errorf("silence the protocol library: %w", err)
	}
	return nil
}

// caught runs one call into the library and turns a panic of the calling goroutine into an error. It cannot catch
// the panics of goroutines the library starts; see the package comment. The text of a panic is kept only if it is
// the Go runtime's own, because the library formats its values into others.
func caught(call func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case goruntime.Error:
			err = fmt.Errorf("the protocol library panicked: %s", p.Error())
		default:
			err = fmt.Errorf("the protocol library panicked with a %T", p)
		}
	}()
	return call()
}

// libraryCall is caught for calls that return the library's error type, whose nil pointer must not become a
// non-nil error.
func libraryCall(call func() *tss.Error) error {
	return caught(func() error {
		if failure := call(); failure != nil {
			return failure
		}
		return nil
	})
}

// lockedReader makes any source of randomness safe for the library's worker goroutines.
type lockedReader struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return io.ReadFull(r.source, p)
}

// partyID names a party to the library. Its key is the party's Shamir coordinate, and it is always made here, from
// our own record: an id or index from the wire is never used.
func partyID(role Role, id *big.Int) *tss.PartyID {
	return tss.NewPartyID(role.String(), role.String(), id)
}

// forLibrary builds the library's form of the share out of fresh copies of every number, because the library
// changes what it is given (a resharing zeroes the caller's share).
func (s *keyshareSecret) forLibrary() keygen.LocalPartySaveData {
	data := keygen.NewLocalPartySaveData(partyCount)
	for i, p := range s.parties {
		data.Ks[i] = copied(p.id)
		data.NTildej[i], data.H1j[i], data.H2j[i] = copied(p.ring), copied(p.h1), copied(p.h2)
		data.PaillierPKs[i] = &paillier.PublicKey{N: copied(p.paillier)}
		data.BigXj[i] = crypto.NewECPointNoCurveCheck(curve, copied(p.share.x), copied(p.share.y))
	}
	own := s.parties[s.role.Index()]
	p1, q1 := new(big.Int).Sub(s.p, bigOne), new(big.Int).Sub(s.q, bigOne)
	phi := new(big.Int).Mul(p1, q1)
	lambda := new(big.Int).Div(phi, new(big.Int).GCD(nil, nil, p1, q1))
	data.LocalPreParams = keygen.LocalPreParams{
		PaillierSK: &paillier.PrivateKey{
			PublicKey: paillier.PublicKey{N: copied(own.paillier)}, LambdaN: lambda, PhiN: phi, P: copied(s.p), Q: copied(s.q),
		},
		NTildei: copied(own.ring), H1i: copied(own.h1), H2i: copied(own.h2),
	}
	data.LocalSecrets = keygen.LocalSecrets{Xi: copied(s.xi), ShareID: copied(own.id)}
	data.ECDSAPub = crypto.NewECPointNoCurveCheck(curve, copied(s.key.x), copied(s.key.y))
	return data
}

// derived is the library's form of the share for a key under the wallet's root, with that key. The library adds the
// tweak to our secret; what the other parties' public shares become is set here.
func (s *keyshareSecret) derived(at signer.Derivation) (keygen.LocalPartySaveData, PublicKey, error) {
	data := s.forLibrary()
	tweak := new(big.Int).SetBytes(at.Tweak[:])
	if tweak.Sign() != 0 {
		if tweak.Cmp(curveOrder) >= 0 {
			return data, PublicKey{}, errors.New("the tweak is not below the group order")
		}
		moved, err := data.ECDSAPub.Add(crypto.ScalarBaseMult(curve, tweak))
		if err != nil {
			return data, PublicKey{}, errors.New("the path has no key")
		}
		data.ECDSAPub = moved
		for i, share := range data.BigXj {
			if data.BigXj[i], err = share.Add(crypto.ScalarBaseMult(curve, tweak)); err != nil {
				return data, PublicKey{}, errors.New("the path has no key")
			}
		}
	}
	return data, publicKey(data.ECDSAPub.X(), data.ECDSAPub.Y()), nil
}

// keyshareFromLibrary takes over the result of a key generation and checks it like a file from a stranger.
func keyshareFromLibrary(role Role, ids [partyCount]*big.Int, data *keygen.LocalPartySaveData) (Keyshare, error) {
	s := &keyshareSecret{role: role}
	err := caught(func() error {
		for i, id := range ids {
			at := slices.IndexFunc(data.Ks, func(k *big.Int) bool { return k.Cmp(id) == 0 })
			if at < 0 {
				return errors.New("the result of the key generation lacks a party")
			}
			s.parties[i] = keyshareParty{
				id: copied(id), paillier: copied(data.PaillierPKs[at].N),
				ring: copied(data.NTildej[at]), h1: copied(data.H1j[at]), h2: copied(data.H2j[at]),
				share: curvePoint{data.BigXj[at].X(), data.BigXj[at].Y()},
			}
		}
		s.key = curvePoint{data.ECDSAPub.X(), data.ECDSAPub.Y()}
		s.xi, s.p, s.q = copied(data.Xi), copied(data.PaillierSK.P), copied(data.PaillierSK.Q)
		return nil
	})
	if err != nil {
		return Keyshare{}, err
	}
	if err := s.check(); err != nil {
		return Keyshare{}, err
	}
	return Keyshare{secret: s}, nil
}

func copied(x *big.Int) *big.Int { return new(big.Int).Set(x) }

// forLibrary copies the numbers, because the library keeps what it is given.
func (p PreParams) forLibrary() keygen.LocalPreParams {
	s := &p.secret.numbers
	key := s.PaillierSK
	return keygen.LocalPreParams{
		PaillierSK: &paillier.PrivateKey{
			PublicKey: paillier.PublicKey{N: copied(key.N)},
			LambdaN:   copied(key.LambdaN), PhiN: copied(key.PhiN), P: copied(key.P), Q: copied(key.Q),
		},
		NTildei: copied(s.NTildei), H1i: copied(s.H1i), H2i: copied(s.H2i),
		Alpha: copied(s.Alpha), Beta: copied(s.Beta), P: copied(s.P), Q: copied(s.Q),
	}
}
