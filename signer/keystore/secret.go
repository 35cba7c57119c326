package keystore

import (
	"bytes"
	goruntime "runtime"

	"github.com/purserhq/purser/internal/secret"
)

// Secret is a buffer that prints as [redacted] in every format. It is not safe for use by several goroutines while one
// of them wipes it.
type Secret struct {
	secret.Hidden
	// A pointer: fmt prints an address, not the bytes, where the Secret sits in an unexported field.
	value *secretBytes
}

type secretBytes struct{ bytes []byte }

// NewSecret copies the bytes; the caller wipes its own.
func NewSecret(value []byte) Secret { return ownSecret(bytes.Clone(value)) }

// ownSecret takes the buffer over.
func ownSecret(value []byte) Secret { return Secret{value: &secretBytes{value}} }

// Bytes is the buffer itself, not a copy: it changes when the secret is wiped. Nil for the zero Secret.
func (s Secret) Bytes() []byte {
	if s.value == nil {
		return nil
	}
	return s.value.bytes
}

// Wipe overwrites the buffer and forgets it. See the package comment for what that is worth.
func (s Secret) Wipe() {
	if s.value == nil {
		return
	}
	wipe(s.value.bytes)
	s.value.bytes = nil
}

func wipe(buffer []byte) {
	clear(buffer)
	goruntime.KeepAlive(buffer) // the writes must not be seen as dead
}
