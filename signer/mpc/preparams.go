package mpc

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/bnb-chain/tss-lib/v2/ecdsa/keygen"
	"github.com/purserhq/purser/internal/secret"
)

// PreParams are the primes one party brings to one key generation or resharing: a Paillier key and a ring-Pedersen ring. They
// are single use, because wallets that share a modulus fall together: a second [Engine.Keygen] or [Engine.Reshare]
// refuses them, also through a copy; across restarts, and for two values read from the same bytes, that is the duty of
// whoever stores them. Prints as [redacted]. Safe for concurrent use. The zero value holds nothing.
type PreParams struct {
	secret.Hidden
	secret *preParamsSecret
}

type preParamsSecret struct {
	numbers keygen.LocalPreParams
	spent   atomic.Bool
}

// GeneratePreParams finds four safe primes of 1024 bits, which takes 10 to 60 CPU-seconds with a long tail: never
// call it while somebody waits. A nil random means crypto/rand; see [Config] for what it must promise.
//
// When ctx ends, the library's workers stop shortly after this function has returned.
func GeneratePreParams(ctx context.Context, random io.Reader) (PreParams, error) {
	if err := silenceLibrary(); err != nil {
		return PreParams{}, err
	}
	if random == nil {
		random = rand.Reader
	}
	var found *keygen.LocalPreParams
	err := caught(func() (err error) {
		found, err = keygen.GeneratePreParamsWithContextAndRandom(ctx, &lockedReader{source: random}, 1)
		return err
	})
	if err != nil {
		if ended := interruption(ctx, "the context ended before the primes were found"); ended != nil {
			return PreParams{}, ended
		}
		return PreParams{}, fmt.Errorf("generate pre-parameters: %w", err)
	}
	return PreParams{secret: &preParamsSecret{numbers: *found}}, nil
}

func (p PreParams) usable() error {
	if p.secret == nil {
		return inputError("pre-parameters", "there are no pre-parameters")
	}
	if p.secret.spent.Load() {
		return inputError("pre-parameters", "the pre-parameters were used before")
	}
	return nil
}

// spend uses them up.
func (p PreParams) spend() error {
	if p.secret.spent.Swap(true) {
		return inputError("pre-parameters", "the pre-parameters were used before")
	}
	return nil
}
