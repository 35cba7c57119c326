package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/purserhq/purser/abi"
)

// Digest is a SHA-256 hash.
type Digest [sha256.Size]byte

// String returns the hash in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the hash in lower-case hex.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Identity is what a decision record says about the code that decided. Two calls with equal identities, equal
// requests and equal times give equal bytes and use equal fuel.
type Identity struct {
	// Module is the hash of the module as it was handed to Install, manifest included.
	Module Digest `json:"module_sha256"`
	// Engine is the wazero version.
	Engine string `json:"engine"`
	// Meter is the version of the rewriting pass, which decides what fuel means.
	Meter string `json:"meter"`
	// ABIMinor is the minor version the guest said it was built for.
	ABIMinor uint64 `json:"abi_minor"`
	// Kind is the contract the module implements.
	Kind abi.Kind `json:"kind"`
	// Config is the hash of the configuration bytes; zero before Configure.
	Config Digest `json:"config_sha256"`
	// Grants is the hash of the operator's grants (Grants.hash).
	Grants Digest `json:"grants_sha256"`
}

// lengthPrefixed hashes parts so that no two different lists of parts share an input.
func lengthPrefixed(parts ...[]byte) Digest {
	h := sha256.New()
	for _, part := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return Digest(h.Sum(nil))
}
