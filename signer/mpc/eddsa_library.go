package mpc

import (
	"errors"
	"math/big"
	"slices"

	"github.com/bnb-chain/tss-lib/v2/crypto"
	"github.com/bnb-chain/tss-lib/v2/eddsa/keygen"
)

// forEdLibrary builds the library's form of an Ed25519 share out of fresh copies of every number, because the library
// changes what it is given (a resharing zeroes the caller's share).
func (s *sharing) forEdLibrary() keygen.LocalPartySaveData {
	data := keygen.NewLocalPartySaveData(partyCount)
	copy(data.Ks, s.copiedIDs())
	for i, p := range s.public {
		data.BigXj[i] = crypto.NewECPointNoCurveCheck(edCurve, copied(p.x), copied(p.y))
	}
	data.LocalSecrets = keygen.LocalSecrets{Xi: copied(s.xi), ShareID: copied(s.ids[s.role.Index()])}
	data.EDDSAPub = crypto.NewECPointNoCurveCheck(edCurve, copied(s.key.x), copied(s.key.y))
	return data
}

// edKeyshareFromLibrary takes over the result of a key generation or resharing and checks it like a file from a
// stranger.
func edKeyshareFromLibrary(role Role, ids [partyCount]*big.Int, data *keygen.LocalPartySaveData) (EdKeyshare, error) {
	s := &sharing{group: edGroup{}, role: role}
	err := caught(func() error {
		for i, id := range ids {
			at := slices.IndexFunc(data.Ks, func(k *big.Int) bool { return k.Cmp(id) == 0 })
			if at < 0 {
				return errors.New("the result lacks a party")
			}
			s.ids[i] = copied(id)
			s.public[i] = curvePoint{data.BigXj[at].X(), data.BigXj[at].Y()}
		}
		s.key = curvePoint{data.EDDSAPub.X(), data.EDDSAPub.Y()}
		// A resharing leaves a sum of shares that is not reduced.
		s.xi = new(big.Int).Mod(data.Xi, edOrder)
		return nil
	})
	if err != nil {
		return EdKeyshare{}, err
	}
	if err := s.check(); err != nil {
		return EdKeyshare{}, err
	}
	return EdKeyshare{secret: s}, nil
}
