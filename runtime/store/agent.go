package store

import (
	"context"
	"time"
)

// Agent is a program that may ask for payments. It holds no key share.
type Agent struct {
	Tenant, ID string
	// TokenSHA256 is the hash of its bearer token; the token itself is never stored.
	TokenSHA256 [32]byte
	// PublicKey is the Ed25519 key it signs requests with, empty in bearer mode.
	PublicKey []byte
	Groups    []string
	Tier      string
	// Wallet names the wallet it pays from. Derived says that it pays from a key of its own under that wallet, which
	// has an address of its own; otherwise from the wallet itself.
	Wallet  string
	Derived bool
	Revoked bool
	// Enrolment is the order (abi.Order) by which operators made it known, empty when nobody ordered it. It carries the
	// serial that a later order must exceed.
	Enrolment []byte
	// Version counts changes, from 1. Created is ledger time.
	Version uint64
	Created time.Time
}

// Agents is the registry of agents, kept in the same database as the ledger. Each change writes its log
// entry, on the agent's own chain, in the same transaction. Safe for concurrent use.
type Agents interface {
	// PutAgent inserts the agent (Version 0) or replaces the version given. It returns ErrConflict when another
	// version is stored, or another agent (of any tenant) has the same token, and ErrNotFound for a version of an
	// agent that does not exist.
	PutAgent(ctx context.Context, agent Agent, entry Entry) (Agent, error)
	// Agent returns one agent, revoked or not, or ErrNotFound.
	Agent(ctx context.Context, tenant, id string) (Agent, error)
	// AgentByToken finds an agent, revoked or not, or returns ErrNotFound.
	AgentByToken(ctx context.Context, tokenSHA256 [32]byte) (Agent, error)
	// ListAgents returns a tenant's agents in order of id.
	ListAgents(ctx context.Context, tenant string) ([]Agent, error)
}
