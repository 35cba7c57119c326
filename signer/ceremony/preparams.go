package ceremony

import (
	"context"
	"fmt"

	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

const (
	// preParamsPool is the keystore's pool of pre-parameters.
	preParamsPool = "preparams"
	// preParamsWantedMax bounds one filling: each set takes a core a minute.
	preParamsWantedMax = 1000
)

// PreParams is a role's stock of pre-parameters for secp256k1, sealed in its keystore, each taken once. It is safe for
// concurrent use.
type PreParams struct{ pool *keystore.Pool }

// OpenPreParams opens the stock in a keystore, once for each time that the keystore is opened.
func OpenPreParams(store *keystore.Keystore) (*PreParams, error) {
	pool, err := store.OpenPool(keystore.PoolConfig{Name: preParamsPool, Scheme: keystore.SchemeECDSA})
	if err != nil {
		return nil, fmt.Errorf("open the stock of pre-parameters: %w", err)
	}
	return &PreParams{pool}, nil
}

// Depth is how many sets could be taken now.
func (p *PreParams) Depth() int { return p.pool.Depth() }

// Add stores a set that was made elsewhere, durably.
func (p *PreParams) Add(ctx context.Context, pre mpc.PreParams) error {
	data, err := pre.MarshalBinary()
	if err != nil {
		return err
	}
	item := keystore.NewSecret(data)
	clear(data)
	defer item.Wipe()
	return p.pool.Add(ctx, item)
}

// Fill makes sets until there are as many as wanted. Each is stored when it is found, so that an interrupted filling
// loses one at most. made, which may be nil, is told the depth after each.
func (p *PreParams) Fill(ctx context.Context, wanted int, made func(depth int)) error {
	if wanted > preParamsWantedMax {
		return inputError("pre-parameters", "at most %d sets are made at once", preParamsWantedMax)
	}
	for p.Depth() < wanted {
		pre, err := mpc.GeneratePreParams(ctx, nil)
		if err != nil {
			return err
		}
		if err := p.Add(ctx, pre); err != nil {
			return err
		}
		if made != nil {
			made(p.Depth())
		}
	}
	return nil
}

// Take removes a set durably and returns it. What a ceremony that fails has taken is gone: a set that others have seen
// is never used again.
func (p *PreParams) Take(ctx context.Context) (mpc.PreParams, error) {
	item, err := p.pool.Take(ctx)
	if err != nil {
		return mpc.PreParams{}, err
	}
	defer item.Wipe()
	var pre mpc.PreParams
	err = pre.UnmarshalBinary(item.Bytes())
	return pre, err
}
