package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

const (
	// pathLevelsMax bounds a derivation path.
	pathLevelsMax = 4
	// hardenedFrom is the first child number of BIP-32 that needs the private key, which nobody has.
	hardenedFrom = 1 << 31
)

// Derivation is how a key hangs under its root: additively, BIP-32 without hardening. The zero value is the root.
type Derivation struct {
	// Path is "" for the root, else like "m/17/4".
	Path string
	// Tweak is the number that is added to the root's secret key, modulo the group order; it is public to whoever
	// knows the chain code. Zero for the root.
	Tweak [32]byte
}

// AgentPath is where an agent's key lies under its wallet's root. It is a function of the names alone, so that both
// sides compute it and no request can ask for another agent's. Two agents share a path with a chance of 2^-62.
func AgentPath(tenant, agent string) string {
	sum := sha256.Sum256(appendSized(appendSized([]byte("purser.path.v1"), tenant), agent))
	first := binary.BigEndian.Uint32(sum[:]) &^ hardenedFrom
	second := binary.BigEndian.Uint32(sum[4:]) &^ hardenedFrom
	return fmt.Sprintf("m/%d/%d", first, second)
}

// derive walks a path from a root key (uncompressed, 65 bytes) and a chain code, and returns the child's key with the
// sum of the tweaks (BIP-32, "Public parent key to public child key").
func derive(root []byte, chainCode [32]byte, path string) (child []byte, tweak [32]byte, err error) {
	levels, err := parsePath(path)
	if err != nil {
		return nil, tweak, err
	}
	key, err := secp256k1.ParsePubKey(root)
	if err != nil {
		return nil, tweak, fmt.Errorf("derive %s: %w", path, err)
	}
	var sum secp256k1.ModNScalar
	for _, level := range levels {
		mac := hmac.New(sha512.New, chainCode[:])
		mac.Write(key.SerializeCompressed())
		mac.Write(binary.BigEndian.AppendUint32(nil, level))
		digest := mac.Sum(nil)
		var step secp256k1.ModNScalar
		if overflow := step.SetByteSlice(digest[:32]); overflow || step.IsZero() {
			return nil, tweak, inputError("path", "the path has no key at "+path) // one path in 2^127
		}
		var at, moved, next secp256k1.JacobianPoint
		key.AsJacobian(&at)
		secp256k1.ScalarBaseMultNonConst(&step, &moved)
		secp256k1.AddNonConst(&at, &moved, &next)
		if next.Z.IsZero() {
			return nil, tweak, inputError("path", "the path has no key at "+path)
		}
		next.ToAffine()
		key = secp256k1.NewPublicKey(&next.X, &next.Y)
		chainCode = [32]byte(digest[32:])
		sum.Add(&step)
	}
	return key.SerializeUncompressed(), sum.Bytes(), nil
}

// parsePath reads "m/1/2" and nothing that could be written in two ways.
func parsePath(path string) ([]uint32, error) {
	bad := inputError("path", fmt.Sprintf("%.60q is not a derivation path like m/17/4 of 1 to %d levels", path, pathLevelsMax))
	parts := strings.Split(path, "/")
	if parts[0] != "m" || len(parts) < 2 || len(parts) > pathLevelsMax+1 {
		return nil, bad
	}
	levels := make([]uint32, 0, pathLevelsMax)
	for _, part := range parts[1:] {
		level, err := strconv.ParseUint(part, 10, 31)
		if err != nil || strconv.FormatUint(level, 10) != part {
			return nil, bad
		}
		levels = append(levels, uint32(level))
	}
	return levels, nil
}
