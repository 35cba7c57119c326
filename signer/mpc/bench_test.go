package mpc

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/purserhq/purser/internal/bench/latency"
)

// BenchmarkSignWarm is the part of a signature after its digest is known, both parties in one process.
func BenchmarkSignWarm(b *testing.B) {
	engine := newEngine(b)
	digest := sha256.Sum256([]byte("benchmark"))
	latency.MeasurePrepared(b, time.Millisecond, func() (func() error, error) {
		x, y := pair(b, Runtime, CoSigner, digest)
		first, second := prepareBoth(b, engine, x, y)
		return func() error {
			ox, oy := finishBoth(b, x, y, first, second)
			return errors.Join(ox.err, oy.err)
		}, nil
	})
}

// BenchmarkSignCold is a whole session that nobody prepared, both parties in one process.
func BenchmarkSignCold(b *testing.B) {
	engine := newEngine(b)
	digest := sha256.Sum256([]byte("benchmark"))
	latency.Measure(b, time.Millisecond, func() error {
		x, y := pair(b, Runtime, CoSigner, digest)
		ox, oy := signBoth(b, engine, x, y)
		return errors.Join(ox.err, oy.err)
	})
}

// BenchmarkPrepare is the part before the digest, without the reply grid.
func BenchmarkPrepare(b *testing.B) {
	engine := newEngine(b)
	latency.Measure(b, time.Millisecond, func() error {
		x, y := pair(b, Runtime, CoSigner, [32]byte{1})
		prepareBoth(b, engine, x, y)
		return nil
	})
}

// BenchmarkPrepareOnTheGrid is the same for a session that nobody waits for.
func BenchmarkPrepareOnTheGrid(b *testing.B) {
	engine := newEngine(b)
	latency.Measure(b, time.Millisecond, func() error {
		x, y := pair(b, Runtime, CoSigner, [32]byte{1})
		x.session.Hurry, y.session.Hurry = make(chan struct{}), make(chan struct{})
		prepareBoth(b, engine, x, y)
		return nil
	})
}

// BenchmarkSingleKeySignature is the peer of a threshold signature: what a machine does that holds the whole key.
func BenchmarkSingleKeySignature(b *testing.B) {
	digest := sha256.Sum256([]byte("benchmark"))
	key := secp256k1.PrivKeyFromBytes(digest[:])
	latency.Measure(b, time.Millisecond, func() error {
		ecdsa.SignCompact(key, digest[:], false)
		return nil
	})
}
