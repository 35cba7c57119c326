// Package cosigner is the second party: it holds share 2, decides every payment again on its own policy, ledger and
// clock, and joins a signing session only for what it has armed. It refuses to believe anything the runtime says
// beyond the bytes it can check itself, and it signs nothing it cannot decode.
package cosigner

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

// Config is what a co-signer is made of. Fields without a default are required.
type Config struct {
	// Tenant is the only tenant served. Default "default".
	Tenant string
	// Store is the co-signer's own ledger, never the runtime's.
	Store store.Store
	// Judge holds the co-signer's own policy bundle and plugins. Drained, when set, is called once, after another judge
	// took its place and the last decision that began with it is recorded.
	Judge   *judge.Judge
	Drained func()
	// Identity signs its promises; RuntimeKey is the runtime's pinned public key.
	Identity   signer.Identity
	RuntimeKey ed25519.PublicKey
	// Keys are the wallets it holds a share of, by wallet id.
	Keys map[string]Key
	// Agents is this side's own registry, in the database of Store, and Operators who may enrol agents in it. Without
	// operators nobody is enrolled, and the runtime's word says who pays: for one process alone. With them Agents is
	// required.
	Agents    store.Agents
	Operators order.Operators
	// PolicyOrders lets no policy serve but the newest that operators released by an order. Default: whatever is loaded
	// serves.
	PolicyOrders bool
	// RuntimeStore, when set, pins the id of the runtime's ledger. Otherwise the first promise does.
	RuntimeStore string
	// Chains tell what became of an authorization: the only way budget returns here.
	Chains map[abi.Network]Liveness
	// ReadyMax is how many prepared sessions of one key may wait for a digest. Default 2.
	ReadyMax int
	// Now and Random are the clock and the entropy. Defaults: the system's.
	Now    func() time.Time
	Random io.Reader
	// Log receives what an operator should see. Default: discarded.
	Log *slog.Logger
}

// Key is a wallet and the engine over the co-signer's share of it.
type Key struct {
	Wallet signer.Wallet
	Engine signer.Engine
}

// Liveness is the co-signer's own port to a network. An authorization is dead only when a finalized block proves it.
type Liveness interface {
	Life(ctx context.Context, transfer preimage.Transfer) (abi.Life, error)
	// Head is the newest block's number and time.
	Head(ctx context.Context) (number uint64, at time.Time, err error)
}

const (
	defaultTenant = "default"
)

// CoSigner is the second party. Its methods are safe for concurrent use.
type CoSigner struct {
	config Config
	judge  *judge.Current[*judge.Judge]
	orders *standing.Orders
	peer   *peer.Memory
	clocks *clocks

	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup

	sessions *sessions
	refusals refusals
}

var _ signer.CoSigner = (*CoSigner)(nil)

// Open starts a co-signer. Close it when done.
func Open(ctx context.Context, config Config) (*CoSigner, error) {
	if config.Tenant == "" {
		config.Tenant = defaultTenant
	}
	if config.ReadyMax == 0 {
		config.ReadyMax = readyMaxDefault
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case config.Store == nil, config.Judge == nil, len(config.Keys) == 0, len(config.Chains) == 0:
		return nil, fmt.Errorf("open co-signer: Store, Judge, Keys and Chains are required")
	case config.PolicyOrders && len(config.Operators.Keys) == 0:
		return nil, fmt.Errorf("open co-signer: Operators are required with PolicyOrders")
	case len(config.RuntimeKey) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("open co-signer: RuntimeKey has %d bytes, want %d", len(config.RuntimeKey), ed25519.PublicKeySize)
	}
	if err := checkOperators(config); err != nil {
		return nil, err
	}
	for id, key := range config.Keys {
		if id != key.Wallet.ID || string(key.Engine.PublicKey()) != string(key.Wallet.PublicKey) {
			return nil, fmt.Errorf("open co-signer: wallet %s: the keyshare belongs to another wallet", id)
		}
	}
	orders, err := standing.Open(ctx, standing.Config{
		Side: judge.CoSigner, Tenant: config.Tenant, Store: config.Store, Operators: config.Operators, Now: config.Now, Log: config.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("open co-signer: %w", err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	c := &CoSigner{config: config, orders: orders, life: life, end: end, sessions: newSessions(life, config.ReadyMax, config.Keys)}
	c.peer, c.clocks = newPeer(config), newClocks(config)
	c.judge = judge.NewCurrent(config.Judge, config.Drained)
	c.working.Add(1)
	go func() { defer c.working.Done(); c.patrol() }()
	return c, nil
}

// Reload makes later decisions use another policy bundle and its plugins. A decision that is under way finishes with
// those it began with, and a quarantine stays with the module that earned it. drained, which may be nil, is called once,
// after yet another judge took this one's place and the last decision that began with it is recorded. Where operators
// release policies, one that is not their newest is refused with code "policy_unreleased": the judge before it stays, the
// caller keeps j, and drained is not called.
func (c *CoSigner) Reload(ctx context.Context, j *judge.Judge, drained func()) error {
	if err := c.mayServe(ctx, j); err != nil {
		return err
	}
	c.judge.Swap(j, func(before *judge.Judge) { j.Succeed(before) }, drained)
	return nil
}

// Quarantines lists the policy plugins that this side does not call any more because they kept failing.
func (c *CoSigner) Quarantines() []judge.Quarantine {
	j, release := c.judge.Acquire()
	defer release()
	return j.Quarantines()
}

// ClearQuarantine has a policy's plugin called again for an agent's requests, or with no agent for everybody's. It is for
// the operator of this side alone: the runtime has no way to it.
func (c *CoSigner) ClearQuarantine(policy, plugin, agent string) {
	j, release := c.judge.Acquire()
	defer release()
	j.ClearQuarantine(policy, plugin, agent)
	c.config.Log.Info("plugin quarantine cleared", "policy", policy, "plugin", plugin, "for_agent", agent)
}

// Close cuts sessions off and waits for them.
func (c *CoSigner) Close() error {
	c.sessions.close()
	c.end()
	c.working.Wait()
	return nil
}
