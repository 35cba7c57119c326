package keystore

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/purserhq/purser/internal/secret"
)

const (
	passphraseName    = "passphrase"
	passphraseVersion = 1

	// The second recommended parameters of RFC 9106, section 4; also the least that is accepted.
	argonPasses    = 3
	argonMemoryKiB = 64 << 10
	argonLanes     = 4
	argonSaltBytes = 16

	// What a file may ask of us before it is authenticated. Memory is the dangerous one.
	argonPassesMax    = 8
	argonMemoryKiBMax = 256 << 10
	argonLanesMax     = 8

	passphraseBytesMin = 16
	passphraseBytesMax = 1024
)

// PassphraseWrapper wraps keys under a key derived from a passphrase by argon2id (RFC 9106). It belongs to one keystore:
// the salt is made with the keystore, and the derivation, some 100 ms and 64 MiB, happens once. It prints as [redacted]
// and is safe for concurrent use.
type PassphraseWrapper struct {
	secret.Hidden
	held *passphraseKey
}

type passphraseKey struct {
	mu         sync.Mutex
	random     io.Reader
	passphrase []byte // wiped when the key is derived
	argon      argonParameters
	aead       cipher.AEAD // nil until derived
}

type argonParameters struct {
	passes, memoryKiB uint32
	lanes             uint8
	salt              [argonSaltBytes]byte
}

var _ KeyWrapper = (*PassphraseWrapper)(nil)

// NewPassphraseWrapper takes a passphrase of 16 to 1024 bytes and wipes it when it is no longer needed. A nil random
// means crypto/rand.
func NewPassphraseWrapper(passphrase Secret, random io.Reader) (*PassphraseWrapper, error) {
	if n := len(passphrase.Bytes()); n < passphraseBytesMin || n > passphraseBytesMax {
		return nil, inputError("passphrase", "a passphrase has %d to %d bytes, this one %d", passphraseBytesMin, passphraseBytesMax, n)
	}
	if random == nil {
		random = rand.Reader
	}
	return &PassphraseWrapper{held: &passphraseKey{random: random, passphrase: passphrase.Bytes()}}, nil
}

// OpenPassphraseFile reads the passphrase from a file that only its owner may read. One line break at its end is not
// part of it.
func OpenPassphraseFile(path string, random io.Reader) (*PassphraseWrapper, error) {
	content, err := ReadPrivateFile(path, passphraseBytesMax+2)
	if err != nil {
		return nil, fmt.Errorf("read passphrase file: %w", err)
	}
	line := bytes.TrimSuffix(content.Bytes(), []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	return NewPassphraseWrapper(ownSecret(line), random)
}

// Name is "passphrase".
func (w *PassphraseWrapper) Name() string { return passphraseName }

// Close wipes the passphrase, if it is still held, and forgets the derived key: the wrapper refuses from then on.
func (w *PassphraseWrapper) Close() {
	w.held.mu.Lock()
	defer w.held.mu.Unlock()
	wipe(w.held.passphrase)
	w.held.passphrase, w.held.aead = nil, nil
}

// Wrap encrypts under the derived key with a random nonce of 192 bits. The result is
//
//	version(1)=1 passes(4) memory in KiB(4) lanes(1) salt(16) nonce(24) ciphertext(48)
func (w *PassphraseWrapper) Wrap(ctx context.Context, dek, aad []byte) ([]byte, error) {
	if len(dek) != keyBytes {
		return nil, inputError("key", "a key has %d bytes", keyBytes)
	}
	w.held.mu.Lock()
	defer w.held.mu.Unlock()
	if w.held.aead == nil {
		fresh := argonParameters{passes: argonPasses, memoryKiB: argonMemoryKiB, lanes: argonLanes}
		if _, err := io.ReadFull(w.held.random, fresh.salt[:]); err != nil {
			return nil, fmt.Errorf("make salt: %w", err)
		}
		if err := w.held.derive(ctx, fresh); err != nil {
			return nil, err
		}
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := io.ReadFull(w.held.random, nonce); err != nil {
		return nil, fmt.Errorf("make nonce: %w", err)
	}
	return w.held.aead.Seal(append(w.held.argon.append(nil), nonce...), nonce, dek, aad), nil
}

// Unwrap derives the key with the parameters it finds at first, if they are within bounds, and accepts no others later:
// a hostile file can make it derive once, not once per file.
func (w *PassphraseWrapper) Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	found, nonce, ciphertext, ok := decodePassphraseWrapped(wrapped)
	if !ok {
		return nil, alteredError("wrapped key", "the key was not wrapped by a passphrase within this version's bounds")
	}
	w.held.mu.Lock()
	if w.held.aead == nil {
		if err := w.held.derive(ctx, found); err != nil {
			w.held.mu.Unlock()
			return nil, err
		}
	}
	aead, argon := w.held.aead, w.held.argon
	w.held.mu.Unlock()
	if found != argon {
		return nil, alteredError("wrapped key", "the key was wrapped under the passphrase of another keystore")
	}
	dek, err := aead.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, lockedError("passphrase")
	}
	return dek, nil
}

// derive is called under the lock.
func (k *passphraseKey) derive(ctx context.Context, argon argonParameters) error {
	if k.passphrase == nil {
		return lockedError("passphrase wrapper, which is closed")
	}
	if err := ctx.Err(); err != nil { // the derivation itself cannot be interrupted
		return fmt.Errorf("derive key from passphrase: %w", err)
	}
	kek := argon2.IDKey(k.passphrase, argon.salt[:], argon.passes, argon.memoryKiB, argon.lanes, keyBytes)
	defer wipe(kek) // the cipher keeps its own copy
	aead, err := chacha20poly1305.NewX(kek)
	if err != nil {
		return fmt.Errorf("derive key from passphrase: %w", err)
	}
	wipe(k.passphrase)
	k.passphrase, k.aead, k.argon = nil, aead, argon
	return nil
}

func (p argonParameters) append(data []byte) []byte {
	data = binary.BigEndian.AppendUint32(append(data, passphraseVersion), p.passes)
	data = binary.BigEndian.AppendUint32(data, p.memoryKiB)
	return append(append(data, p.lanes), p.salt[:]...)
}

func (p argonParameters) bounded() bool {
	return p.passes >= argonPasses && p.passes <= argonPassesMax &&
		p.memoryKiB >= argonMemoryKiB && p.memoryKiB <= argonMemoryKiBMax && p.lanes >= 1 && p.lanes <= argonLanesMax
}

func decodePassphraseWrapped(wrapped []byte) (argon argonParameters, nonce, ciphertext []byte, ok bool) {
	r := reader{rest: wrapped}
	if r.u8() != passphraseVersion {
		r.fail()
	}
	argon = argonParameters{passes: r.u32(), memoryKiB: r.u32(), lanes: r.u8()}
	copy(argon.salt[:], r.fixed(argonSaltBytes))
	nonce, ciphertext = r.fixed(chacha20poly1305.NonceSizeX), r.fixed(keyBytes+chacha20poly1305.Overhead)
	return argon, nonce, ciphertext, r.done() && argon.bounded()
}
