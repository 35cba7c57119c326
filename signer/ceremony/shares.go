package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
)

// Shares is where a seat keeps its keyshares. A change is durable when its method returns. It is used from one goroutine.
type Shares interface {
	// Status is what there is of a wallet; the zero Status for one that is not known.
	Status(wallet string) (Status, error)
	// Terms is what this seat knows of a wallet by the share in force or else by the newest pending one, without asking
	// anybody; false when it knows nothing.
	Terms(ctx context.Context, wallet string) (Terms, bool, error)
	// Load unseals a share. The caller wipes the blob.
	Load(ctx context.Context, wallet string, epoch uint32) (keystore.Share, error)
	// Put stores a share that is not in force.
	Put(ctx context.Context, share keystore.Share) error
	// Activate puts a stored epoch in force. A wallet that is new here goes to the pool when pooled is set.
	Activate(wallet string, epoch uint32, pooled bool) error
	// Destroy removes a share that is not in force. It may be repeated.
	Destroy(wallet string, epoch uint32) error
}

// Status is what a seat has of a wallet.
type Status struct {
	// Active is the epoch in force; nil when there is none.
	Active *uint32
	// Retiring are epochs that it replaced and that are not destroyed yet, Pending those that were never in force.
	Retiring, Pending []uint32
	// Pooled: the wallet belongs to nobody yet.
	Pooled bool
}

// has reports whether the epoch is in force here.
func (s Status) has(epoch uint32) bool { return s.Active != nil && *s.Active == epoch }

func (s Status) all() []uint32 {
	all := slices.Concat(s.Retiring, s.Pending)
	if s.Active != nil {
		all = append(all, *s.Active)
	}
	return all
}

// newest is the epoch that tells about the wallet.
func (s Status) newest() (uint32, bool) {
	if s.Active != nil {
		return *s.Active, true
	}
	if len(s.Pending) > 0 {
		return slices.Max(s.Pending), true
	}
	return 0, false
}

// Terms are the public facts of a wallet that all its shares have in common.
type Terms struct {
	Scheme   string
	Networks []abi.Network
	// PublicKey is as in [keystore.Record]; nil before there is one.
	PublicKey []byte
	// Chain is [ChainTag] of the chain code, "none" for a wallet without one, and empty for who does not know.
	Chain string
}

// ChainTag names a chain code without telling it, so that the recovery role can take part in agreeing on it. The code
// is 32 random bytes: nobody finds it from its hash.
func ChainTag(code signer.ChainCode) string {
	bytes, set := code.Reveal()
	if !set {
		return chainNone
	}
	sum := sha256.Sum256(append([]byte("purser.chain-code.tag.v1"), bytes[:]...))
	return hex.EncodeToString(sum[:])
}

// FromKeystore keeps a seat's shares in a keystore, which stays the caller's.
func FromKeystore(store *keystore.Keystore) Shares { return vault{store} }

type vault struct{ *keystore.Keystore }

func (v vault) state(wallet string) (*keystore.State, error) {
	holdings, err := v.Wallets() // Active refuses pooled wallets
	if err != nil {
		return nil, err
	}
	for _, held := range holdings {
		if held.State.Wallet == wallet {
			return &held.State, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none, which is no error
}

func (v vault) Status(wallet string) (Status, error) {
	var status Status
	state, err := v.state(wallet)
	if err != nil {
		return status, err
	}
	if state != nil {
		epoch := state.Epoch
		status.Active, status.Pooled = &epoch, state.Pooled
		if state.Phase == keystore.PhaseSuperseding {
			status.Retiring = []uint32{state.Previous}
		}
	}
	pending, err := v.Pending()
	for _, listed := range pending {
		if listed.Wallet == wallet {
			status.Pending = append(status.Pending, listed.Epoch)
		}
	}
	return status, err
}

func (v vault) Terms(ctx context.Context, wallet string) (Terms, bool, error) {
	status, err := v.Status(wallet)
	if err != nil {
		return Terms{}, false, err
	}
	epoch, any := status.newest()
	if !any {
		return Terms{}, false, nil
	}
	share, err := v.Load(ctx, wallet, epoch) // the chain code is sealed with the rest
	if err != nil {
		return Terms{}, false, err
	}
	defer share.Blob.Wipe()
	return termsOf(share), true, nil
}

func termsOf(share keystore.Share) Terms {
	return Terms{Scheme: share.Scheme, Networks: share.Public.Networks, PublicKey: share.Public.PublicKey, Chain: ChainTag(share.ChainCode)}
}

func (v vault) Activate(wallet string, epoch uint32, pooled bool) error {
	state, err := v.state(wallet)
	if err != nil {
		return err
	}
	if state != nil || !pooled {
		return v.Keystore.Activate(wallet, epoch)
	}
	for _, scheme := range []string{keystore.SchemeECDSA, keystore.SchemeEdDSA} {
		pool, err := v.OpenWalletPool(keystore.WalletPoolConfig{Scheme: scheme})
		if err != nil {
			return err
		}
		if err := pool.Offer(wallet, epoch); abi.CodeOf(err) != keystore.CodeNotFound {
			return err
		}
	}
	return v.Keystore.Activate(wallet, epoch) // says that there is no such share
}

func (v vault) Destroy(wallet string, epoch uint32) error {
	if err := v.Keystore.Destroy(wallet, epoch); abi.CodeOf(err) != keystore.CodeNotFound {
		return err
	}
	return nil // a crash came after it
}
