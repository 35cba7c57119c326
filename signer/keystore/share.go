package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/purserhq/purser/signer"
)

const chainCodeBytes = 32

// Share is one role's part of one epoch of a wallet.
type Share struct {
	// Wallet names the wallet: 1 to 64 of [a-z0-9_-], not starting with a dash.
	Wallet string
	// Epoch counts refreshes of the shares.
	Epoch uint32
	Role  signer.Role
	// Scheme is [SchemeECDSA] or [SchemeEdDSA].
	Scheme string
	// Public is kept in the clear.
	Public Record
	// Blob is the engine's encoding of the keyshare, 1 byte to [BlobBytesMax]. The keystore never looks into it.
	Blob Secret
	// ChainCode is sealed together with the blob. Only the two signers of an ECDSA wallet may have one.
	ChainCode signer.ChainCode
}

// Listed is the public part of a stored share.
type Listed struct {
	Wallet string
	Epoch  uint32
	Scheme string
	Public Record
}

// stored is what the keystore knows of a share file. The mac is the file's identity: an earlier file of the same place,
// left by a refresh that was given up, is authentic too, and not the one.
type stored struct {
	Listed
	mac [macBytes]byte
}

// SignerWallet is the record that signatures are checked against, without the sealed chain code: no keys derive from it.
func (l Listed) SignerWallet() signer.Wallet {
	return signer.Wallet{
		ID: l.Wallet, Epoch: l.Epoch, Address: l.Public.Address,
		PublicKey: slices.Clone(l.Public.PublicKey), Networks: slices.Clone(l.Public.Networks),
	}
}

// SignerWallet is the record that signatures are checked against, chain code included.
func (s Share) SignerWallet() signer.Wallet {
	wallet := Listed{Wallet: s.Wallet, Epoch: s.Epoch, Public: s.Public}.SignerWallet()
	wallet.ChainCode = s.ChainCode
	return wallet
}

func (s Share) label() label {
	return label{kind: kindShare, role: s.Role, epoch: s.Epoch, wallet: s.Wallet, scheme: s.Scheme}
}

func (s Share) check() error {
	switch {
	case !isName(s.Wallet):
		return inputError("wallet", "a wallet is named by 1 to %d of [a-z0-9_-], not starting with a dash", nameBytesMax)
	case !s.Role.Valid():
		return inputError("role", "a share belongs to one role")
	case !isScheme(s.Scheme):
		return inputError("scheme", "%.40q is neither %s nor %s", s.Scheme, SchemeECDSA, SchemeEdDSA)
	case len(s.Blob.Bytes()) == 0 || len(s.Blob.Bytes()) > BlobBytesMax:
		return inputError("blob", "a share has 1 to %d bytes", BlobBytesMax)
	}
	if _, chained := s.ChainCode.Reveal(); chained && (s.Role == signer.RoleRecovery || s.Scheme != SchemeECDSA) {
		return inputError("chain code", "only the two signers of an %s wallet keep a chain code", SchemeECDSA)
	}
	return s.Public.check(s.Scheme)
}

// Put stores a share as an inactive epoch, durably, and keeps no reference to it. It refuses an epoch that is stored
// already or not above the active one, and a share whose scheme or public key is not its wallet's.
func (k *Keystore) Put(ctx context.Context, share Share) error {
	if err := share.check(); err != nil {
		return err
	}
	if share.Role != k.role {
		return inputError("role", "this is the %s's keystore; the share is the %s's", k.role, share.Role)
	}
	if err := k.admits(share); err != nil { // before the key service is asked
		return err
	}
	secrets := share.secrets()
	defer wipe(secrets)
	data, err := k.sealer.seal(ctx, share.label(), share.Public.encode(), secrets)
	if err != nil {
		return fmt.Errorf("put share of wallet %s: %w", share.Wallet, err)
	}
	listed, err := k.inspectShare(data, share.Wallet, share.Epoch) // as it will be read back
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.admitsLocked(share); err != nil {
		return err
	}
	err = k.publish(sharesFolder, sharePath(share.Wallet, share.Epoch), data)
	if errors.Is(err, fs.ErrExist) {
		return epochRefused(share.Wallet, share.Epoch, "a share that this keystore does not know lies there", "open the keystore again")
	}
	if err != nil {
		return fmt.Errorf("put share: %w", err)
	}
	k.shares[place{share.Wallet, share.Epoch}] = listed
	return nil
}

func (k *Keystore) admits(share Share) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.admitsLocked(share)
}

func (k *Keystore) admitsLocked(share Share) error {
	if err := k.usable(); err != nil {
		return err
	}
	if _, stored := k.shares[place{share.Wallet, share.Epoch}]; stored {
		return epochRefused(share.Wallet, share.Epoch, "this epoch is stored already", "destroy it first, if its refresh was given up")
	}
	state, known := k.states[share.Wallet]
	if !known {
		return nil
	}
	if share.Epoch <= state.Epoch {
		return epochRefused(share.Wallet, share.Epoch, "the epoch is not above the active one", "")
	}
	if now := k.shares[place{share.Wallet, state.Epoch}]; now.Scheme != share.Scheme || !slices.Equal(now.Public.PublicKey, share.Public.PublicKey) {
		return inputError(share.Wallet, "a refresh changes neither the scheme nor the public key")
	}
	return nil
}

// Load unseals a share: the active one, or a pending one for its proof. An epoch below the active one does not load,
// whether or not its file is still there. The caller wipes the blob.
func (k *Keystore) Load(ctx context.Context, wallet string, epoch uint32) (Share, error) {
	k.mu.Lock()
	known, isStored := k.shares[place{wallet, epoch}]
	state, active := k.states[wallet]
	err := k.usable()
	k.mu.Unlock()
	switch {
	case err != nil:
		return Share{}, err
	case active && epoch < state.Epoch:
		return Share{}, epochRefused(wallet, epoch, "a newer epoch is active", "")
	case !isStored:
		return Share{}, notFound(fmt.Sprintf("%.64s epoch %d", wallet, epoch), "the keystore has no such share")
	}
	share := Share{Wallet: wallet, Epoch: epoch, Role: k.role, Scheme: known.Scheme, Public: known.Public.clone()}
	if err := k.unseal(ctx, &share, known.mac); err != nil {
		return Share{}, err
	}
	k.mu.Lock()
	superseded := k.states[wallet].Epoch > epoch // while the key service was asked
	k.mu.Unlock()
	if superseded {
		share.Blob.Wipe()
		return Share{}, epochRefused(wallet, epoch, "a newer epoch is active", "")
	}
	return share, nil
}

// unseal reads the secrets of a known file into the share.
func (k *Keystore) unseal(ctx context.Context, share *Share, mac [macBytes]byte) error {
	wallet, epoch := share.Wallet, share.Epoch
	path := sharePath(wallet, epoch)
	data, err := k.disk.Read(path, sealedBytesMax)
	if err != nil {
		return fmt.Errorf("load share: %w", err)
	}
	found, err := k.inspectShare(data, wallet, epoch)
	if err != nil {
		return err
	}
	if found.mac != mac {
		return shareReplaced(wallet, epoch)
	}
	secrets, err := k.sealer.open(ctx, data, share.label(), path)
	if err != nil {
		return err
	}
	defer secrets.Wipe()
	var ok bool
	if share.Blob, share.ChainCode, ok = splitSecrets(secrets.Bytes()); !ok {
		return alteredError(path, "the share decrypts, but not to this version's format")
	}
	return nil
}

// secrets is what is sealed: chained(1) chain code(32 if chained) blob.
func (s Share) secrets() []byte {
	data := make([]byte, 0, 1+chainCodeBytes+len(s.Blob.Bytes()))
	if code, chained := s.ChainCode.Reveal(); chained {
		data = append(append(data, 1), code[:]...)
		wipe(code[:])
	} else {
		data = append(data, 0)
	}
	return append(data, s.Blob.Bytes()...)
}

// splitSecrets copies what it returns.
func splitSecrets(data []byte) (blob Secret, chain signer.ChainCode, ok bool) {
	r := reader{rest: data}
	switch r.u8() {
	case 0:
	case 1:
		var code [chainCodeBytes]byte
		copy(code[:], r.fixed(chainCodeBytes))
		chain = signer.NewChainCode(code)
		wipe(code[:])
	default:
		r.fail()
	}
	if r.failed || len(r.rest) == 0 {
		return Secret{}, signer.ChainCode{}, false
	}
	return NewSecret(r.rest), chain, true
}

// inspectShare checks a share file and its place without unsealing it.
func (k *Keystore) inspectShare(data []byte, wallet string, epoch uint32) (stored, error) {
	path := sharePath(wallet, epoch)
	file, err := k.sealer.inspect(data, path)
	if err != nil {
		return stored{}, err
	}
	want := Share{Wallet: wallet, Epoch: epoch, Role: k.role, Scheme: file.label.scheme}.label()
	record, ok := decodeRecord(file.public, file.label.scheme)
	if file.label != want || !ok {
		return stored{}, alteredError(path, "the share belongs to another place")
	}
	found := stored{Listed: Listed{Wallet: wallet, Epoch: epoch, Scheme: file.label.scheme, Public: record}}
	copy(found.mac[:], data[len(data)-macBytes:])
	return found, nil
}

func shareReplaced(wallet string, epoch uint32) error {
	return alteredError(sharePath(wallet, epoch), "this is not the file the keystore knows")
}
