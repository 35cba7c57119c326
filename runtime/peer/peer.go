// Package peer is what one side remembers of the other side's ledger: which one it is, and how far it has come. Both
// sides use it, each in its own ledger, to notice that the other was swapped or set back to a backup. It refuses to
// forgive that by itself: once noticed, only an operator ends it.
//
// # What is known, and why it is sound
//
// Each promise names both ledgers with a position and with the highest position of the other that it holds a promise of
// ([signer.Head]). The memory is a fold over the promises in this side's own log, so it is exactly as durable as they
// are, costs no write of its own, and is the same in every process that shares the ledger.
//
// Requests overtake each other, so a head may be lower than one that was seen already. What it may never be is lower
// than what this side had seen when it gave an answer that the request was made after: for the co-signer the consult of
// the same payment, for the runtime the moment the payment was prepared. A ledger that is linearizable for its own
// processes reads at least what it had named before. That is a [Floor], kept with the payment, and there is no slack in
// it: neither a time nor a number of positions.
//
// A backup is noticed at the first promise after it when the head is below the floor, and when it has grown past it
// meanwhile, by the promises it forgot. What stays unseen is a backup that lost no promise, which lost nothing that
// counts, and one that lost only promises that were under way together with a later one it kept.
package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

// Codes of what stops signing until an operator has looked.
const (
	// CodeUnknown: the other side names another ledger than before.
	CodeUnknown = "peer_store_unknown"
	// CodeRolledBack: the other side's ledger knows less than it did.
	CodeRolledBack = "peer_rolled_back"
	// CodeOwnRolledBack: the other side holds promises that this ledger is too short to have made.
	CodeOwnRolledBack = "ledger_rolled_back"
	// CodeUnreconciled: the operator accepts a ledger while promises are open that the chain has not decided.
	CodeUnreconciled = "peer_unreconciled"
)

// The row that keeps the memory. No payment has this id and no agent this name.
const (
	rowID    = "peer"
	rowAgent = "_peer"
	// RowState is the state of the row while signing goes on, RowStopped while it does not.
	RowState, RowStopped = "peer", "peer_stopped"
)

// checkpointEvery is how many log positions may pass before the fold is written down, so that a restart reads no more.
const checkpointEvery = 4096

// writeAttemptsMax bounds writing the row when other processes write it too.
const writeAttemptsMax = 8

// Config is what a Memory is made of. All but Pinned and Log are required.
type Config struct {
	Store  store.Store
	Tenant string
	// Peer names the other side, for people.
	Peer string
	// Pinned, when set, is the only ledger of the other side that is accepted at first contact.
	Pinned string
	// Read tells what an entry of this side's log says of promises. Its second result is false for all others.
	Read func(kind string, body []byte) (Seen, bool, error)
	// Open lists the states of rows that only the chain may still decide.
	Open []string
	Log  *slog.Logger
}

// Seen is what one log entry tells. Zero fields tell nothing.
type Seen struct {
	// Store is the other side's ledger.
	Store string
	// Head is the position it named.
	Head uint64
	// Bound is a position of ours in a promise that the other side holds for certain.
	Bound uint64
}

// Floor is the least that a head must know which is named after it. The zero Floor demands nothing.
type Floor struct {
	// Age counts the operator's acceptances: a floor from before one demands nothing.
	Age   uint64 `json:"age"`
	Head  uint64 `json:"head"`
	Bound uint64 `json:"bound"`
}

// memory is the body of the row, and with the log behind Position everything that is known.
type memory struct {
	Store    string `json:"store"`
	Floor    Floor  `json:"floor"`
	Position uint64 `json:"position"`
	// Since is the position of the last acceptance: heads of ours from before it bind nobody.
	Since uint64 `json:"since"`
	Stop  *Stop  `json:"stop,omitempty"`
}

// Stop says why nothing is signed.
type Stop struct {
	Code string `json:"code"`
	// Store and Head are what the other side named, Known what was known of it, Payment when.
	Store   string      `json:"store"`
	Head    signer.Head `json:"head"`
	Known   Floor       `json:"known"`
	Payment string      `json:"payment"`
}

// Memory is what this side knows of the other's ledger. Safe for concurrent use.
type Memory struct {
	config Config

	mu sync.Mutex
	// version is the row's that now was read from; 0: there is none yet.
	version uint64
	now     memory
	// written is the position in the row.
	written uint64
}

// New makes a memory. It reads nothing yet.
func New(config Config) *Memory {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Memory{config: config}
}

// Floor reads what is known now. What is named after it must know at least that. It fails with the code of a stop.
func (m *Memory) Floor(ctx context.Context) (Floor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx); err != nil {
		return Floor{}, err
	}
	return m.now.Floor, m.now.stopped(m.config.Peer)
}

// Head is what this side says of its own ledger now: position must have been read after the caller's request came in.
func (m *Memory) Head(ctx context.Context, position uint64) (signer.Head, error) {
	floor, err := m.Floor(ctx)
	return signer.Head{Position: position, Witnessed: floor.Head}, err
}

// Check compares what the other side names in a promise with what is known, and remembers its ledger at first contact.
// floor is what was known before the other side spoke, own this side's position now. What cannot be is a stop: durable,
// loud, and the error of this and every later call. Another error means that nothing is known.
func (m *Memory) Check(ctx context.Context, payment string, floor Floor, peerStore string, named []byte, own uint64) error {
	head, err := signer.ReadHead(named)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.refresh(ctx); err != nil {
		return err
	}
	if err := m.now.stopped(m.config.Peer); err != nil {
		return err
	}
	if m.version == 0 {
		if err := m.pin(ctx, peerStore); err != nil {
			return err
		}
	}
	code := ""
	switch {
	case peerStore == "" || peerStore != m.now.Store:
		code = CodeUnknown
	case floor.Age == m.now.Floor.Age && (head.Position < floor.Head || head.Witnessed < floor.Bound):
		code = CodeRolledBack
	case head.Witnessed > own:
		code = CodeOwnRolledBack
	default:
		return nil
	}
	return m.stop(ctx, Stop{Code: code, Store: peerStore, Head: head, Known: floor, Payment: payment})
}

// Accept takes an operator's word that the other side's ledger is id and has come to head, and lets signing go on. It
// refuses with code peer_unreconciled while a promise of ours is open: a ledger that was set back stays out until the
// chain has decided everything it may have forgotten.
func (m *Memory) Accept(ctx context.Context, id string, head uint64) error {
	if id == "" {
		return &abi.Error{Code: "request_invalid", Where: "id", Message: "a ledger has an id", Fix: "ask the other side for it"}
	}
	open, err := m.config.Store.Rows(ctx, store.RowQuery{Tenant: m.config.Tenant, States: m.config.Open, Max: 1})
	if err != nil {
		return fmt.Errorf("look for open promises: %w", err)
	}
	if len(open) > 0 {
		return &abi.Error{
			Code: CodeUnreconciled, Where: open[0].ID, Message: "the chain has not decided this promise yet", Retry: abi.RetryLater,
			Fix: "wait until its authorization has expired and the chain is final there",
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for range writeAttemptsMax {
		if err := m.refresh(ctx); err != nil {
			return err
		}
		if m.version == 0 {
			return m.pin(ctx, id)
		}
		facts, err := m.config.Store.Facts(ctx, store.FactQuery{Tenant: m.config.Tenant})
		if err != nil {
			return fmt.Errorf("read position: %w", err)
		}
		next := memory{Store: id, Floor: Floor{Age: m.now.Floor.Age + 1, Head: head}, Position: facts.Position, Since: facts.Position}
		err = m.write(ctx, next, "peer.accepted", map[string]any{"store": id, "head": head, "stop": m.now.Stop})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

func (s memory) stopped(peer string) error {
	if s.Stop == nil {
		return nil
	}
	messages := map[string]string{
		CodeUnknown:       "names another ledger than the one that is known",
		CodeRolledBack:    "has a ledger that knows less than it did",
		CodeOwnRolledBack: "holds promises that this side's ledger is too short to have made",
	}
	return &abi.Error{
		Code: s.Stop.Code, Where: s.Stop.Payment, Message: "the " + peer + " " + messages[s.Stop.Code] + "; nothing is signed",
		Fix: "find out whether a backup was restored; when the chain has decided every promise, an operator accepts the ledger", Retry: abi.RetryNever,
	}
}

// Stopped reports whether an error is a stop, which no repetition changes.
func Stopped(err error) bool {
	switch abi.CodeOf(err) {
	case CodeUnknown, CodeRolledBack, CodeOwnRolledBack:
		return true
	}
	return false
}

func (s memory) encode() ([]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write peer memory: %w", err)
	}
	return body, nil
}
