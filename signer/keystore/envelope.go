package keystore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	sealedMagic   = "purser sealed\n"
	sealedVersion = 1

	// BlobBytesMax bounds one secret. A keyshare has some 15 kB.
	BlobBytesMax = 256 << 10

	macBytes           = sha256.Size
	labelBytesMax      = 1 + 1 + 4 + 1 + nameBytesMax + 1 + schemeBytesMax + 1 + 2*nameBytesMax + 1
	sealedBytesMax     = len(sealedMagic) + 1 + labelBytesMax + 4 + recordBytesMax + 2 + WrappedBytesMax + chacha20poly1305.NonceSizeX + 4 + ciphertextBytesMax + macBytes
	secretBytesMax     = 1 + chainCodeBytes + BlobBytesMax
	ciphertextBytesMax = secretBytesMax + chacha20poly1305.Overhead
)

// sealed is a file that holds a secret:
//
//	magic(14) version(1)=1 label public(4+n) wrapped key(2+n) nonce(24) ciphertext(4+n) mac(32)
//
// with integers big endian. The mac covers the store id and everything before it.
type sealed struct {
	label      label
	public     []byte
	wrapped    []byte
	nonce      []byte
	ciphertext []byte
}

func (s sealed) encode() []byte {
	data := append([]byte(sealedMagic), sealedVersion)
	data = s.label.append(data)
	data = appendSized32(data, s.public)
	data = appendSized16(data, s.wrapped)
	data = append(data, s.nonce...)
	return appendSized32(data, s.ciphertext)
}

// decodeSealed reads what encode wrote, without the mac. Its fields alias data.
func decodeSealed(data []byte) (sealed, bool) {
	r := reader{rest: data}
	r.expect(sealedMagic + string(rune(sealedVersion)))
	s := sealed{label: readLabel(&r)}
	s.public, s.wrapped = r.sized(4, recordBytesMax), r.sized(2, WrappedBytesMax)
	s.nonce, s.ciphertext = r.fixed(chacha20poly1305.NonceSizeX), r.sized(4, ciphertextBytesMax)
	return s, r.done() && len(s.wrapped) > 0 && len(s.ciphertext) > chacha20poly1305.Overhead
}

// sealer turns secrets into files and back.
type sealer struct {
	wrapper KeyWrapper
	random  io.Reader
	store   string
	macKey  []byte
}

// associated is the canonical encoding of everything a secret is bound to: version, label, store id, public record.
func (s *sealer) associated(place label, public []byte) []byte {
	return associatedData(s.store, place, public)
}

func associatedData(store string, place label, public []byte) []byte {
	data := append([]byte(sealedMagic), sealedVersion)
	data = place.append(data)
	data = appendText(data, store)
	return appendSized32(data, public)
}

func (s *sealer) mac(file []byte) []byte { return storeMAC(s.macKey, s.store, file) }

func storeMAC(key []byte, store string, message []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(appendText(nil, store))
	mac.Write(message)
	return mac.Sum(nil)
}

// seal encrypts under a key of its own. It does not keep the secret.
func (s *sealer) seal(ctx context.Context, place label, public, secret []byte) ([]byte, error) {
	if len(secret) == 0 || len(secret) > secretBytesMax {
		return nil, inputError("blob", "a secret has 1 to %d bytes, this one %d", BlobBytesMax, len(secret))
	}
	dek := make([]byte, keyBytes)
	defer wipe(dek)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	for _, buffer := range [][]byte{dek, nonce} {
		if _, err := io.ReadFull(s.random, buffer); err != nil {
			return nil, fmt.Errorf("seal secret: read random: %w", err)
		}
	}
	aad := s.associated(place, public)
	wrapped, err := wrapKey(ctx, s.wrapper, dek, aad)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(dek)
	if err != nil {
		return nil, fmt.Errorf("seal secret: %w", err)
	}
	file := sealed{label: place, public: public, wrapped: wrapped, nonce: nonce, ciphertext: aead.Seal(nil, nonce, secret, aad)}.encode()
	return append(file, s.mac(file)...), nil
}

// inspect authenticates a file and where it lies, without unwrapping its key.
func (s *sealer) inspect(data []byte, where string) (sealed, error) {
	body := data[:max(len(data)-macBytes, 0)]
	if subtle.ConstantTimeCompare(s.mac(body), data[len(body):]) != 1 {
		return sealed{}, alteredError(where, "the file is not one that this keystore wrote")
	}
	file, ok := decodeSealed(body)
	if !ok {
		return sealed{}, alteredError(where, "the file is authentic, but not of this version's format")
	}
	return file, nil
}

// open decrypts a file that must carry the label of its place.
func (s *sealer) open(ctx context.Context, data []byte, place label, where string) (Secret, error) {
	file, err := s.inspect(data, where)
	if err != nil {
		return Secret{}, err
	}
	if file.label != place {
		return Secret{}, alteredError(where, "the file belongs to another place")
	}
	aad := s.associated(place, file.public)
	dek, err := unwrapKey(ctx, s.wrapper, file.wrapped, aad)
	if err != nil {
		return Secret{}, fmt.Errorf("open %s: %w", where, err)
	}
	defer wipe(dek)
	aead, err := chacha20poly1305.NewX(dek)
	if err != nil {
		return Secret{}, fmt.Errorf("open %s: %w", where, err)
	}
	plain, err := aead.Open(nil, file.nonce, file.ciphertext, aad)
	if err != nil {
		return Secret{}, alteredError(where, "the secret does not decrypt")
	}
	return ownSecret(plain), nil
}
