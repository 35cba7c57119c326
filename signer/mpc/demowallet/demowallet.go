// Package demowallet holds the three keyshares of one wallet that everybody has, so that a first payment needs no
// key generation, and it refuses to pretend that they are worth anything.
//
// INSECURE BY DESIGN: the shares are published with the source. Whoever reads this file owns the wallet. Package
// signer signs with it for chain [ChainID] only, the local devchain; money sent to its address on any real chain
// is gone.
package demowallet

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/purserhq/purser/signer/mpc"
)

//go:generate go run ./gen

const (
	// ChainID is the EIP-155 id of the devchain, the only chain the demo wallet may sign for.
	ChainID uint64 = 402402
	// WalletID names the wallet in sessions and logs.
	WalletID = "demo"
)

//go:embed share*.bin
var files embed.FS

// Share returns the demo wallet's keyshare of a role.
func Share(role mpc.Role) (mpc.Keyshare, error) {
	data, err := fs.ReadFile(files, fmt.Sprintf("share%d.bin", role))
	if err != nil {
		return mpc.Keyshare{}, fmt.Errorf("demo keyshare of the %s: %w", role, err)
	}
	var share mpc.Keyshare
	if err := share.UnmarshalBinary(data); err != nil {
		return mpc.Keyshare{}, fmt.Errorf("demo keyshare of the %s: %w", role, err)
	}
	if share.Role() != role {
		return mpc.Keyshare{}, fmt.Errorf("demo keyshare of the %s belongs to the %s", role, share.Role())
	}
	return share, nil
}

// PublicKey returns the demo wallet's public key.
func PublicKey() (mpc.PublicKey, error) {
	share, err := Share(mpc.Runtime)
	if err != nil {
		return mpc.PublicKey{}, err
	}
	return share.PublicKey(), nil
}
