package trust

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"aead.dev/minisign"

	"github.com/purserhq/purser/abi"
)

const (
	keyIDBytes     = 8
	algorithmBytes = 2
	publicKeyBytes = algorithmBytes + keyIDBytes + 32
	commentMark    = "untrusted comment: "
)

// keyAlgorithm is what a key file calls Ed25519, whatever the signatures hash.
var keyAlgorithm = []byte("Ed")

// PublicKey is a signer's public half. It is comparable; its zero value is no key and verifies nothing.
type PublicKey struct{ raw [publicKeyBytes]byte }

// ParsePublicKey reads a key as minisign prints it: 56 characters of base64 that begin with RW. The error has code
// key_invalid.
func ParsePublicKey(text string) (PublicKey, error) {
	raw, err := decodeBase64(text, publicKeyBytes)
	switch {
	case err != nil:
		return PublicKey{}, badKey("not a minisign public key", err)
	case !bytes.HasPrefix(raw, keyAlgorithm):
		return PublicKey{}, badKey("not an Ed25519 key", nil)
	case isWeak([32]byte(raw[algorithmBytes+keyIDBytes:])):
		return PublicKey{}, badKey("anybody can sign for this key", nil)
	}
	return PublicKey{raw: [publicKeyBytes]byte(raw)}, nil
}

// weakKeys are the encodings of the points of small order, without the sign bit: the signature of anybody verifies under
// them. The list is that of libsodium (ge25519_has_small_order), which minisign refuses too.
var weakKeys = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func isWeak(key [32]byte) bool {
	key[31] &= 0x7f
	return slices.Contains(weakKeys, hex.EncodeToString(key[:]))
}

// ReadPublicKey reads a public key file (a comment and the key), or the key alone. The error has code key_invalid.
func ReadPublicKey(file []byte) (PublicKey, error) {
	if len(file) > KeyFileBytesMax {
		return PublicKey{}, badKey(fmt.Sprintf("the file has more than %d bytes", KeyFileBytesMax), nil)
	}
	return ParsePublicKey(withoutComment(file))
}

// withoutComment drops an untrusted comment in the first line and the end of the last line.
func withoutComment(file []byte) string {
	text := strings.TrimSuffix(string(file), "\n")
	if strings.HasPrefix(text, commentMark) {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

// decodeBase64 is strict: Go's decoder passes over line ends, which would give one key several spellings.
func decodeBase64(text string, size int) ([]byte, error) {
	if len(text) != base64.StdEncoding.EncodedLen(size) || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("want %d characters of base64 in one line", base64.StdEncoding.EncodedLen(size))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err == nil && len(raw) != size {
		err = fmt.Errorf("want %d bytes", size)
	}
	return raw, err
}

// String is the key as minisign prints it, and as policies name it.
func (k PublicKey) String() string { return base64.StdEncoding.EncodeToString(k.raw[:]) }

// ID is the key's identifier as minisign prints it. It is a hint and proves nothing: anybody can make a key with it.
func (k PublicKey) ID() string { return formatID(k.id()) }

func (k PublicKey) id() uint64 {
	return binary.LittleEndian.Uint64(k.raw[algorithmBytes : algorithmBytes+keyIDBytes])
}

func formatID(id uint64) string { return fmt.Sprintf("%016X", id) }

// File is the content of a public key file.
func (k PublicKey) File() []byte {
	return []byte(commentMark + "minisign public key " + k.ID() + "\n" + k.String() + "\n")
}

// library is the key as the library that does the arithmetic takes it.
func (k PublicKey) library() (minisign.PublicKey, error) {
	var key minisign.PublicKey
	if err := key.UnmarshalText([]byte(k.String())); err != nil {
		return key, badKey("not a minisign public key", err)
	}
	return key, nil
}

func badKey(problem string, cause error) error {
	return &abi.Error{
		Code: CodeKeyInvalid, Message: problem, Cause: cause,
		Fix: "make a key with `purser plugin keygen` or `minisign -G`; its public half begins with RW",
	}
}
