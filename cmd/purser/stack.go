package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/egress"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/gateway"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/x402"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/cosigner"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

const (
	defaultTenant  = "default"
	defaultAdapter = "chain-evm"
	roleRuntime    = "runtime"
	roleCosigner   = "cosigner"
)

// roles are the two sides; each has a ledger of its own.
var roles = []string{roleRuntime, roleCosigner}

// fileOf and schemaOf name a role's ledger in the data folder and in PostgreSQL.
func fileOf(role string) string   { return role + ".db" }
func schemaOf(role string) string { return "purser_" + role }

// adapterMethods are the RPC reads that chain adapters may ask for.
var adapterMethods = []string{"eth_call", "eth_getCode", "eth_getTransactionReceipt", "eth_getBlockByNumber", "eth_blockNumber"}

// stackConfig is everything a runtime, a co-signer, or both in one process are made of.
type stackConfig struct {
	// only, when set, is the one role that this process plays: the other one is elsewhere. Empty: both, for demo, dev and
	// tests.
	only string
	// peer reaches the co-signer of a process that is the runtime only; peerKey is the other role's pinned identity.
	peer    otherSide
	peerKey ed25519.PublicKey
	// data is the folder of ledgers, identities and tokens.
	data string
	// postgres, when set, keeps both ledgers in schemas of one database instead.
	postgres string
	// policy and cosignerPolicy are files; the co-signer's default is the runtime's.
	policy, cosignerPolicy string
	// adapter is a chain adapter's file; empty means the bundled one.
	adapter string
	// chains maps networks to JSON-RPC addresses.
	chains map[abi.Network]string
	// keys are the wallets with an engine for each side; or vault, when set, is where this process's role keeps its own.
	keys  []walletKey
	vault *keysConfig
	// operators are whose orders this process takes; policyOrders and readyMax are the co-signer's.
	operators    order.Operators
	policyOrders bool
	readyMax     int
	// cache keeps compiled plugins; empty: the user's cache folder.
	cache string
	// private are further host:port addresses that agents may reach although they are not public.
	private []string
	// refuseLoosening refuses a reload that would allow what was denied or held before, by the recorded requests.
	refuseLoosening bool
	log             *slog.Logger
	// ledgers, for tests, wraps the runtime's and the co-signer's ledger.
	ledgers func(role string, s store.Store) store.Store
	// protocol, for tests, wraps the payment protocol.
	protocol func(settle.Protocol) settle.Protocol
}

// otherSide is the co-signer as the runtime meets it: the second signer, and a place where orders are merged.
type otherSide interface {
	signer.CoSigner
	standing.Peer
	runtime.Enroller
}

// walletKey is a wallet and both parties' engines over it.
type walletKey struct {
	wallet            signer.Wallet
	runtime, cosigner signer.Engine
}

// stack is a running runtime with its co-signer.
type stack struct {
	config   stackConfig
	runtime  *runtime.Runtime
	cosigner *cosigner.CoSigner
	gateway  *gateway.Gateway
	operator string

	plugins  *judge.Host
	protocol *x402.Protocol
	allowed  *allowList
	ledgers  map[string]store.Store // by role
	// identities are the signing keys of the roles that this process plays.
	identities map[string]signer.Identity
	closers    []func() error

	// reloading admits one reload at a time; serving is what the last one put in force.
	reloading sync.Mutex
	serving   *generation
}

// openStack wires everything and starts it. Close it when done.
func openStack(ctx context.Context, config stackConfig) (_ *stack, err error) {
	s := &stack{config: config, allowed: &allowList{}, ledgers: map[string]store.Store{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if config.log == nil {
		s.config.log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(config.data, 0o700); err != nil {
		return nil, err
	}
	if config.postgres == "" { // these ledgers are one process's
		release, err := lockFolder(config.data)
		if err != nil {
			return nil, err
		}
		s.onClose(release)
	}
	if err := s.openPlugins(); err != nil {
		return nil, err
	}
	first, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	s.serving = first
	s.allowed.replace(first.reachable)
	chains, liveness, err := s.openChains(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.identify(); err != nil {
		return nil, err
	}
	if s.plays(roleCosigner) {
		if err := s.openCosigner(ctx, first, liveness); err != nil {
			return nil, err
		}
	}
	if !s.plays(roleRuntime) {
		return s, nil
	}
	if err := s.openRuntime(ctx, first, chains); err != nil {
		return nil, err
	}
	return s, s.openGateway()
}

// plays reports whether this process has the role.
func (s *stack) plays(role string) bool { return s.config.only == "" || s.config.only == role }

func (s *stack) onClose(f func() error) { s.closers = append(s.closers, f) }

// Close stops in the reverse order of opening.
func (s *stack) Close() error {
	var all error
	for i := len(s.closers) - 1; i >= 0; i-- {
		all = errors.Join(all, s.closers[i]())
	}
	s.closers = nil
	return all
}

func (s *stack) openPlugins() error {
	cache := s.config.cache
	if cache == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			folder = s.config.data
		}
		cache = filepath.Join(folder, "purser", "wasm")
		if err := os.MkdirAll(filepath.Dir(cache), 0o700); err != nil {
			return err
		}
	}
	host, err := judge.OpenHost(judge.HostConfig{CacheDir: cache, QueueWait: 10 * time.Second, Log: pluginLog(s.config.log)})
	if err != nil {
		return err
	}
	s.plugins = host
	s.onClose(host.Close)
	return nil
}

func (s *stack) openChains(ctx context.Context) (map[abi.Network]settle.Chain, map[abi.Network]cosigner.Liveness, error) {
	chains, liveness := map[abi.Network]settle.Chain{}, map[abi.Network]cosigner.Liveness{}
	for network, address := range s.config.chains {
		// Each side has its own port: one must not see the chain through the other's eyes.
		for role, add := range map[string]func(*evm.Chain){
			roleRuntime:  func(c *evm.Chain) { chains[network] = c },
			roleCosigner: func(c *evm.Chain) { liveness[network] = chainLiveness{c} },
		} {
			if !s.plays(role) {
				continue
			}
			rpc, err := evm.Open(ctx, evm.Config{URL: address, Network: network})
			if err != nil {
				return nil, nil, err
			}
			s.onClose(func() error { rpc.Close(); return nil })
			add(evm.NewChain(rpc, adapterMethods))
		}
	}
	return chains, liveness, nil
}

// openLedger opens one role's ledger with its registry of agents.
func (s *stack) openLedger(ctx context.Context, role string) (store.Store, store.Agents, error) {
	var ledger interface {
		store.Store
		store.Agents
	}
	var err error
	if s.config.postgres != "" {
		ledger, err = postgres.Open(ctx, postgres.Config{DSN: s.config.postgres, Schema: schemaOf(role)})
	} else {
		ledger, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(s.config.data, fileOf(role))})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the %s's ledger: %w", role, err)
	}
	s.onClose(ledger.Close)
	s.ledgers[role] = ledger
	if s.config.ledgers != nil {
		s.ledgers[role] = s.config.ledgers(role, ledger)
	}
	return s.ledgers[role], ledger, nil
}

func (s *stack) openCosigner(ctx context.Context, first *generation, liveness map[abi.Network]cosigner.Liveness) error {
	ledger, agents, err := s.openLedger(ctx, roleCosigner)
	if err != nil {
		return err
	}
	all, err := s.openKeys(ctx, roleCosigner, ledger.ID())
	if err != nil {
		return err
	}
	keys := map[string]cosigner.Key{}
	for _, key := range all {
		keys[key.wallet.ID] = cosigner.Key{Wallet: key.wallet, Engine: key.cosigner}
	}
	s.cosigner, err = cosigner.Open(ctx, cosigner.Config{
		Tenant: defaultTenant, Store: ledger, Judge: first.cosigner, Drained: s.drained(first, roleCosigner), Identity: s.identities[roleCosigner], RuntimeKey: s.public(roleRuntime),
		Keys: keys, Chains: liveness, Agents: agents, Operators: s.config.operators, PolicyOrders: s.config.policyOrders, ReadyMax: s.config.readyMax,
		Log: s.config.log.With("side", "cosigner"),
	})
	if err != nil {
		return err
	}
	s.onClose(s.cosigner.Close)
	return nil
}

func (s *stack) openRuntime(ctx context.Context, first *generation, chains map[abi.Network]settle.Chain) error {
	ledger, agents, err := s.openLedger(ctx, roleRuntime)
	if err != nil {
		return err
	}
	ours, theirs := s.identities[roleRuntime], s.public(roleCosigner)
	other := s.config.peer
	if s.cosigner != nil {
		other = s.cosigner
	}
	orders, err := standing.Open(ctx, standing.Config{
		Side: roleRuntime, Tenant: defaultTenant, Store: ledger, Operators: s.config.operators, Log: s.config.log.With("side", roleRuntime),
	})
	if err != nil {
		return err
	}
	keys, err := s.openKeys(ctx, roleRuntime, ledger.ID())
	if err != nil {
		return err
	}
	wallets := map[string]runtime.Account{}
	for _, key := range keys {
		pair, err := signer.NewPair(signer.PairConfig{
			Wallet: key.wallet, Engine: key.runtime, CoSigner: other, Identity: ours, CoSignerKey: theirs, Random: rand.Reader,
		})
		if err != nil {
			return err
		}
		s.onClose(pair.Close)
		wallets[key.wallet.ID] = runtime.Account{Wallet: key.wallet, Signer: pair}
	}
	s.protocol = x402.NewProtocol(&http.Client{Transport: egress.Transport(s.allowed.permits)})
	var protocol settle.Protocol = answering{s.protocol}
	if s.config.protocol != nil {
		protocol = s.config.protocol(protocol)
	}
	s.runtime, err = runtime.Open(ctx, runtime.Config{
		Tenant: defaultTenant, Store: ledger, Agents: agents, Rules: s.rules(first), CoSigner: other, CoSignerKey: theirs, Identity: ours,
		Operators: s.config.operators, Enroller: other, Orders: orders, OrderPeer: s.orderPeer(other),
		Wallets: wallets, Protocol: protocol, Chains: chains, Log: s.config.log.With("side", "runtime"),
	})
	if err != nil {
		return err
	}
	s.onClose(s.runtime.Close)
	return nil
}

// orderPeer is whom orders are merged with; without operators there are none.
func (s *stack) orderPeer(other otherSide) standing.Peer {
	if len(s.config.operators.Keys) == 0 {
		return nil
	}
	return other
}

func (s *stack) openGateway() error {
	token, err := s.operatorToken()
	if err != nil {
		return err
	}
	s.operator = token
	s.gateway, err = gateway.New(gateway.Config{Runtime: s.runtime, Operator: sha256.Sum256([]byte(token)), Quotes: s.protocol, Log: s.config.log})
	if err != nil {
		return err
	}
	s.onClose(s.gateway.Close)
	return nil
}
