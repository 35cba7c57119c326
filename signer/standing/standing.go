// Package standing keeps the operators' orders that are in force on one side, the runtime's or the co-signer's: what is
// frozen and which policy is released. Both sides use it, each over its own ledger, and exchange what they accepted:
// orders prove themselves, so the merge is a union in any order. It refuses to forget: nothing that was accepted is ever
// removed, and a freeze ends only by a thaw that names it.
package standing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer/order"
)

// Config is what Orders are made of. Fields without a default are required.
type Config struct {
	// Side begins the kinds of the log entries: "cosigner" or "runtime".
	Side string
	// Tenant is whose orders these are.
	Tenant string
	// Store is this side's own ledger. Orders are rows of an agent that no agent can be.
	Store store.Store
	// Operators are whom this side listens to. With none it accepts nothing, and what it accepted before stands.
	Operators order.Operators
	// Now is the clock. Default: the system's.
	Now func() time.Time
	// Log receives what an operator should see. Default: discarded.
	Log *slog.Logger
}

// Agent is the name under which a ledger keeps orders. An agent's id never begins like this.
const Agent = "~orders"

const (
	// ordersMax bounds the orders of one side: they stay in memory, a few hundred bytes each.
	ordersMax = 16_384
	// acceptTriesMax bounds numbering an order again because another process took the number.
	acceptTriesMax = 64
	// refusalsMax bounds the refused orders that are remembered, so that a replayed one fills no log.
	refusalsMax = 1024
)

// Orders are one side's accepted orders. Safe for concurrent use, and by several processes over one ledger.
type Orders struct {
	config Config
	// changed holds one token when something was accepted since it was last taken.
	changed chan struct{}
	// accepting lets one order in at a time. Freezes do not wait for it to take effect.
	accepting sync.Mutex

	mu       sync.RWMutex
	accepted [][]byte            // wire bytes, in the order of acceptance
	known    map[[32]byte]uint64 // by hash: the number of the row
	frozen   map[order.Scope]map[string]bool
	scopes   map[string]order.Scope // of freezes that are not lifted, by id
	lifted   map[string]bool
	policy   release
	refused  map[[32]byte]bool
}

// release is the newest policy order.
type release struct {
	serial, number uint64
	sha256         [32]byte
}

// Open reads what was accepted before.
func Open(ctx context.Context, config Config) (*Orders, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Store == nil || config.Side == "" || config.Tenant == "" {
		return nil, errors.New("open orders: Store, Side and Tenant are required")
	}
	if len(config.Operators.Keys) > 0 || config.Operators.Quorum != 0 {
		if err := config.Operators.Check(); err != nil {
			return nil, fmt.Errorf("open orders: %w", err)
		}
	}
	o := &Orders{
		config: config, changed: make(chan struct{}, 1), known: map[[32]byte]uint64{}, frozen: map[order.Scope]map[string]bool{},
		scopes: map[string]order.Scope{}, lifted: map[string]bool{}, refused: map[[32]byte]bool{},
	}
	if err := o.refresh(ctx); err != nil {
		return nil, fmt.Errorf("open orders: %w", err)
	}
	return o, nil
}

// Frozen refuses a payment that is within a freeze, with code "frozen". An error of the ledger refuses too.
func (o *Orders) Frozen(ctx context.Context, target order.Target) error {
	if err := o.current(ctx); err != nil {
		return err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, scope := range target.Scopes() {
		for id := range o.frozen[scope] {
			return &abi.Error{
				Code: CodeFrozen, Where: id, Message: fmt.Sprintf("operators froze %s", scope),
				Fix: "nothing is signed until the operators' quorum thaws it", Retry: abi.RetryLater,
			}
		}
	}
	return nil
}

// Codes of refusals.
const (
	CodeFrozen           = "frozen"
	CodePolicyUnreleased = "policy_unreleased"
)

// Released refuses a policy bundle that is not the newest one that the operators released, with code
// "policy_unreleased".
func (o *Orders) Released(ctx context.Context, policySHA256 [32]byte) error {
	if err := o.current(ctx); err != nil {
		return err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.policy.serial > 0 && o.policy.sha256 == policySHA256 {
		return nil
	}
	message := "the operators released no policy"
	if o.policy.serial > 0 {
		message = fmt.Sprintf("the operators' newest release, serial %d, is another policy", o.policy.serial)
	}
	return &abi.Error{
		Code: CodePolicyUnreleased, Where: fmt.Sprintf("%x", policySHA256), Message: message,
		Fix: "release the policy with a greater serial, or load the one that is released", Retry: abi.RetryLater,
	}
}

// Freeze is one freeze in force.
type Freeze struct {
	ID    string
	Scope order.Scope
}

// Freezes lists the freezes in force, in no order.
func (o *Orders) Freezes(ctx context.Context) ([]Freeze, error) {
	if err := o.current(ctx); err != nil {
		return nil, err
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	list := make([]Freeze, 0, len(o.scopes))
	for id, scope := range o.scopes {
		list = append(list, Freeze{id, scope})
	}
	return list, nil
}

// current learns what other processes accepted, where there may be any.
func (o *Orders) current(ctx context.Context) error {
	if !o.config.Store.Shared() {
		return nil
	}
	return o.refresh(ctx)
}

// refresh reads the rows that follow those already known. Rows are numbered densely, so it is one look for the next
// number where there is nothing new.
func (o *Orders) refresh(ctx context.Context) error {
	for {
		o.mu.RLock()
		next := uint64(len(o.accepted)) + 1
		o.mu.RUnlock()
		row, err := o.config.Store.Row(ctx, o.config.Tenant, rowID(next))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read order %d: %w", next, err)
		}
		if err := o.learn(next, row.Body); err != nil {
			return err
		}
	}
}

// learn takes the order with the next number into force. One that is known already changes nothing.
func (o *Orders) learn(number uint64, encoded []byte) error {
	accepted := new(abi.Order)
	if err := accepted.Unmarshal(encoded); err != nil {
		return fmt.Errorf("read order %d: %w", number, err)
	}
	hash, err := order.Hash(accepted)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if number != uint64(len(o.accepted))+1 { // another call read it at the same time
		return nil
	}
	if err := o.effect(accepted, number); err != nil {
		return fmt.Errorf("read order %d: %w", number, err)
	}
	o.accepted, o.known[hash] = append(o.accepted, encoded), number
	o.wake()
	return nil
}

// effect puts an order in force. It gives the same result in whatever order the orders come, and repeated. The caller
// holds mu.
func (o *Orders) effect(accepted *abi.Order, number uint64) error {
	switch {
	case accepted.Kind == order.Freeze && accepted.Freeze != nil:
		scope, err := order.ParseScope(accepted.Freeze.Scope)
		if err != nil {
			return err
		}
		if id := accepted.Subject; !o.lifted[id] {
			if o.frozen[scope] == nil {
				o.frozen[scope] = map[string]bool{}
			}
			o.frozen[scope][id], o.scopes[id] = true, scope
		}
	case accepted.Kind == order.Thaw && accepted.Thaw != nil:
		for _, id := range accepted.Thaw.Freezes {
			o.lifted[id] = true
			delete(o.frozen[o.scopes[id]], id)
			delete(o.scopes, id)
		}
	case accepted.Kind == order.Policy && accepted.Policy != nil && len(accepted.Policy.PolicySHA256) == sha256.Size:
		if accepted.Serial > o.policy.serial {
			o.policy = release{serial: accepted.Serial, number: number, sha256: [32]byte(accepted.Policy.PolicySHA256)}
		}
	default:
		return fmt.Errorf("an order of kind %.40q is not kept here", accepted.Kind)
	}
	return nil
}

func rowID(number uint64) string { return fmt.Sprintf("order-%d", number) }
