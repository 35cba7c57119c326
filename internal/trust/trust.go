// Package trust says who made a plugin: it signs modules and checks signatures in minisign's prehashed format (Ed25519
// over BLAKE2b-512), so that Debian's minisign can do both as well. It refuses what is not prehashed, what it would
// have to guess, and every signer that was not named; it reads no network and holds no list of its own.
//
// The format is that of https://jedisct1.github.io/minisign/. A signature covers the module's bytes, and with them the
// manifest; the trusted comment repeats name, version and SHA-256 for people, and is refused where it lies.
package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/purserhq/purser/abi"
)

// SignatureEnding is appended to a module's file name to name its signature's, as minisign does.
const SignatureEnding = ".minisig"

// Bounds of what is read. minisign itself allows longer comments; nobody needs them here.
const (
	// SignatureBytesMax bounds a signature file.
	SignatureBytesMax = 4 << 10
	// KeyFileBytesMax bounds a key file, public or private.
	KeyFileBytesMax = 1 << 10
	// SignersMax bounds a list of signers.
	SignersMax = 16
	// DigestsMax bounds an allow-list of modules.
	DigestsMax = 64
)

// Codes of this package's errors.
const (
	// CodeKeyInvalid: a key, or its file, is not one.
	CodeKeyInvalid = "key_invalid"
	// CodePassphraseWrong: the passphrase does not open the private key.
	CodePassphraseWrong = "passphrase_wrong"
	// CodePassphraseMissing: the private key is encrypted, and no passphrase was given.
	CodePassphraseMissing = "passphrase_missing"
	// CodeSignatureMissing: a signer is demanded, and there is no signature.
	CodeSignatureMissing = "signature_missing"
	// CodeSignatureInvalid: the file is no signature.
	CodeSignatureInvalid = "signature_invalid"
	// CodeSignatureLegacy: a signature over the plain bytes, from before minisign hashed first.
	CodeSignatureLegacy = "signature_legacy"
	// CodeSignatureMismatch: the signature, or what its comment says, belongs to something else.
	CodeSignatureMismatch = "signature_mismatch"
	// CodeSignerUntrusted: the key that signed is none of those demanded.
	CodeSignerUntrusted = "signer_untrusted"
	// CodeModuleUntrusted: the module is none of those on the allow-list.
	CodeModuleUntrusted = "module_untrusted"
)

// Demand is what an operator asks of a module. Everything that is given must hold; the empty Demand asks for nothing.
type Demand struct {
	// SHA256 lists the modules that may be loaded, in lower-case hex.
	SHA256 []string
	// Signers lists public keys as minisign prints them ("RW…"); one of them must have signed.
	Signers []string
}

// Require refuses a module that does not meet the demand. signature reads the signature file, and is called only where
// a signer is demanded; an error that is fs.ErrNotExist means that there is none. It must bound what it reads by
// SignatureBytesMax plus one.
func Require(module []byte, demand Demand, signature func() ([]byte, error)) error {
	if len(demand.SHA256) > 0 {
		if sum := sha256.Sum256(module); !slices.Contains(demand.SHA256, hex.EncodeToString(sum[:])) {
			return &abi.Error{
				Code: CodeModuleUntrusted, Message: fmt.Sprintf("no allow-list names a module with the SHA-256 %x", sum),
				Fix: "review the module, then write its digest under trust: in the policy",
			}
		}
	}
	if len(demand.Signers) == 0 {
		return nil
	}
	signers := make([]PublicKey, 0, len(demand.Signers))
	for _, text := range demand.Signers {
		key, err := ParsePublicKey(text)
		if err != nil {
			return err
		}
		signers = append(signers, key)
	}
	file, err := signature()
	if errors.Is(err, fs.ErrNotExist) {
		return &abi.Error{
			Code: CodeSignatureMissing, Message: "a signer is demanded, and the module has no signature", Cause: err,
			Fix: "put the signature beside the module, as its name and " + SignatureEnding,
		}
	}
	if err != nil {
		return fmt.Errorf("read signature: %w", err)
	}
	_, err = Verify(module, file, signers)
	return err
}
