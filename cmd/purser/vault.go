package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

// signerRoles are the roles that sign, as the signer package numbers them.
var signerRoles = map[string]signer.Role{roleRuntime: signer.RoleRuntime, roleCosigner: signer.RoleCoSigner}

// openKeystore opens the keystore that a configuration names, sealed to the ledger with the id.
func (c keysConfig) openKeystore(ctx context.Context, role signer.Role, storeID string) (*keystore.Keystore, error) {
	wrapper, err := c.wrapper()
	if err != nil {
		return nil, err
	}
	return keystore.Open(ctx, keystore.Config{Dir: c.Folder, Role: role, Wrapper: wrapper, StoreID: storeID})
}

func (c keysConfig) wrapper() (keystore.KeyWrapper, error) {
	switch {
	case c.Folder == "":
		return nil, configError("keys.folder", "no folder is named", "name the folder that purser init made")
	case len(c.Command) > 0 && c.PassphraseFile == "":
		return keystore.NewCommandWrapper(keystore.CommandConfig{Argv: c.Command})
	case len(c.Command) == 0 && c.PassphraseFile != "":
		return keystore.OpenPassphraseFile(c.PassphraseFile, nil)
	default:
		return nil, configError("keys", "want one of passphrase_file and command", "name what unlocks the folder")
	}
}

// openKeys are the wallets of one role: the configured ones, or those of its keystore.
func (s *stack) openKeys(ctx context.Context, role, storeID string) (_ []walletKey, err error) {
	if s.config.vault == nil {
		return s.config.keys, nil
	}
	// A ceremony must not change a keystore that signs. Ledgers in PostgreSQL have no folder to lock.
	if err := os.MkdirAll(s.config.vault.Folder, 0o700); err != nil {
		return nil, err
	}
	release, err := lockFolder(s.config.vault.Folder)
	if err != nil {
		return nil, err
	}
	s.onClose(release)
	vault, err := s.config.vault.openKeystore(ctx, signerRoles[role], storeID)
	if err != nil {
		return nil, err
	}
	s.onClose(vault.Close)
	holdings, err := vault.Wallets()
	if err != nil {
		return nil, err
	}
	engine, err := mpc.New(mpc.Config{})
	if err != nil {
		return nil, err
	}
	var keys []walletKey
	for _, held := range holdings {
		if held.Scheme != keystore.SchemeECDSA {
			continue // ed25519 wallets wait for their chain adapter
		}
		key, err := loadKey(ctx, vault, engine, role, held.Wallet, held.State.Epoch)
		if err != nil {
			return nil, fmt.Errorf("wallet %s: %w", held.Wallet, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, &abi.Error{Code: "wallet_missing", Where: s.config.vault.Folder, Message: "the keystore holds no wallet", Fix: "make one with: purser ceremony keygen, or begin with purser init"}
	}
	return keys, nil
}

func loadKey(ctx context.Context, vault *keystore.Keystore, engine *mpc.Engine, role, wallet string, epoch uint32) (_ walletKey, err error) {
	share, err := vault.Load(ctx, wallet, epoch)
	if err != nil {
		return walletKey{}, err
	}
	defer share.Blob.Wipe()
	var secret mpc.Keyshare
	if err := secret.UnmarshalBinary(share.Blob.Bytes()); err != nil {
		return walletKey{}, err
	}
	key := walletKey{wallet: share.SignerWallet()}
	party := mpc.NewParty(engine, secret)
	switch role {
	case roleRuntime:
		key.runtime = party
	case roleCosigner:
		key.cosigner = party
	default:
		return walletKey{}, errors.New("the role " + role + " signs nothing")
	}
	return key, nil
}
