package trust

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/purserhq/purser/abi"
)

// claimMark begins a trusted comment that claims something about the module.
const claimMark = "purser plugin "

// claims is the trusted comment of a signature over the module: for people, who read it where no module is at hand.
func claims(module []byte) (string, error) {
	manifest, err := Manifest(module)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%sname=%s version=%s sha256=%x", claimMark, manifest.Name, manifest.Version, sha256.Sum256(module)), nil
}

// checkClaims refuses a comment that says something else than the module: whoever reads only the comment would take
// the module for another.
func checkClaims(comment string, module []byte) error {
	if !strings.HasPrefix(comment, claimMark) {
		return nil
	}
	want, err := claims(module)
	if err != nil {
		return err
	}
	if comment != want {
		return &abi.Error{
			Code: CodeSignatureMismatch, Message: "the trusted comment names another module",
			Fix: "the module was built again after it was signed, or is passed off as another: get both again, or sign yours again with: purser plugin sign FILE --key KEY",
		}
	}
	return nil
}

// Plausible checks what can be checked of a signature without anybody's key: that it is one, and that its comment, if
// it claims something, claims it of this module. It proves nothing; it finds the signature of the build before.
func Plausible(module, signature []byte) error {
	parsed, err := ParseSignature(signature)
	if err != nil {
		return err
	}
	return checkClaims(parsed.comment, module)
}
