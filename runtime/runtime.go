// Package runtime is the embedding API and the spine: it takes an agent's intent through policy, co-signer, chain
// adapter, signature and settlement, one recorded step at a time. It refuses to know which database, chain or MPC
// library is underneath, and it never signs or releases anything that its log does not explain.
package runtime

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

// Config is what a Runtime is made of. Fields without a default are required.
type Config struct {
	// Tenant names the ledger's owner. Default "default".
	Tenant string
	// Store and Agents are the ledger; the runtime does not close them.
	Store  store.Store
	Agents store.Agents
	// Rules is the policy with its plugins and chain adapters, as Reload takes it.
	Rules Rules
	// CoSigner is the second party and CoSignerKey its pinned identity. Identity is this side's own.
	CoSigner    signer.CoSigner
	CoSignerKey ed25519.PublicKey
	Identity    signer.Identity
	// CoSignerStore, when set, pins the id of the co-signer's ledger. Otherwise the first promise does.
	CoSignerStore string
	// Operators, when set, say by their orders who may pay: CreateAgent is refused then, and EnrolAgent takes orders.
	// Enroller, when set, is told every order that EnrolAgent takes: the co-signer.
	Operators order.Operators
	Enroller  Enroller
	// Orders, when set, are the operators' freezes and thaws that this side accepted; the runtime does not close them.
	// OrderPeer, when set, is the co-signer's, and both are kept the union of both.
	Orders    *standing.Orders
	OrderPeer standing.Peer
	// Wallets are the accounts that agents pay from, by wallet id.
	Wallets map[string]Account
	// Protocol speaks to resource servers, Chains reads the networks.
	Protocol settle.Protocol
	Chains   map[abi.Network]settle.Chain
	// InFlightMax bounds payments that are being worked on at once. Default 4096, a quarter of them for one
	// agent; more are refused, not queued.
	InFlightMax int
	// Now and Random are the clock and the entropy. Defaults: the system's.
	Now    func() time.Time
	Random io.Reader
	// Log receives what an operator should see. Default: discarded.
	Log *slog.Logger
}

// Account is a wallet and the signer that reaches its key.
type Account struct {
	Wallet signer.Wallet
	Signer signer.Signer
}

const (
	defaultTenant      = "default"
	defaultInFlightMax = 4096
	// inFlightAgentShare is the part of the places that one agent may hold: a quarter.
	inFlightAgentShare = 4
)

// Runtime takes payments through their life. All methods are safe for concurrent use.
type Runtime struct {
	config Config
	rules  *judge.Current[*Rules]
	tail   *tail
	// signing holds a place for each payment between consult and signature.
	signing chan struct{}
	unsent  unsentBook
	peer    *peer.Memory
	// opened is ledger time when this process began: what was not moved since, an earlier one left.
	opened time.Time

	// life ends when Close is called; work outlives the caller that asked for it, but not the runtime.
	life    context.Context
	end     context.CancelFunc
	working sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	inFlight map[string]*run
	perAgent map[string]int
}

// Open starts a runtime and takes over what an earlier process left unfinished. Close it when done.
func Open(ctx context.Context, config Config) (*Runtime, error) {
	if config.Tenant == "" {
		config.Tenant = defaultTenant
	}
	if config.InFlightMax == 0 {
		config.InFlightMax = defaultInFlightMax
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
	for name, missing := range map[string]bool{
		"Store": config.Store == nil, "Agents": config.Agents == nil, "CoSigner": config.CoSigner == nil,
		"Protocol": config.Protocol == nil, "Chains": len(config.Chains) == 0, "Wallets": len(config.Wallets) == 0,
		"CoSignerKey": len(config.CoSignerKey) != ed25519.PublicKeySize,
	} {
		if missing {
			return nil, fmt.Errorf("open runtime: Config.%s is required", name)
		}
	}
	if err := errors.Join(config.Rules.check(), checkOperators(config.Operators)); err != nil {
		return nil, fmt.Errorf("open runtime: %w", err)
	}
	facts, err := config.Store.Facts(ctx, store.FactQuery{Tenant: config.Tenant})
	if err != nil {
		return nil, fmt.Errorf("open runtime: read the ledger's time: %w", err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	r := &Runtime{
		config: config, opened: facts.Now, life: life, end: end, inFlight: make(map[string]*run), perAgent: make(map[string]int),
		signing: make(chan struct{}, signingPerProcessor*goruntime.GOMAXPROCS(0)),
	}
	r.rules = judge.NewCurrent(&config.Rules, config.Rules.Drained)
	r.tail = newTail(config.Store, config.Tenant)
	r.peer = newPeer(config)
	r.working.Add(1)
	go func() { defer r.working.Done(); r.patrol() }()
	if config.Orders != nil && config.OrderPeer != nil {
		r.working.Add(1)
		go func() { defer r.working.Done(); config.Orders.Merge(life, config.OrderPeer) }()
	}
	return r, nil
}

// Reload makes later steps use other rules, plugins and adapters. A step that is under way finishes with those it
// began with, and a quarantine stays with the module that earned it. On error the old rules stay.
func (r *Runtime) Reload(rules Rules) error {
	if err := rules.check(); err != nil {
		return fmt.Errorf("reload rules: %w", err)
	}
	r.rules.Swap(&rules, func(before *Rules) { rules.Judge.Succeed(before.Judge) }, rules.Drained)
	return nil
}

// Close stops taking payments, cuts running steps off and waits for them. What they leave unfinished stays in the
// ledger and is taken up by the next Open.
func (r *Runtime) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.working.Wait()
	return nil
}

func errClosed() error {
	return &abi.Error{
		Code: "closing", Message: "the runtime is shutting down", Retry: abi.RetrySameKey,
		Fix: "repeat the call with the same idempotency key in a moment",
	}
}
