package trust

import (
	"bytes"
	"fmt"
	"io"

	"aead.dev/minisign"

	"github.com/purserhq/purser/abi"
)

// Verified says who signed a module.
type Verified struct {
	Signer PublicKey
	// Comment is the trusted comment: the signer wrote it.
	Comment string
}

// Verify checks that one of the signers signed exactly this module, with a prehashed signature, and that the trusted
// comment does not contradict the module. A comment that claims nothing, such as Debian's default, passes: the
// signature covers the module, and the module holds its name and version. The error has code signature_invalid,
// signature_legacy, signer_untrusted or signature_mismatch.
func Verify(module, signature []byte, signers []PublicKey) (Verified, error) {
	if len(module) > abi.ModuleBytesMax {
		return Verified{}, tooLarge(len(module))
	}
	parsed, err := ParseSignature(signature)
	if err != nil {
		return Verified{}, err
	}
	known := false
	for _, signer := range signers {
		if signer.id() != parsed.id { // two keys may share an ID, so this only narrows
			continue
		}
		known = true
		ok, err := verifies(module, parsed, signer)
		if err != nil {
			return Verified{}, err
		}
		if ok {
			if err := checkClaims(parsed.comment, module); err != nil {
				return Verified{}, err
			}
			return Verified{signer, parsed.comment}, nil
		}
	}
	if !known {
		return Verified{}, &abi.Error{
			Code: CodeSignerUntrusted, Message: fmt.Sprintf("the module is signed by key %s, which is not demanded", parsed.KeyID()),
			Fix: "have it signed by a trusted key, or add the signer after checking who that is",
		}
	}
	return Verified{}, &abi.Error{
		Code: CodeSignatureMismatch, Message: fmt.Sprintf("key %s did not sign these bytes", parsed.KeyID()),
		Fix: "get both again; if you changed the module yourself, sign it again with: purser plugin sign FILE --key KEY",
	}
}

func verifies(module []byte, signature Signature, signer PublicKey) (bool, error) {
	key, err := signer.library()
	if err != nil {
		return false, err
	}
	reader := minisign.NewReader(bytes.NewReader(module))
	if _, err := io.Copy(io.Discard, reader); err != nil {
		return false, fmt.Errorf("hash module: %w", err)
	}
	return reader.Verify(key, signature.file), nil
}

func tooLarge(size int) error {
	return &abi.Error{Code: "file_too_large", Message: fmt.Sprintf("the module has %d bytes, at most %d are loaded", size, abi.ModuleBytesMax)}
}
