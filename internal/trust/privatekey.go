package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"aead.dev/minisign"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/secret"
)

// PassphraseBytesMax is what minisign reads of a passphrase.
const PassphraseBytesMax = 1024

// privateKeyBytes is the size of the encoded private key: algorithms, salt, scrypt's cost, key ID, key and checksum.
const privateKeyBytes = 158

// Passphrase opens a private key file. It prints as [redacted].
type Passphrase struct {
	secret.Hidden
	text *string
}

// ReadPassphrase takes the first line of a file, as minisign takes a line. An empty one is refused: it would be the
// same as none. The error has code passphrase_wrong.
func ReadPassphrase(file []byte) (Passphrase, error) {
	line, rest, _ := strings.Cut(string(file), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" || len(line) >= PassphraseBytesMax || strings.Trim(rest, "\r\n") != "" {
		return Passphrase{}, &abi.Error{
			Code: CodePassphraseWrong, Message: fmt.Sprintf("the passphrase file does not hold one line of 1 to %d bytes", PassphraseBytesMax-1),
			Fix: "write the passphrase, and nothing else, into the file",
		}
	}
	return Passphrase{text: &line}, nil
}

// PrivateKey signs modules. It prints as [redacted].
type PrivateKey struct {
	secret.Hidden
	key *minisign.PrivateKey
}

// GenerateKey makes a key from the random source, which must be fit for keys.
func GenerateKey(random io.Reader) (PrivateKey, error) {
	_, key, err := minisign.GenerateKey(random)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generate key: %w", err)
	}
	return PrivateKey{key: &key}, nil
}

// Public is the half that others get. The error has code key_invalid: the private key was not whole.
func (k PrivateKey) Public() (PublicKey, error) {
	if k.key == nil {
		return PublicKey{}, badKey("no key", nil)
	}
	public, ok := k.key.Public().(minisign.PublicKey)
	if !ok {
		return PublicKey{}, badKey("no minisign key", nil)
	}
	return ParsePublicKey(public.String())
}

// File is the content of a private key file, encrypted with scrypt at libsodium's highest cost: it takes seconds and
// 1 GiB of memory, as does reading it. Without a passphrase the file itself is the secret, as after `minisign -G -W`.
func (k PrivateKey) File(passphrase *Passphrase) ([]byte, error) {
	if k.key == nil {
		return nil, badKey("no key", nil)
	}
	var text []byte
	var err error
	if passphrase == nil || passphrase.text == nil {
		text, err = k.key.MarshalText()
	} else {
		text, err = minisign.EncryptKey(*passphrase.text, *k.key)
	}
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return append(text, '\n'), nil
}

// ReadPrivateKey reads what File wrote, or minisign did. A nil passphrase reads unencrypted files only. The error has
// code key_invalid, passphrase_missing or passphrase_wrong, and never quotes the file.
func ReadPrivateKey(file []byte, passphrase *Passphrase) (PrivateKey, error) {
	if len(file) > KeyFileBytesMax {
		return PrivateKey{}, badKey(fmt.Sprintf("the file has more than %d bytes", KeyFileBytesMax), nil)
	}
	raw, err := decodeBase64(withoutComment(file), privateKeyBytes)
	if err != nil || !bytes.HasPrefix(raw, keyAlgorithm) {
		return PrivateKey{}, badKey("the file holds no minisign private key", nil) // the cause could quote the key
	}
	canonical := []byte(base64.StdEncoding.EncodeToString(raw))
	if minisign.IsEncrypted(canonical) {
		return decrypt(canonical, passphrase)
	}
	var key minisign.PrivateKey
	if err := key.UnmarshalText(canonical); err != nil {
		return PrivateKey{}, badKey("the file holds no minisign private key", nil)
	}
	return PrivateKey{key: &key}, nil
}

func decrypt(encoded []byte, passphrase *Passphrase) (PrivateKey, error) {
	if passphrase == nil || passphrase.text == nil {
		return PrivateKey{}, &abi.Error{
			Code: CodePassphraseMissing, Message: "the private key is encrypted", Fix: "name a file with its passphrase: --passphrase-file",
		}
	}
	// The library bounds scrypt's cost, which the file dictates, by libsodium's own highest.
	key, err := minisign.DecryptKey(*passphrase.text, encoded)
	if err != nil {
		return PrivateKey{}, &abi.Error{Code: CodePassphraseWrong, Message: "the passphrase does not open the private key", Fix: "check the passphrase file"}
	}
	return PrivateKey{key: &key}, nil
}
