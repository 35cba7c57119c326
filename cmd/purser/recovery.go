package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/mpc"
)

func recoveryCommand(out *console) *cobra.Command {
	command := &cobra.Command{
		Use: "recovery", Short: "Look at share 3, and take the recovery role's seat",
		Long: "Share 3 is an age file and needs no service. It takes part in ceremonies and signs nothing else. To give a lost role a\n" +
			"new share run `purser ceremony recover` at all three hosts; this command takes the recovery role's seat in it.",
	}
	recovering := ceremonyRecover(out)
	recovering.Short = "Take the recovery role's seat while a lost role gets a new share"
	command.AddCommand(recoveryInspect(out), recovering, ceremonyRefresh(out, "refresh"))
	return command
}

// recoveryInspect opens a file to see that it can be opened, and prints nothing secret of it.
func recoveryInspect(out *console) *cobra.Command {
	var identity string
	command := &cobra.Command{
		Use: "inspect FILE --identity FILE", Aliases: []string{"open"}, Short: "Check that a share 3 opens, and show whose it is", Args: exactly(1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			if identity == "" {
				return usageError{errors.New("--identity is required: the age key file")}
			}
			sealed, err := keystore.ReadPrivateFile(args[0], keystore.RecoveryBytesMax)
			if err != nil {
				return err
			}
			key, err := keystore.ReadPrivateFile(identity, keystore.RecoveryIdentityBytesMax)
			if err != nil {
				return err
			}
			defer key.Wipe()
			share, err := keystore.OpenRecovery(key, sealed.Bytes())
			if err != nil {
				return err
			}
			defer share.Blob.Wipe()
			if err := checkShareThree(share); err != nil {
				return err
			}
			public := hex.EncodeToString(share.Public.PublicKey)
			return out.result(map[string]any{
				"wallet": share.Wallet, "epoch": share.Epoch, "scheme": share.Scheme, "address": share.Public.Address, "public_key": public,
				"networks": share.Public.Networks, "created": share.Public.Created,
			}, fmt.Sprintf("%s  epoch %d  %s\n  address     %s\n  public key  %s\n  networks    %v\n  made        %s\n",
				share.Wallet, share.Epoch, share.Scheme, share.Public.Address, public, share.Public.Networks, share.Public.Created.Format("2006-01-02 15:04 MST")))
		},
	}
	command.Flags().StringVar(&identity, "identity", "", "the age key file that opens it")
	return command
}

// checkShareThree decodes the keyshare, which checks its numbers: a file that opens and holds no usable share must not
// be found out on the day it is needed.
func checkShareThree(share keystore.Share) error {
	var key []byte
	switch share.Scheme {
	case keystore.SchemeECDSA:
		var keyshare mpc.Keyshare
		if err := keyshare.UnmarshalBinary(share.Blob.Bytes()); err != nil {
			return err
		}
		full := keyshare.PublicKey().Uncompressed()
		key = full[:]
	default:
		var keyshare mpc.EdKeyshare
		if err := keyshare.UnmarshalBinary(share.Blob.Bytes()); err != nil {
			return err
		}
		full := keyshare.PublicKey()
		key = full[:]
	}
	if !bytes.Equal(key, share.Public.PublicKey) {
		return &abi.Error{Code: keystore.CodeRecoveryInvalid, Where: share.Wallet, Message: "the share is of another key than the record beside it", Fix: "use another copy of the recovery share"}
	}
	return nil
}
