package keystore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/purserhq/purser/abi"
)

// Holding is a wallet of this keystore: its active share's public part, and its state.
type Holding struct {
	Listed
	State State
}

// Activate makes a stored epoch the one that signs, in one rename. An epoch below the active one is refused for good;
// the active one is no change. After a refresh the previous epoch must be destroyed before the next can be activated. A
// pooled wallet stays in its pool.
func (k *Keystore) Activate(wallet string, epoch uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	if _, stored := k.shares[place{wallet, epoch}]; !stored {
		return notFound(fmt.Sprintf("%.64s epoch %d", wallet, epoch), "the keystore has no such share")
	}
	state, known := k.states[wallet]
	switch {
	case known && epoch == state.Epoch:
		return nil
	case known && epoch < state.Epoch:
		return epochRefused(wallet, epoch, "a newer epoch is active", "")
	case known && state.Phase == PhaseSuperseding:
		return epochRefused(wallet, epoch, fmt.Sprintf("epoch %d is not destroyed yet", state.Previous), "destroy it first")
	}
	// What was stored must still be there and whole: the other epoch is destroyed on the strength of this one.
	data, err := k.disk.Read(sharePath(wallet, epoch), sealedBytesMax)
	if err != nil {
		return fmt.Errorf("activate: %w", err)
	}
	if found, err := k.inspectShare(data, wallet, epoch); err != nil {
		return err
	} else if found.mac != k.shares[place{wallet, epoch}].mac {
		return shareReplaced(wallet, epoch)
	}
	next := State{Wallet: wallet, Epoch: epoch, Phase: PhaseSettled}
	if known {
		next = state
		next.Epoch, next.Previous, next.Phase = epoch, state.Epoch, PhaseSuperseding
	}
	return k.save(next)
}

// Active is the state of a wallet that may sign. A pooled wallet belongs to nobody and is refused.
func (k *Keystore) Active(wallet string) (State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return State{}, err
	}
	state, known := k.states[wallet]
	if !known {
		return State{}, notFound(fmt.Sprintf("%.64s", wallet), "the keystore has no such active wallet")
	}
	if state.Pooled {
		return State{}, &abi.Error{Code: CodeUnassigned, Message: "the wallet waits in the pool", Where: wallet, Fix: "take it from the pool first", Retry: abi.RetryNever}
	}
	return state, nil
}

// Destroy removes a share that is not active: the previous epoch after a refresh, which settles the wallet, or a pending
// one that was given up. It may be repeated after a crash.
//
// The file is overwritten with zeros, then unlinked. That hides it from the file system and, on a plain disk, from
// whoever reads the blocks later. It promises nothing on flash, which writes elsewhere and keeps the old blocks, on
// copy-on-write file systems, on journals, snapshots and backups. What really ends an old epoch is that the other
// parties destroyed theirs too: one old share signs nothing. If that is not enough, retire the wrapper's key.
func (k *Keystore) Destroy(wallet string, epoch uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	state, known := k.states[wallet]
	if known && state.Epoch == epoch {
		return epochRefused(wallet, epoch, "the active epoch is never destroyed", "activate a newer one first")
	}
	_, stored := k.shares[place{wallet, epoch}]
	superseded := known && state.Phase == PhaseSuperseding && state.Previous == epoch
	if !stored && !superseded {
		return notFound(fmt.Sprintf("%.64s epoch %d", wallet, epoch), "the keystore has no such share")
	}
	if err := k.destroyFile(place{wallet, epoch}, stored); err != nil {
		return fmt.Errorf("destroy share: %w", err)
	}
	if !superseded {
		return nil
	}
	state.Previous, state.Phase = 0, PhaseSettled
	return k.save(state)
}

func (k *Keystore) destroyFile(at place, stored bool) error {
	if !stored {
		return nil // a crash came between the file and the state
	}
	gone, err := k.withdraw(sharesFolder, sharePath(at.wallet, at.epoch))
	if errors.Is(err, fs.ErrNotExist) { // somebody removed it by hand
		delete(k.shares, at)
		return nil
	}
	if err != nil {
		return err
	}
	delete(k.shares, at)
	return k.shred(sharesFolder, gone)
}

// Wallets lists every wallet with an active epoch, pooled ones included, by name. It unwraps nothing.
func (k *Keystore) Wallets() ([]Holding, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return nil, err
	}
	holdings := make([]Holding, 0, len(k.states))
	for wallet, state := range k.states {
		holdings = append(holdings, Holding{k.shares[place{wallet, state.Epoch}].clone(), state})
	}
	slices.SortFunc(holdings, func(a, b Holding) int { return cmp.Compare(a.Wallet, b.Wallet) })
	return holdings, nil
}

// Pending lists inactive epochs above the active one, and shares of wallets that never were active: what an interrupted
// refresh or ceremony left. Each is either activated or destroyed by whoever finishes it.
func (k *Keystore) Pending() ([]Listed, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return nil, err
	}
	var pending []Listed
	for at, listed := range k.shares {
		if state, known := k.states[at.wallet]; !known || at.epoch > state.Epoch {
			pending = append(pending, listed.clone())
		}
	}
	slices.SortFunc(pending, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(a.Wallet, b.Wallet), cmp.Compare(a.Epoch, b.Epoch))
	})
	return pending, nil
}

func (l Listed) clone() Listed {
	l.Public = l.Public.clone()
	return l
}
