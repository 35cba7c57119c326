package keystore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// WalletPoolConfig describes the pool of finished, unassigned wallets of one scheme.
type WalletPoolConfig struct {
	Scheme string
	// LowWater is the depth below which Alarm is called: when the pool is opened and after each Take.
	LowWater int
	// Alarm must not block: Take waits for it. It may be called by several goroutines at once. Nil is silent.
	Alarm func(scheme string, depth int)
}

// WalletPool hands out whole wallets, each to one claim. A pooled wallet is an active share whose state says that it
// belongs to nobody; taking it rewrites that state in one rename. So there is no moment between the pool and its new
// owner at which a crash could find it in both, or in neither. It is safe for concurrent use.
type WalletPool struct {
	keystore *Keystore
	config   WalletPoolConfig
}

// OpenWalletPool opens the pool of a scheme.
func (k *Keystore) OpenWalletPool(config WalletPoolConfig) (*WalletPool, error) {
	if !isScheme(config.Scheme) || config.LowWater < 0 || config.LowWater > poolItemsMax {
		return nil, inputError("pool", "a wallet pool has a scheme and a low-water mark of 0 to %d", poolItemsMax)
	}
	p := &WalletPool{k, config}
	depth, err := p.depth()
	if err != nil {
		return nil, err
	}
	p.alarm(depth)
	return p, nil
}

// Add stores the share of a wallet that was never active and offers it. When it fails after the share was stored,
// [Keystore.Pending] lists the wallet: [WalletPool.Offer] finishes the work, [Keystore.Destroy] gives it up.
func (p *WalletPool) Add(ctx context.Context, share Share) error {
	if share.Scheme != p.config.Scheme {
		return inputError("scheme", "the pool holds %s wallets", p.config.Scheme)
	}
	if err := p.keystore.Put(ctx, share); err != nil {
		return err
	}
	return p.Offer(share.Wallet, share.Epoch)
}

// Offer puts a stored wallet that was never active into the pool. Repeating it changes nothing; a wallet that was taken
// never comes back.
func (p *WalletPool) Offer(wallet string, epoch uint32) error {
	k := p.keystore
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return err
	}
	listed, stored := k.shares[place{wallet, epoch}]
	if !stored || listed.Scheme != p.config.Scheme {
		return notFound(fmt.Sprintf("%.64s epoch %d", wallet, epoch), "the keystore has no such share of this pool's scheme")
	}
	if state, known := k.states[wallet]; known {
		if state.Pooled && state.Epoch == epoch {
			return nil
		}
		return epochRefused(wallet, epoch, "the wallet was active or assigned before", "")
	}
	return k.save(State{Wallet: wallet, Epoch: epoch, Phase: PhaseSettled, Pooled: true})
}

// Take assigns the oldest wallet to a claim, 1 to 128 printable characters that name what it is for, durably before it
// returns. The same claim gets the same wallet again, after a crash too, so that the caller's ledger may record it
// later. It unwraps nothing.
func (p *WalletPool) Take(ctx context.Context, claim string) (Listed, error) {
	return p.take(ctx, "", claim)
}

// TakeNamed assigns this wallet: the other signer chose it from its own pool.
func (p *WalletPool) TakeNamed(ctx context.Context, wallet, claim string) (Listed, error) {
	if !isName(wallet) {
		return Listed{}, inputError("wallet", "no wallet is named like this")
	}
	return p.take(ctx, wallet, claim)
}

func (p *WalletPool) take(ctx context.Context, wallet, claim string) (Listed, error) {
	if !isMark(claim) {
		return Listed{}, inputError("claim", "a claim has 1 to %d printable characters", storeBytesMax)
	}
	if err := ctx.Err(); err != nil {
		return Listed{}, fmt.Errorf("take a wallet: %w", err)
	}
	listed, depth, err := p.assign(wallet, claim)
	if depth >= 0 {
		p.alarm(depth)
	}
	return listed, err
}

// assign returns the depth it left, or -1 when the pool was not touched.
func (p *WalletPool) assign(wallet, claim string) (Listed, int, error) {
	k := p.keystore
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.usable(); err != nil {
		return Listed{}, -1, err
	}
	if owned, repeated := k.claims[claim]; repeated {
		listed := k.shares[place{owned, k.states[owned].Epoch}]
		if wallet != "" && wallet != owned || listed.Scheme != p.config.Scheme {
			return Listed{}, -1, inputError("claim", "the claim has the wallet %s already", owned)
		}
		return listed.clone(), -1, nil
	}
	waiting := p.waiting()
	if wallet == "" && len(waiting) > 0 {
		wallet = slices.MinFunc(waiting, func(a, b Listed) int {
			return cmp.Or(a.Public.Created.Compare(b.Public.Created), cmp.Compare(a.Wallet, b.Wallet))
		}).Wallet
	}
	i := slices.IndexFunc(waiting, func(l Listed) bool { return l.Wallet == wallet })
	switch {
	case len(waiting) == 0:
		return Listed{}, 0, poolEmpty(p.config.Scheme)
	case i < 0:
		return Listed{}, -1, notFound(wallet, "the pool has no such wallet")
	}
	state := k.states[wallet]
	state.Pooled, state.Claim = false, claim
	if err := k.save(state); err != nil {
		return Listed{}, -1, err
	}
	return waiting[i].clone(), len(waiting) - 1, nil
}

// Depth is how many wallets could be taken now.
func (p *WalletPool) Depth() int {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	return len(p.waiting())
}

func (p *WalletPool) depth() (int, error) {
	p.keystore.mu.Lock()
	defer p.keystore.mu.Unlock()
	return len(p.waiting()), p.keystore.usable()
}

// waiting is called under the lock.
func (p *WalletPool) waiting() []Listed {
	var waiting []Listed
	for wallet, state := range p.keystore.states {
		if listed := p.keystore.shares[place{wallet, state.Epoch}]; state.Pooled && listed.Scheme == p.config.Scheme {
			waiting = append(waiting, listed.Listed)
		}
	}
	return waiting
}

func (p *WalletPool) alarm(depth int) {
	if p.config.Alarm != nil && depth < p.config.LowWater {
		p.config.Alarm(p.config.Scheme, depth)
	}
}
