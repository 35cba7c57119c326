package signer

import (
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
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
