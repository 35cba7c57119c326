package main

import (
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/mpc"
	"github.com/purserhq/purser/signer/mpc/demowallet"
)

const (
	demoWalletID = demowallet.WalletID
	demoToken    = devchain.TokenAddress
)

// demoNetwork is the only network the demo wallet signs for: its shares are published.
var demoNetwork = fmt.Sprintf("eip155:%d", demowallet.ChainID)

// demoWallet is the public record of the demo wallet.
func demoWallet() (signer.Wallet, error) {
	public, err := demowallet.PublicKey()
	if err != nil {
		return signer.Wallet{}, err
	}
	uncompressed := public.Uncompressed()
	address, err := preimage.EVMAddress(uncompressed[:])
	if err != nil {
		return signer.Wallet{}, err
	}
	return signer.Wallet{ID: demoWalletID, PublicKey: uncompressed[:], Address: address, Networks: []abi.Network{abi.Network(demoNetwork)}}, nil
}

// demoKeys are the demo wallet with the real MPC engine on both sides.
func demoKeys() (walletKey, error) {
	wallet, err := demoWallet()
	if err != nil {
		return walletKey{}, err
	}
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		return walletKey{}, err
	}
	key := walletKey{wallet: wallet}
	for role, party := range map[signer.Role]*signer.Engine{signer.RoleRuntime: &key.runtime, signer.RoleCoSigner: &key.cosigner} {
		share, err := demowallet.Share(role)
		if err != nil {
			return walletKey{}, err
		}
		*party = mpc.NewParty(engine, share)
	}
	return key, nil
}
