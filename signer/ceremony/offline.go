package ceremony

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/keystore"
)

// ErrSealedAway says that a share is there and this seat was not given the key that opens it.
var ErrSealedAway = errors.New("the share is sealed to a key that is not here")

const (
	inForceSuffix = ".share3.age"
	pendingSuffix = ".pending.age"
	recordSuffix  = ".wallet.json"
	unfinished    = ".new-"

	offlineFilesMax  = 10_000
	recordBytesMax   = 8 << 10
	offlineAgeFolder = 0o700
)

// OfflineConfig says where share 3 is.
type OfflineConfig struct {
	// Dir is a folder of this user alone. It is made when it is missing.
	Dir string
	// Recipients are whom new shares are encrypted to, see [keystore.SealForRecovery].
	Recipients []string
	// Identity is the content of an age identity file; the zero Secret leaves the shares closed. It stays the caller's.
	Identity keystore.Secret
}

// Offline keeps the recovery role's shares as age files, one for each wallet and epoch, with a small public record of the
// wallet beside them. A file never replaces another; putting an epoch in force is one rename:
//
//	<wallet>.<epoch>.pending.age   not in force yet
//	<wallet>.<epoch>.share3.age    in force, if it is the highest
//	<wallet>.wallet.json           public: scheme, key, networks
type Offline struct{ config OfflineConfig }

var _ Shares = (*Offline)(nil)

// OpenOffline checks the folder, and removes what a crash left of files that were never whole.
func OpenOffline(config OfflineConfig) (*Offline, error) {
	if err := os.Mkdir(config.Dir, offlineAgeFolder); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("open the recovery folder: %w", err)
	}
	info, err := os.Lstat(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the recovery folder: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return nil, &abi.Error{
			Code: keystore.CodeExposed, Where: config.Dir, Message: "this is not a folder of this user alone", Fix: "make it yours: chmod 700", Retry: abi.RetryNever,
		}
	}
	o := &Offline{config}
	names, err := o.list()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasPrefix(name, unfinished) {
			if err := os.Remove(o.path(name)); err != nil {
				return nil, fmt.Errorf("open the recovery folder: %w", err)
			}
		}
	}
	return o, nil
}

// Wallets lists the wallets that have a share here, by name.
func (o *Offline) Wallets() ([]string, error) {
	names, err := o.list()
	if err != nil {
		return nil, err
	}
	var wallets []string
	for _, name := range names {
		if wallet, _, _, ok := parseShareName(name); ok {
			wallets = append(wallets, wallet)
		}
	}
	slices.Sort(wallets)
	return slices.Compact(wallets), nil
}

// Status looks at names only: nothing is opened.
func (o *Offline) Status(wallet string) (Status, error) {
	names, err := o.list()
	if err != nil {
		return Status{}, err
	}
	var status Status
	var settled []uint32
	for _, name := range names {
		owner, epoch, pending, ok := parseShareName(name)
		switch {
		case !ok || owner != wallet:
		case pending:
			status.Pending = append(status.Pending, epoch)
		default:
			settled = append(settled, epoch)
		}
	}
	if len(settled) > 0 {
		slices.Sort(settled)
		last := settled[len(settled)-1]
		status.Active, status.Retiring = &last, settled[:len(settled)-1]
	}
	slices.Sort(status.Pending)
	return status, nil
}

// Terms reads the wallet's record, or the share itself when there is none and the identity is here.
func (o *Offline) Terms(ctx context.Context, wallet string) (Terms, bool, error) {
	if record, known, err := o.record(wallet); known || err != nil {
		return record, known, err
	}
	status, err := o.Status(wallet)
	if err != nil {
		return Terms{}, false, err
	}
	epoch, any := status.newest()
	if !any {
		return Terms{}, false, nil
	}
	share, err := o.Load(ctx, wallet, epoch)
	if errors.Is(err, ErrSealedAway) {
		return Terms{}, false, nil
	}
	if err != nil {
		return Terms{}, false, err
	}
	defer share.Blob.Wipe()
	terms := termsOf(share)
	terms.Chain = "" // this role never has a chain code, whether or not there is one
	return terms, true, nil
}

// Load opens a share with the identity. It returns [ErrSealedAway] in its chain when there is none.
func (o *Offline) Load(_ context.Context, wallet string, epoch uint32) (keystore.Share, error) {
	data, err := o.read(wallet, epoch)
	if err != nil {
		return keystore.Share{}, err
	}
	if len(o.config.Identity.Bytes()) == 0 {
		return keystore.Share{}, fmt.Errorf("open share 3 of %s, epoch %d: %w", wallet, epoch, &abi.Error{
			Code: CodeImpossible, Message: "the share is sealed to an age key that was not named", Fix: "name it: --identity FILE", Retry: abi.RetryNever, Cause: ErrSealedAway,
		})
	}
	share, err := keystore.OpenRecovery(o.config.Identity, data)
	if err != nil {
		return keystore.Share{}, err
	}
	if share.Wallet != wallet || share.Epoch != epoch {
		share.Blob.Wipe()
		return keystore.Share{}, inconsistent("the file of %s, epoch %d, holds the share of %s, epoch %d", wallet, epoch, share.Wallet, share.Epoch)
	}
	return share, nil
}

func (o *Offline) read(wallet string, epoch uint32) ([]byte, error) {
	var err error
	for _, suffix := range []string{inForceSuffix, pendingSuffix} {
		var content keystore.Secret
		if content, err = keystore.ReadPrivateFile(o.path(shareName(wallet, epoch, suffix)), keystore.RecoveryBytesMax); err == nil {
			return content.Bytes(), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return nil, fmt.Errorf("read share 3: %w", err)
}

// Put encrypts a share to the recipients and writes it beside the others.
func (o *Offline) Put(_ context.Context, share keystore.Share) error {
	status, err := o.Status(share.Wallet)
	if err != nil {
		return err
	}
	if slices.Contains(status.all(), share.Epoch) || (status.Active != nil && share.Epoch < *status.Active) {
		return inconsistent("there is a share 3 of %s, epoch %d or later, already", share.Wallet, share.Epoch)
	}
	sealed, err := keystore.SealForRecovery(o.config.Recipients, share)
	if err != nil {
		return err
	}
	record, err := json.Marshal(recordFile{
		Wallet: share.Wallet, Scheme: share.Scheme, PublicKey: hex.EncodeToString(share.Public.PublicKey), Address: share.Public.Address, Networks: share.Public.Networks,
	})
	if err != nil {
		return fmt.Errorf("write share 3: %w", err)
	}
	// The record of a key generation that did not come to its end is replaced; a later epoch's is the same anyway.
	if status.Active == nil {
		if err := o.publish(share.Wallet+recordSuffix, append(record, '\n'), true); err != nil {
			return err
		}
	}
	return o.publish(shareName(share.Wallet, share.Epoch, pendingSuffix), sealed, false)
}

// Activate renames a pending share. Pools mean nothing here.
func (o *Offline) Activate(wallet string, epoch uint32, _ bool) error {
	status, err := o.Status(wallet)
	switch {
	case err != nil:
		return err
	case status.has(epoch):
		return nil
	case status.Active != nil && *status.Active > epoch:
		return inconsistent("epoch %d of %s is in force here, epoch %d came before it", *status.Active, wallet, epoch)
	case !slices.Contains(status.Pending, epoch):
		return inconsistent("there is no share 3 of %s, epoch %d", wallet, epoch)
	}
	if err := os.Rename(o.path(shareName(wallet, epoch, pendingSuffix)), o.path(shareName(wallet, epoch, inForceSuffix))); err != nil {
		return fmt.Errorf("put share 3 in force: %w", err)
	}
	return o.sync()
}

// Destroy unlinks a share that is not in force. Copies of the file elsewhere are not reached; they are worthless once the
// other roles have destroyed theirs.
func (o *Offline) Destroy(wallet string, epoch uint32) error {
	status, err := o.Status(wallet)
	if err != nil {
		return err
	}
	if status.has(epoch) {
		return inconsistent("epoch %d of %s is in force and is not destroyed", epoch, wallet)
	}
	for _, suffix := range []string{inForceSuffix, pendingSuffix} {
		if err := os.Remove(o.path(shareName(wallet, epoch, suffix))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("destroy share 3: %w", err)
		}
	}
	return o.sync()
}

// recordFile is <wallet>.wallet.json.
type recordFile struct {
	Wallet    string        `json:"wallet"`
	Scheme    string        `json:"scheme"`
	PublicKey string        `json:"public_key"`
	Address   string        `json:"address,omitempty"`
	Networks  []abi.Network `json:"networks,omitempty"`
}

func (o *Offline) record(wallet string) (Terms, bool, error) {
	content, err := keystore.ReadPrivateFile(o.path(wallet+recordSuffix), recordBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return Terms{}, false, nil
	}
	if err != nil {
		return Terms{}, false, err
	}
	var file recordFile
	if err := json.Unmarshal(content.Bytes(), &file); err != nil {
		return Terms{}, false, inconsistent("%s%s cannot be read: %v", wallet, recordSuffix, err)
	}
	key, err := hex.DecodeString(file.PublicKey)
	if err != nil || file.Wallet != wallet || len(file.Networks) > networksMax {
		return Terms{}, false, inconsistent("%s%s is not the record of that wallet", wallet, recordSuffix)
	}
	return Terms{Scheme: file.Scheme, Networks: file.Networks, PublicKey: key}, true, nil
}

// publish writes a file whole or not at all.
func (o *Offline) publish(name string, content []byte, replace bool) error {
	temporary := o.path(unfinished + name)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := keystore.WritePrivateFile(temporary, content); err != nil {
		return err
	}
	if replace {
		if err := os.Rename(temporary, o.path(name)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return o.sync()
	}
	if err := os.Link(temporary, o.path(name)); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return errors.Join(o.sync(), os.Remove(temporary))
}

func (o *Offline) sync() error {
	folder, err := os.Open(o.config.Dir)
	if err != nil {
		return fmt.Errorf("write the recovery folder: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (o *Offline) list() ([]string, error) {
	folder, err := os.Open(o.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("list the recovery folder: %w", err)
	}
	names, err := folder.Readdirnames(-1)
	if err = errors.Join(err, folder.Close()); err != nil {
		return nil, fmt.Errorf("list the recovery folder: %w", err)
	}
	if len(names) > offlineFilesMax {
		return nil, inconsistent("the recovery folder holds more than %d files", offlineFilesMax)
	}
	return names, nil
}

func (o *Offline) path(name string) string { return filepath.Join(o.config.Dir, name) }

func shareName(wallet string, epoch uint32, suffix string) string {
	return wallet + "." + strconv.FormatUint(uint64(epoch), 10) + suffix
}

// parseShareName reads what shareName wrote; anything else in the folder is not ours.
func parseShareName(name string) (wallet string, epoch uint32, pending, ok bool) {
	rest, pending := strings.CutSuffix(name, pendingSuffix)
	if !pending {
		var settled bool
		if rest, settled = strings.CutSuffix(name, inForceSuffix); !settled {
			return "", 0, false, false
		}
	}
	wallet, number, dotted := strings.Cut(rest, ".")
	parsed, err := strconv.ParseUint(number, 10, 32)
	if !dotted || err != nil || strconv.FormatUint(parsed, 10) != number || !walletPattern.MatchString(wallet) {
		return "", 0, false, false
	}
	return wallet, uint32(parsed), pending, true
}
