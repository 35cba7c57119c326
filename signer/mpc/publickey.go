package mpc

import (
	"encoding/hex"
	"math/big"
)

// PublicKey is a point of secp256k1, big endian. It is comparable. The zero value is no key.
type PublicKey struct {
	X, Y [32]byte
}

// Uncompressed returns 0x04, X, Y (SEC 1, section 2.3.3). An Ethereum address is a hash of the last 64 bytes.
func (k PublicKey) Uncompressed() [65]byte {
	var out [65]byte
	out[0] = 4
	copy(out[1:33], k.X[:])
	copy(out[33:], k.Y[:])
	return out
}

// Compressed returns 0x02 or 0x03, by the parity of Y, and X (SEC 1, section 2.3.3).
func (k PublicKey) Compressed() [33]byte {
	var out [33]byte
	out[0] = 2 | k.Y[31]&1
	copy(out[1:], k.X[:])
	return out
}

// String is the compressed key in hex.
func (k PublicKey) String() string {
	compressed := k.Compressed()
	return hex.EncodeToString(compressed[:])
}

func publicKey(x, y *big.Int) PublicKey {
	var k PublicKey
	x.FillBytes(k.X[:])
	y.FillBytes(k.Y[:])
	return k
}
