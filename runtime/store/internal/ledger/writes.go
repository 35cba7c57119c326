package ledger

import (
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Writes is everything that a batch makes durable, as final values. The order of the fields is the order to write
// them in; FreedSlots comes before any row, because a slot given up in a batch may be taken in the same batch.
type Writes struct {
	Heads      map[string]Head
	FreedSlots []RowRef
	// ChangedRows are to be written without their response, which is written once and may be large. Answered are
	// those of them that got one in this batch.
	ChangedRows []StoredRow
	Answered    []StoredRow
	// DeferredRows have a new version and a new Due, and no other change.
	DeferredRows []StoredRow
	NewRows      []StoredRow
	Log          []LogWrite
	Chains       map[AgentRef]Chain
	Meters       map[MeterRef]Sum
	Buckets      map[BucketRef]abi.Amount
	NewHolds     []Hold
	EndedHolds   []Hold
	Quotes       []QuoteWrite
	Payees       []PayeeWrite
	// Agents are written one by one in this order: a token given up by one may be taken by the next.
	Agents []AgentWrite
}

// LogWrite is one log record with the columns it is found by.
type LogWrite struct {
	Tenant, Agent, Payment string
	Position, Sequence     uint64
	Entry                  []byte
	Hash                   [32]byte
}

// QuoteWrite is a price that was seen.
type QuoteWrite struct {
	Tenant, Route, Asset string
	Amount               abi.Amount
	Position             uint64
	AtMS                 int64
}

// PayeeRef names an account.
type PayeeRef struct{ Tenant, Payee string }

// PayeeWrite adds Times to how often the payee was reserved for; FirstMS counts when it is new.
type PayeeWrite struct {
	PayeeRef
	FirstMS int64
	Times   uint64
}

// AgentWrite is an agent to insert or to replace.
type AgentWrite struct {
	store.Agent
	IsNew bool
}

// Empty reports whether there is nothing to commit: every operation makes a log record, except a
// deferral, which changes a row alone.
func (w *Writes) Empty() bool { return len(w.Log) == 0 && len(w.DeferredRows) == 0 }

// Writes collects what the applied operations changed.
func (s *State) Writes() *Writes {
	w := &Writes{
		Heads: map[string]Head{}, Chains: map[AgentRef]Chain{}, Meters: map[MeterRef]Sum{},
		Buckets: map[BucketRef]abi.Amount{}, Log: s.log, Quotes: s.quotes, Agents: s.agentWrites,
	}
	for tenant, head := range s.heads {
		if head.moved {
			w.Heads[tenant] = head.Head
		}
	}
	for ref, chain := range s.chains {
		if chain.moved {
			w.Chains[ref] = chain.Chain
		}
	}
	for _, payee := range s.payees {
		w.Payees = append(w.Payees, *payee)
	}
	s.rowWrites(w)
	s.meterWrites(w)
	return w
}

func (s *State) rowWrites(w *Writes) {
	for ref, row := range s.rows {
		switch {
		case row.isNew:
			w.NewRows = append(w.NewRows, row.StoredRow)
		case row.changed:
			w.ChangedRows = append(w.ChangedRows, row.StoredRow)
			if row.answered {
				w.Answered = append(w.Answered, row.StoredRow)
			}
			if row.slotStored != "" && row.slotStored != row.Slot {
				w.FreedSlots = append(w.FreedSlots, ref)
			}
		case row.deferred:
			w.DeferredRows = append(w.DeferredRows, row.StoredRow)
		}
	}
	for _, holds := range s.holds {
		for _, hold := range holds {
			switch {
			case hold.isNew:
				w.NewHolds = append(w.NewHolds, hold.Hold)
			case hold.changed:
				w.EndedHolds = append(w.EndedHolds, hold.Hold)
			}
		}
	}
}

func (s *State) meterWrites(w *Writes) {
	for meter, account := range s.accounts {
		if account.moved {
			w.Meters[meter] = account.sum
		}
		for key := range account.dirty {
			w.Buckets[BucketRef{meter, key.width, key.start}] = account.buckets[key]
		}
	}
}
