package signer

import (
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/internal/secret"
)

// Wallet is the public record of a wallet. What comes back from a signing session is checked against it, not
// against what the keyshare claims.
type Wallet struct {
	ID string
	// Epoch counts refreshes of the shares.
	Epoch uint32
	// PublicKey is uncompressed, 65 bytes.
	PublicKey []byte
	// Address is the account on eip155 networks, lower case with 0x.
	Address string
	// Networks, when not empty, lists the only networks this wallet may sign for. The demo wallet's shares are
	// published, so it lists the devchain and nothing else.
	Networks []abi.Network
	// ChainCode, when set, lets agents have keys derived under this one. Whoever has it can link an agent's address
	// to the wallet, and with one child's secret key could compute the root's.
	ChainCode ChainCode
	// Derivation says how this key hangs under its root; zero for the root itself.
	Derivation Derivation
}

// ChainCode is BIP-32's: 32 bytes that only the two signers keep. It prints as [redacted].
type ChainCode struct {
	secret.Hidden
	code [32]byte
	set  bool
}

// NewChainCode takes over 32 bytes.
func NewChainCode(code [32]byte) ChainCode { return ChainCode{code: code, set: true} }

// Reveal returns the bytes, to be sealed. It reports false when there is none.
func (c ChainCode) Reveal() ([32]byte, bool) { return c.code, c.set }

// At is the key at a path under this wallet, as a wallet of its own: the same id and epoch, another public key and
// address. The empty path is the wallet itself.
func (w Wallet) At(path string) (Wallet, error) {
	if path == "" && w.Derivation.Path == "" {
		return w, nil
	}
	if w.Derivation.Path != "" || !w.ChainCode.set {
		return Wallet{}, inputError("wallet", fmt.Sprintf("wallet %.60q has no derived keys", w.ID))
	}
	child, tweak, err := derive(w.PublicKey, w.ChainCode.code, path)
	if err != nil {
		return Wallet{}, err
	}
	address, err := preimage.EVMAddress(child)
	if err != nil {
		return Wallet{}, fmt.Errorf("derive wallet %s at %s: %w", w.ID, path, err)
	}
	w.PublicKey, w.Address, w.Derivation, w.ChainCode = child, address, Derivation{Path: path, Tweak: tweak}, ChainCode{}
	return w, nil
}

// MaySign refuses a network that is not on the wallet's list.
func (w Wallet) MaySign(network abi.Network) error {
	if len(w.Networks) == 0 || slices.Contains(w.Networks, network) {
		return nil
	}
	return &abi.Error{
		Code:    "wallet_network_refused",
		Message: fmt.Sprintf("wallet %s signs for %v only, not for %.50q", w.ID, w.Networks, network),
		Fix:     "use a wallet of your own: the demo wallet's key is public",
	}
}
