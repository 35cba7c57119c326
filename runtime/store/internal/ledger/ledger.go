// Package ledger is the part of a ledger that both databases share: what a batch of operations does to the state
// that was loaded for it. It is pure, so that SQLite and Postgres cannot drift apart on money; it refuses to open
// a database, to read a clock and to decide anything that the unique indexes of a database would decide otherwise.
//
// A batch runs in one transaction that holds the head row of every tenant in it: Load what the operations need,
// Apply them one after the other, write out Writes, commit, and only then answer.
package ledger

import (
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Op is one operation of a batch. Exactly one field is set.
type Op struct {
	Insert *Insert
	Commit *store.Change
	Defer  *Defer
	Agent  *PutAgent
}

// Insert is the argument of store.Store.Insert.
type Insert struct {
	Row   store.Row
	Entry store.Entry
}

// Defer is the argument of store.Store.Defer.
type Defer struct {
	Tenant, ID string
	Version    uint64
	Due        time.Time
}

// PutAgent is the argument of store.Agents.PutAgent.
type PutAgent struct {
	Agent store.Agent
	Entry store.Entry
}

// Tenant is whose head row the operation needs.
func (op Op) Tenant() string {
	switch {
	case op.Insert != nil:
		return op.Insert.Row.Tenant
	case op.Commit != nil:
		return op.Commit.Tenant
	case op.Defer != nil:
		return op.Defer.Tenant
	case op.Agent != nil:
		return op.Agent.Agent.Tenant
	}
	return ""
}

// Result answers one Op. It is valid only once the batch is durable.
type Result struct {
	Row   store.Row
	Claim store.Claim
	Agent store.Agent
	Err   error
}

// Keys of what a ledger keeps. Times are Unix milliseconds of ledger time, widths are milliseconds.
type (
	// RowRef names a row.
	RowRef struct{ Tenant, ID string }
	// KeyRef is an agent's idempotency key.
	KeyRef struct{ Tenant, Agent, Key string }
	// SlotRef is a taken slot.
	SlotRef struct{ Tenant, Slot string }
	// AgentRef names an agent and its chain.
	AgentRef struct{ Tenant, Agent string }
	// MeterRef names a meter by its store.Meter.String.
	MeterRef struct{ Tenant, Meter string }
	// BucketRef is one bucket of a meter.
	BucketRef struct {
		MeterRef
		Width, Start int64
	}
	// LevelRef asks for the level of a meter: every bucket of the width that starts at From or later, and every
	// open hold that is older.
	LevelRef struct {
		MeterRef
		Width, From int64
	}
)

// Head is a tenant's position and time, the row that is locked first.
type Head struct {
	Position uint64
	TimeMS   int64
}

// Chain is the last entry of an agent's chain; the zero value is an empty chain.
type Chain struct {
	Sequence uint64
	Hash     [32]byte
}

// Sum is a meter's running total, and how many moves made it.
type Sum struct {
	Total    abi.Amount
	Sequence uint64
}

// StoredRow is a row and the position of the entry that created it, which is its place in order of creation.
type StoredRow struct {
	store.Row
	Born uint64
}

// HoldState is what became of a hold. The numbers are stored.
type HoldState int64

const (
	// HoldOpen: an authorization could still use it.
	HoldOpen HoldState = iota
	// HoldSettled: spent.
	HoldSettled
	// HoldReleased: given back.
	HoldReleased
)

// Hold is one reservation of money by a row. Counts have none: they are final at once.
type Hold struct {
	RowRef
	Meter string
	// Sequence is the meter's sequence of the move that made the hold, which makes it unique.
	Sequence uint64
	Amount   abi.Amount
	// Bucket is the start of the fine bucket the amount went to, and returns to.
	Bucket int64
	State  HoldState
}
