package ledger

import (
	"bytes"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Apply runs one operation on the state. It sees the effects of those before it, and when it fails it leaves none.
func (s *State) Apply(op Op) Result {
	now, ok := s.now[op.Tenant()]
	if !ok {
		return Result{Err: corrupt("the head of tenant " + op.Tenant() + " was not loaded")}
	}
	switch {
	case op.Insert != nil:
		return s.insert(op.Insert, now)
	case op.Commit != nil:
		return s.commit(op.Commit, now)
	case op.Defer != nil:
		return s.deferRow(op.Defer)
	case op.Agent != nil:
		return s.putAgent(op.Agent, now)
	}
	return Result{Err: corrupt("an operation without content")}
}

func (s *State) insert(op *Insert, now int64) Result {
	row := cloneRow(op.Row)
	if held, ok := s.keys[KeyRef{row.Tenant, row.Agent, row.Key}]; ok {
		return Result{Row: cloneRow(held.Row), Claim: store.ClaimSameKey}
	}
	if held, ok := s.slots[SlotRef{row.Tenant, row.Slot}]; ok && row.Slot != "" {
		return Result{Row: cloneRow(held.Row), Claim: store.ClaimSameSlot}
	}
	if _, ok := s.rows[RowRef{row.Tenant, row.ID}]; ok {
		return Result{Err: &abi.Error{Code: "id_taken", Message: "another key already made a record with this id", Where: row.ID}}
	}
	if _, ok := s.digests[string(row.Digest)]; ok && len(row.Digest) > 0 {
		return Result{Err: store.ErrWriteOnce}
	}
	record, err := s.seal(AgentRef{row.Tenant, row.Agent}, op.Entry, nil, now)
	if err != nil {
		return Result{Err: err}
	}
	row.Version, row.Created, row.Updated, row.Due = 1, fromMS(now), fromMS(now), toMillisecond(row.Due)
	s.append(record, now)
	s.index(&rowState{StoredRow: StoredRow{Row: row, Born: record.Position}, isNew: true})
	return Result{Row: cloneRow(row)}
}

func (s *State) commit(change *store.Change, now int64) Result {
	ref := RowRef{change.Tenant, change.ID}
	row, ok := s.rows[ref]
	if !ok {
		return Result{Err: store.ErrNotFound}
	}
	if row.Version != change.Version {
		return Result{Err: store.ErrConflict}
	}
	if err := s.checkFixed(row, change); err != nil {
		return Result{Err: err}
	}
	plan, err := s.planBudgets(change, now)
	if err != nil {
		return Result{Err: err}
	}
	record, err := s.seal(AgentRef{row.Tenant, row.Agent}, change.Entry, plan.moves, now)
	if err != nil {
		return Result{Err: err}
	}

	plan.keep(s, ref)
	s.append(record, now)
	s.see(change, record.Position, now)
	if row.Slot != "" && row.Slot != change.Slot {
		delete(s.slots, SlotRef{row.Tenant, row.Slot})
	}
	row.State, row.Slot, row.Due, row.Body = change.State, change.Slot, toMillisecond(change.Due), bytes.Clone(change.Body)
	if len(change.Digest) > 0 {
		row.Digest = bytes.Clone(change.Digest)
	}
	if len(change.Response) > 0 && len(row.Response) == 0 {
		row.Response, row.answered = bytes.Clone(change.Response), true
	}
	row.Version++
	row.Updated, row.changed = fromMS(now), true
	s.index(row)
	return Result{Row: cloneRow(row.Row)}
}

// deferRow moves a row's Due. It tells nobody ledger time and makes no entry, so the head stays where it is; its
// lock is what the version is compared under.
func (s *State) deferRow(op *Defer) Result {
	row, ok := s.rows[RowRef{op.Tenant, op.ID}]
	if !ok {
		return Result{Err: store.ErrNotFound}
	}
	if row.Version != op.Version {
		return Result{Err: store.ErrConflict}
	}
	row.Due, row.deferred = toMillisecond(op.Due), true
	row.Version++
	return Result{Row: cloneRow(row.Row)}
}

// checkFixed refuses to change what is written once, and to take what another row holds.
func (s *State) checkFixed(row *rowState, change *store.Change) error {
	if len(change.Digest) > 0 {
		if len(row.Digest) > 0 && !bytes.Equal(row.Digest, change.Digest) {
			return store.ErrWriteOnce
		}
		if owner, ok := s.digests[string(change.Digest)]; ok && owner != row {
			return store.ErrWriteOnce
		}
	}
	if len(change.Response) > 0 && len(row.Response) > 0 && !bytes.Equal(row.Response, change.Response) {
		return store.ErrWriteOnce
	}
	if change.Slot == "" {
		return nil
	}
	if owner, ok := s.slots[SlotRef{row.Tenant, change.Slot}]; ok && owner != row {
		return store.ErrSlotTaken
	}
	return nil
}

func (s *State) putAgent(op *PutAgent, now int64) Result {
	agent := cloneAgent(op.Agent)
	ref := AgentRef{agent.Tenant, agent.ID}
	stored, exists := s.agents[ref]
	switch {
	case !exists && agent.Version > 0:
		return Result{Err: store.ErrNotFound}
	case exists && stored.Version != agent.Version:
		return Result{Err: store.ErrConflict}
	}
	if owner, ok := s.tokens[agent.TokenSHA256]; ok && owner != ref {
		return Result{Err: store.ErrConflict}
	}
	record, err := s.seal(ref, op.Entry, nil, now)
	if err != nil {
		return Result{Err: err}
	}
	agent.Created = fromMS(now)
	if exists {
		agent.Created = stored.Created
		delete(s.tokens, stored.TokenSHA256)
	}
	agent.Version++
	s.append(record, now)
	s.addAgent(agent)
	s.agentWrites = append(s.agentWrites, AgentWrite{Agent: cloneAgent(agent), IsNew: !exists})
	return Result{Agent: agent}
}

// see records what the change observed, for later facts.
func (s *State) see(change *store.Change, position uint64, now int64) {
	if seen := change.Seen; seen.Route != "" {
		s.quotes = append(s.quotes, QuoteWrite{change.Tenant, seen.Route, seen.Asset, seen.QuoteAmount, position, now})
	}
	if change.Seen.Payee == "" {
		return
	}
	ref := PayeeRef{change.Tenant, change.Seen.Payee}
	if s.payees[ref] == nil {
		s.payees[ref] = &PayeeWrite{PayeeRef: ref, FirstMS: now}
	}
	s.payees[ref].Times++
}

func fromMS(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// toMillisecond cuts a time to what a ledger stores, so that the row returned equals the row read later.
func toMillisecond(t time.Time) time.Time { return FromMillis(Millis(t)) }

// Millis is how a ledger stores an instant: 0 is the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMillis reads what Millis wrote.
func FromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return fromMS(ms)
}

func cloneRow(row store.Row) store.Row {
	row.Digest, row.Body, row.Response = bytes.Clone(row.Digest), bytes.Clone(row.Body), bytes.Clone(row.Response)
	if len(row.Digest) == 0 {
		row.Digest = nil
	}
	if len(row.Response) == 0 {
		row.Response = nil
	}
	if len(row.Body) == 0 {
		row.Body = nil
	}
	return row
}

func cloneAgent(agent store.Agent) store.Agent {
	agent.PublicKey = bytes.Clone(agent.PublicKey)
	agent.Groups = append([]string(nil), agent.Groups...)
	agent.Enrolment = bytes.Clone(agent.Enrolment)
	if len(agent.PublicKey) == 0 {
		agent.PublicKey = nil
	}
	if len(agent.Enrolment) == 0 {
		agent.Enrolment = nil
	}
	if len(agent.Groups) == 0 {
		agent.Groups = nil
	}
	return agent
}
