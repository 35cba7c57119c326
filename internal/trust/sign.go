package trust

import (
	"bytes"
	"fmt"
	"io"

	"aead.dev/minisign"

	"github.com/purserhq/purser/abi"
)

// Sign returns the content of a signature file for a module. The module must hold a manifest: its name, version and
// SHA-256 go into the trusted comment. Signing the same module again gives the same bytes.
func Sign(module []byte, key PrivateKey) ([]byte, error) {
	if len(module) > abi.ModuleBytesMax {
		return nil, tooLarge(len(module))
	}
	public, err := key.Public()
	if err != nil {
		return nil, err
	}
	comment, err := claims(module)
	if err != nil {
		return nil, err
	}
	reader := minisign.NewReader(bytes.NewReader(module))
	if _, err := io.Copy(io.Discard, reader); err != nil {
		return nil, fmt.Errorf("hash module: %w", err)
	}
	signature := reader.SignWithComments(*key.key, comment, "signature of a purser plugin by key "+public.ID())
	// A key file whose halves do not belong together gives a signature that betrays the key: it must not get out.
	if _, err := Verify(module, signature, []PublicKey{public}); err != nil {
		return nil, badKey("the private key is damaged: its signature does not verify", err)
	}
	return signature, nil
}
