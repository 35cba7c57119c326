// Package store is the ledger contract that both roles keep, the runtime and the co-signer: rows that move from
// state to state, budgets reserved in the same transaction, and a hash-chained log of it all. It holds the words
// and the pure arithmetic; it refuses to know what a row is about, and it opens no database. The two databases
// are runtime/store/sqlite and runtime/store/postgres; runtime/store/storetest is the suite both pass.
package store

import (
	"context"
	"time"

	"github.com/purserhq/purser/abi"
)

// Store is a ledger. Every method is safe for concurrent use, and several processes may share one Postgres
// ledger. A method that returns an error has changed nothing, except when the error's code is "commit_unknown":
// then the caller must read before it does anything else. The interface may grow in minor versions; it is for
// the databases of this module, not for third parties.
type Store interface {
	// ID is the identity of this ledger, random, made when it was created. Both sides name theirs in what
	// they sign, so that a restored or swapped ledger is noticed.
	ID() string
	// Shared reports whether other processes may be working on the rows too, so that a caller
	// must wait for a row's Due before taking it over.
	Shared() bool

	// Insert adds a row in its first state together with its log entry, unless the agent's key or the slot is
	// taken: then it returns the row that holds it. The unique index decides, so two racing callers cannot both win.
	// It returns ErrWriteOnce when another row has the digest, and code "id_taken" when another key has the id.
	Insert(ctx context.Context, row Row, entry Entry) (Row, Claim, error)
	// Commit makes one change in one transaction. It returns ErrConflict when the row is no longer at
	// change.Version, a *NoRoomError when a reservation does not fit, ErrSlotTaken when another row holds the new
	// slot, and ErrWriteOnce; all changed nothing.
	Commit(ctx context.Context, change Change) (Row, error)
	// Defer moves a row's Due, with no other change and without a log entry: it is how a worker takes a row for a
	// while, and how a row that has nothing to tell waits longer. The version is the row's that the caller read, and
	// the row returned has the next one, so of two workers that take a row at one version exactly one succeeds.
	// Everything else stays, Updated and open reservations included. A zero due means never. It returns ErrConflict
	// when the row is no longer at version, and ErrNotFound when there is none.
	Defer(ctx context.Context, tenant, id string, version uint64, due time.Time) (Row, error)

	// Row returns one row, or ErrNotFound.
	Row(ctx context.Context, tenant, id string) (Row, error)
	// Rows lists rows in order of creation. A zero field of the query does not filter.
	Rows(ctx context.Context, query RowQuery) ([]Row, error)
	// Facts reads everything a decision needs in one snapshot.
	Facts(ctx context.Context, query FactQuery) (Facts, error)
	// Log returns entries in order of position, at most query.Max of them.
	Log(ctx context.Context, query LogQuery) ([]Record, error)

	// Close waits for running commits and closes the database.
	Close() error
}

// Claim says what Insert found.
type Claim uint8

const (
	// ClaimCreated: the row is new.
	ClaimCreated Claim = iota
	// ClaimSameKey: the agent used this key before; the row returned is that payment.
	ClaimSameKey
	// ClaimSameSlot: another key holds the slot, because the same request is still live, unknown or undelivered.
	ClaimSameSlot
)

// Row is one payment as a ledger keeps it. State and Body belong to the role that wrote them.
type Row struct {
	Tenant, Agent, ID string
	// Key is the agent's idempotency key, unique per tenant and agent, for ever.
	Key string
	// Slot is the request's fingerprint while no other key may start the same request; "" holds none.
	Slot string
	// State is a word of the role's own life cycle.
	State string
	// Version counts changes and deferrals, from 1.
	Version uint64
	// Digest is what may be signed for this row: unique over the ledger, and written once.
	Digest []byte
	// Due is when the row next wants attention if nobody else moves it; zero: never. Kept to the millisecond.
	Due time.Time
	// Body is the role's record, canonical bytes.
	Body []byte
	// Response is the answer the agent gets again for the same key. It is written once.
	Response []byte
	// Created and Updated are ledger time: of the row's first log entry and of its last. Defer writes no entry and
	// keeps Updated, so it tells when the row last made a transition and not who holds it now.
	Created, Updated time.Time
}

// Entry is a log entry before the ledger numbers and chains it.
type Entry struct {
	// Kind is the event's name: "payment.allowed".
	Kind string
	// Payment is the row's id, empty for entries about something else.
	Payment string
	// Body is canonical JSON.
	Body []byte
}

// Change is one transition of one row. Everything in it becomes durable together, or not at all.
type Change struct {
	Tenant, ID string
	// Version is the row's version the change was computed from.
	Version uint64
	// State, Slot, Due and Body replace the row's.
	State string
	Slot  string
	Due   time.Time
	Body  []byte
	// Digest and Response are kept when nil, and refused with ErrWriteOnce when the row has another.
	Digest   []byte
	Response []byte
	// Reserve is claimed in full or not at all; each meter at most once.
	Reserve []Reservation
	// Close ends the reservations that were open before this change, before Reserve is checked: one change can
	// replace a reservation.
	Close Closing
	// Seen records what was observed, for later facts.
	Seen Sighting
	// Entry is the log entry of this transition.
	Entry Entry
}

// Closing is what becomes of a row's open reservations.
type Closing uint8

const (
	// KeepOpen leaves them as they are.
	KeepOpen Closing = iota
	// Settle keeps the amounts spent in the window of their reservation.
	Settle
	// Release gives amounts back to the window of their reservation. Counts never fall.
	Release
)

// Reservation claims part of the budgets that read one meter. It fits when, for every limit, the level of the
// limit's window plus Add is at most the limit.
type Reservation struct {
	Meter  Meter
	Add    abi.Amount
	Limits []Limit
}

// Meter measures what one scope reserves in one unit. It does not know any limit, so that a new policy version,
// a new name or a restart never gives a fresh budget.
type Meter struct {
	// Scope is whose: "agent/travel-1", "tenant", "payee/0x1234…".
	Scope string
	// Unit is of what: UnitCount, or the unit of an asset such as "usdc".
	Unit string
}

// UnitCount is the unit of meters that count payments. They never fall. A count is final at once: unlike an open
// reservation of money, which counts in every window until it is closed, it leaves a window with its instant.
const UnitCount = "count"

// String is the meter's key in the ledger and the log.
func (m Meter) String() string { return m.Scope + "#" + m.Unit }

// Limit is one budget over a meter.
type Limit struct {
	// Name is the rule's name, for the reason.
	Name   string
	Window Window
	Max    abi.Amount
}

// Sighting is what a change observed. Zero fields record nothing.
type Sighting struct {
	// Route is the merchant and route of a quote, QuoteAmount its price in Asset.
	Route       string
	Asset       string
	QuoteAmount abi.Amount
	// Payee is an account this row reserved money for.
	Payee string
}

// RowQuery selects rows.
type RowQuery struct {
	Tenant, Agent string
	// States, when not empty, lists the states wanted.
	States []string
	// DueBefore, when set, selects rows with a Due at or before it.
	DueBefore time.Time
	// After is the id of the last row already read; Max bounds the answer and is capped at RowsMax.
	After string
	Max   int
}

// RowsMax caps one Rows answer, LogMax one Log answer, QuotesMax the quote samples in Facts.
const (
	RowsMax   = 500
	LogMax    = 1000
	QuotesMax = 32
)

// FactQuery names what a decision needs.
type FactQuery struct {
	Tenant string
	Levels []LevelQuery
	Route  string
	Asset  string
	Payee  string
}

// LevelQuery asks for what counts against a window of a meter now.
type LevelQuery struct {
	Meter  Meter
	Window Window
}

// Facts answers a FactQuery. Levels are in the order asked; Quotes are newest first.
type Facts struct {
	// Now is ledger time: it never steps back.
	Now time.Time
	// Position is the tenant's last log position in this snapshot: the head both sides name in what they sign.
	Position uint64
	Levels   []abi.Amount
	Quotes   []QuoteSeen
	// PayeeFirst is when the payee was first reserved for; zero: never. PayeeCount is how often.
	PayeeFirst time.Time
	PayeeCount uint64
}

// QuoteSeen is one earlier price of a route.
type QuoteSeen struct {
	Amount abi.Amount
	At     time.Time
}

// LogQuery selects log records of one tenant.
type LogQuery struct {
	Tenant string
	// After is the last position already read; the answer starts above it.
	After uint64
	// Agent and Payment, when set, filter.
	Agent, Payment string
	Max            int
}

// Record is a log entry as the ledger keeps it.
type Record struct {
	// Position numbers the tenant's entries densely in commit order: the stream's sequence.
	Position uint64
	// Entry is the wire form of an abi.Entry, and Hash its SHA-256.
	Entry []byte
	Hash  [32]byte
}
