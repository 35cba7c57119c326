package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Reader reads, inside the transaction that holds the heads. Each method is one round trip.
type Reader interface {
	// Lookup finds rows and agents by any of their names; finding one twice does no harm.
	Lookup(ctx context.Context, want Names) (Found, error)
	// OpenHolds lists the open holds of rows.
	OpenHolds(ctx context.Context, rows []RowRef) ([]Hold, error)
	// Sums reads chains and meters. What does not exist is left out of the answer; levels are all answered.
	Sums(ctx context.Context, want Wants) (Sums, error)
}

// Names is what Lookup looks for.
type Names struct {
	IDs     []RowRef
	Keys    []KeyRef
	Slots   []SlotRef
	Digests [][]byte
	Agents  []AgentRef
	Tokens  [][32]byte
}

// Found is what Lookup found.
type Found struct {
	Rows   []StoredRow
	Agents []store.Agent
}

// Wants is what Sums reads.
type Wants struct {
	Chains  []AgentRef
	Meters  []MeterRef
	Buckets []BucketRef
	Levels  []LevelRef
}

// Sums is what Sums read.
type Sums struct {
	Chains  map[AgentRef]Chain
	Meters  map[MeterRef]Sum
	Buckets map[BucketRef]abi.Amount
	Levels  map[LevelRef]abi.Amount
}

// Load reads everything that the operations need. heads are the locked head rows, now the ledger time of each
// tenant; operations of a tenant without a time are skipped by Apply too.
func Load(ctx context.Context, r Reader, heads map[string]Head, now map[string]int64, ops []Op) (*State, error) {
	s := newState(heads, now)
	found, err := r.Lookup(ctx, names(ops))
	if err != nil {
		return nil, fmt.Errorf("look up rows: %w", err)
	}
	for _, row := range found.Rows {
		s.addRow(row)
	}
	for _, agent := range found.Agents {
		s.addAgent(agent)
	}
	if rows := s.closing(ops); len(rows) > 0 {
		holds, err := r.OpenHolds(ctx, rows)
		if err != nil {
			return nil, fmt.Errorf("read open reservations: %w", err)
		}
		for _, hold := range holds {
			s.holds[hold.RowRef] = append(s.holds[hold.RowRef], &holdState{Hold: hold})
		}
	}
	wants := s.wants(ops)
	sums, err := r.Sums(ctx, wants)
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	return s, s.addSums(wants, sums)
}

func names(ops []Op) Names {
	ids, keys, slots := set[RowRef]{}, set[KeyRef]{}, set[SlotRef]{}
	digests, agents, tokens := set[string]{}, set[AgentRef]{}, set[[32]byte]{}
	for _, op := range ops {
		switch {
		case op.Insert != nil:
			row := op.Insert.Row
			ids.add(RowRef{row.Tenant, row.ID})
			keys.add(KeyRef{row.Tenant, row.Agent, row.Key})
			if row.Slot != "" {
				slots.add(SlotRef{row.Tenant, row.Slot})
			}
			if len(row.Digest) > 0 {
				digests.add(string(row.Digest))
			}
		case op.Commit != nil:
			ids.add(RowRef{op.Commit.Tenant, op.Commit.ID})
			if op.Commit.Slot != "" {
				slots.add(SlotRef{op.Commit.Tenant, op.Commit.Slot})
			}
			if len(op.Commit.Digest) > 0 {
				digests.add(string(op.Commit.Digest))
			}
		case op.Defer != nil:
			ids.add(RowRef{op.Defer.Tenant, op.Defer.ID})
		case op.Agent != nil:
			agents.add(AgentRef{op.Agent.Agent.Tenant, op.Agent.Agent.ID})
			tokens.add(op.Agent.Agent.TokenSHA256)
		}
	}
	want := Names{IDs: ids.list(), Keys: keys.list(), Slots: slots.list(), Agents: agents.list(), Tokens: tokens.list()}
	for digest := range digests {
		want.Digests = append(want.Digests, []byte(digest))
	}
	return want
}

// closing lists the rows whose open holds may end in this batch.
func (s *State) closing(ops []Op) []RowRef {
	rows := set[RowRef]{}
	for _, op := range ops {
		if op.Commit == nil || op.Commit.Close == store.KeepOpen {
			continue
		}
		ref := RowRef{op.Commit.Tenant, op.Commit.ID}
		if _, ok := s.rows[ref]; ok {
			rows.add(ref)
		}
	}
	return rows.list()
}

// wants lists the chains and meters of the batch. A hold made and released within the batch needs no bucket that
// the reservation did not load already.
func (s *State) wants(ops []Op) Wants {
	chains, meters := set[AgentRef]{}, set[MeterRef]{}
	buckets, levels := set[BucketRef]{}, set[LevelRef]{}
	touch := func(meter MeterRef, at int64) {
		meters.add(meter)
		for _, width := range widths {
			buckets.add(BucketRef{meter, width, at - floorMod(at, width)})
		}
	}
	for _, op := range ops {
		now, ok := s.now[op.Tenant()]
		if !ok {
			continue
		}
		switch {
		case op.Insert != nil:
			chains.add(AgentRef{op.Insert.Row.Tenant, op.Insert.Row.Agent})
		case op.Agent != nil:
			chains.add(AgentRef{op.Agent.Agent.Tenant, op.Agent.Agent.ID})
		case op.Commit != nil:
			if row, ok := s.rows[RowRef{op.Commit.Tenant, op.Commit.ID}]; ok {
				chains.add(AgentRef{row.Tenant, row.Agent})
			}
			for _, reservation := range op.Commit.Reserve {
				meter := MeterRef{op.Commit.Tenant, reservation.Meter.String()}
				touch(meter, now)
				for _, limit := range reservation.Limits {
					if level, all := LevelOf(meter, limit.Window, now); !all {
						levels.add(level)
					}
				}
			}
		}
	}
	for _, holds := range s.holds {
		for _, hold := range holds {
			touch(MeterRef{hold.Tenant, hold.Meter}, hold.Bucket)
		}
	}
	return Wants{chains.list(), meters.list(), buckets.list(), levels.list()}
}

// LevelOf says what to read for a window of a meter at now; all is true when that is the meter's running total.
func LevelOf(meter MeterRef, window store.Window, nowMS int64) (ref LevelRef, all bool) {
	width, from, all := window.Buckets(time.UnixMilli(nowMS).UTC())
	return LevelRef{meter, width.Milliseconds(), from.UnixMilli()}, all
}

var widths = [...]int64{store.FineBucket.Milliseconds(), store.CoarseBucket.Milliseconds()}

// floorMod is the remainder that is never negative.
func floorMod(a, b int64) int64 { return ((a % b) + b) % b }

type set[K comparable] map[K]struct{}

func (s set[K]) add(key K) { s[key] = struct{}{} }
func (s set[K]) list() []K { return slices.Collect(maps.Keys(s)) }
