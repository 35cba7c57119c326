package keystore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/secret"
	"github.com/purserhq/purser/signer"
)

// Config says whose keystore it is.
type Config struct {
	// Dir is the folder. It is made with mode 700 when it is missing; its parent must exist.
	Dir string
	// Role is the one role whose shares it holds.
	Role signer.Role
	// Wrapper wraps the keys. It belongs to the caller, who closes it after the keystore.
	Wrapper KeyWrapper
	// Random must be cryptographically secure. Nil means crypto/rand.
	Random io.Reader
	// StoreID is the id of the ledger that remembers what these shares signed, 1 to 128 printable characters. It is
	// part of every secret's associated data. Only the recovery role, which keeps no ledger, may leave it empty.
	StoreID string
}

// Keystore holds one folder. It is safe for concurrent use by one process, prints as [redacted], and must be closed.
// Its methods return an *abi.Error with [CodeReopen] after a write failed half way: memory and disk may disagree, so
// nothing is signed from either until it was opened again.
type Keystore struct {
	secret.Hidden
	disk   disk
	role   signer.Role
	sealer *sealer

	mu     sync.Mutex // guards everything below, and the order of changes on disk
	shares map[place]stored
	states map[string]State
	claims map[string]string // claim to wallet
	pools  map[string]bool
	spoilt error // why nothing works until the keystore is opened again
}

// place is one epoch of one wallet.
type place struct {
	wallet string
	epoch  uint32
}

var errClosed = errors.New("the keystore is closed")

// Open opens the keystore in a folder, or makes one in an empty folder. It unwraps one key, finishes what a crash
// interrupted, and checks every share's and state's authenticity and place; the secrets themselves stay sealed. One
// altered file closes the whole keystore: its error names the file.
func Open(ctx context.Context, config Config) (*Keystore, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	opened, err := openDisk(config.Dir)
	if err != nil {
		return nil, err
	}
	k, err := open(ctx, config, opened)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return k, nil
}

func (c Config) check() error {
	switch {
	case c.Dir == "":
		return inputError("dir", "a keystore needs a folder")
	case !c.Role.Valid():
		return inputError("role", "a keystore belongs to one role")
	case c.Wrapper == nil:
		return inputError("wrapper", "a keystore needs a key wrapper")
	case !isName(c.Wrapper.Name()):
		return inputError("wrapper", "the key wrapper's name has 1 to %d characters of [a-z0-9_-]", nameBytesMax)
	case !isMark(c.StoreID) && (c.StoreID != "" || c.Role != signer.RoleRecovery):
		return inputError("store id", "a keystore is sealed to its ledger's id, 1 to %d printable characters", storeBytesMax)
	}
	return nil
}

func open(ctx context.Context, config Config, on disk) (*Keystore, error) {
	if config.Random == nil {
		config.Random = rand.Reader
	}
	k := &Keystore{
		disk: on, role: config.Role,
		sealer: &sealer{wrapper: config.Wrapper, random: &lockedReader{source: config.Random}, store: config.StoreID},
		shares: map[place]stored{}, states: map[string]State{}, claims: map[string]string{}, pools: map[string]bool{},
	}
	for _, folder := range []string{sharesFolder, statesFolder, poolsFolder, identitiesFolder} {
		if err := on.MakeFolder(folder); err != nil {
			return nil, fmt.Errorf("open keystore: %w", err)
		}
	}
	if err := on.SyncFolder("."); err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	if err := k.unlock(ctx); err != nil {
		return nil, err
	}
	if err := k.scan(); err != nil {
		wipe(k.sealer.macKey)
		return nil, err
	}
	return k, nil
}

// Close makes every later call fail. The root key was wiped when the keystore had been opened; the key that
// authenticates files, which decrypts nothing, goes with the garbage. The wrapper stays open.
func (k *Keystore) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errors.Is(k.spoilt, errClosed) {
		return nil
	}
	k.spoilt = errClosed
	return k.disk.Close()
}

// usable is called under the lock.
func (k *Keystore) usable() error {
	if k.spoilt == nil {
		return nil
	}
	return &abi.Error{
		Code: CodeReopen, Message: "the keystore must be opened again: only the disk knows how far its last change got",
		Fix: "look at the disk and restart", Retry: abi.RetryNever, Cause: k.spoilt,
	}
}

// scan builds the picture of the folder that every later question is answered from.
func (k *Keystore) scan() error {
	for _, folder := range []string{".", sharesFolder, statesFolder, identitiesFolder} {
		if err := k.sweep(folder); err != nil {
			return fmt.Errorf("clean up after a crash: %w", err)
		}
	}
	if err := k.scanShares(); err != nil {
		return err
	}
	return k.scanStates()
}

func (k *Keystore) scanShares() error {
	names, err := k.disk.List(sharesFolder)
	if err != nil {
		return fmt.Errorf("list shares: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue // not ours: what is ours was swept
		}
		path := sharesFolder + "/" + name
		wallet, epoch, ok := shareOf(name)
		if !ok {
			return alteredError(path, "no share is named like this")
		}
		data, err := k.disk.Read(path, sealedBytesMax)
		if err != nil {
			return fmt.Errorf("read share: %w", err)
		}
		listed, err := k.inspectShare(data, wallet, epoch)
		if err != nil {
			return err
		}
		k.shares[place{wallet, epoch}] = listed
	}
	return nil
}

func (k *Keystore) scanStates() error {
	names, err := k.disk.List(statesFolder)
	if err != nil {
		return fmt.Errorf("list wallet states: %w", err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		path := statesFolder + "/" + name
		wallet, suffixed := strings.CutSuffix(name, stateSuffix)
		if !suffixed || !isName(wallet) {
			return alteredError(path, "no wallet state is named like this")
		}
		data, err := k.disk.Read(path, stateBytesMax)
		if err != nil {
			return fmt.Errorf("read wallet state: %w", err)
		}
		state, ok := k.decodeState(data)
		if !ok || state.Wallet != wallet {
			return alteredError(path, "the state is not one that this keystore wrote there")
		}
		if _, ok := k.shares[place{wallet, state.Epoch}]; !ok {
			return alteredError(sharePath(wallet, state.Epoch), "the active share is missing")
		}
		k.remember(state)
	}
	return nil
}

// lockedReader makes any reader fit for several goroutines.
type lockedReader struct {
	mu     sync.Mutex
	source io.Reader
}

func (r *lockedReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}
