package ledger

import (
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// State is what a batch works on: the loaded part of the ledger, changed by each operation that succeeds.
type State struct {
	heads map[string]*headState
	now   map[string]int64

	rows    map[RowRef]*rowState
	keys    map[KeyRef]*rowState
	slots   map[SlotRef]*rowState
	digests map[string]*rowState
	holds   map[RowRef][]*holdState

	agents map[AgentRef]*store.Agent
	tokens map[[32]byte]AgentRef

	chains   map[AgentRef]*chainState
	accounts map[MeterRef]*account

	log         []LogWrite
	quotes      []QuoteWrite
	payees      map[PayeeRef]*PayeeWrite
	agentWrites []AgentWrite
}

type headState struct {
	Head
	moved bool
}

type chainState struct {
	Chain
	moved bool
}

type rowState struct {
	StoredRow
	isNew, changed, deferred bool
	// answered says that the response is not in the database yet.
	answered bool
	// slotStored is the slot the database holds, which must be given up before another row takes it.
	slotStored string
}

type holdState struct {
	Hold
	isNew, changed bool
}

func newState(heads map[string]Head, now map[string]int64) *State {
	s := &State{
		heads: map[string]*headState{}, now: now,
		rows: map[RowRef]*rowState{}, keys: map[KeyRef]*rowState{}, slots: map[SlotRef]*rowState{},
		digests: map[string]*rowState{}, holds: map[RowRef][]*holdState{},
		agents: map[AgentRef]*store.Agent{}, tokens: map[[32]byte]AgentRef{},
		chains: map[AgentRef]*chainState{}, accounts: map[MeterRef]*account{},
		payees: map[PayeeRef]*PayeeWrite{},
	}
	for tenant, head := range heads {
		s.heads[tenant] = &headState{Head: head}
	}
	return s
}

func (s *State) addRow(row StoredRow) {
	ref := RowRef{row.Tenant, row.ID}
	if _, ok := s.rows[ref]; ok {
		return // found by two of its names
	}
	s.index(&rowState{StoredRow: row, slotStored: row.Slot})
}

func (s *State) index(row *rowState) {
	s.rows[RowRef{row.Tenant, row.ID}] = row
	s.keys[KeyRef{row.Tenant, row.Agent, row.Key}] = row
	if row.Slot != "" {
		s.slots[SlotRef{row.Tenant, row.Slot}] = row
	}
	if len(row.Digest) > 0 {
		s.digests[string(row.Digest)] = row
	}
}

func (s *State) addAgent(agent store.Agent) {
	ref := AgentRef{agent.Tenant, agent.ID}
	s.agents[ref] = &agent
	s.tokens[agent.TokenSHA256] = ref
}

// addSums opens an account for every meter asked for, whether the ledger knows it already or not.
func (s *State) addSums(wants Wants, sums Sums) error {
	for _, ref := range wants.Chains {
		s.chains[ref] = &chainState{Chain: sums.Chains[ref]}
	}
	for _, ref := range wants.Meters {
		s.accounts[ref] = newAccount(sums.Meters[ref])
	}
	for _, ref := range wants.Buckets {
		s.accounts[ref.MeterRef].buckets[bucketKey{ref.Width, ref.Start}] = sums.Buckets[ref]
	}
	for _, ref := range wants.Levels {
		level, ok := sums.Levels[ref]
		if !ok {
			return corrupt(fmt.Sprintf("the level of %s was not answered", ref.Meter))
		}
		s.accounts[ref.MeterRef].levels[levelKey{ref.Width, ref.From}] = level
	}
	return nil
}

// corrupt reports a ledger whose sums contradict each other. Nothing can be paid from it before a person looked.
func corrupt(what string) error {
	return &abi.Error{
		Code: "ledger_corrupt", Message: what,
		Fix: "stop, export the audit log, verify it, and restore the ledger",
	}
}
