package ledger

import (
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

// seal makes the next log record without appending it: encoding may still refuse.
func (s *State) seal(agent AgentRef, entry store.Entry, moves []abi.BudgetMove, now int64) (LogWrite, error) {
	chain, ok := s.chains[agent]
	if !ok {
		return LogWrite{}, corrupt("the chain of " + agent.Agent + " was not loaded")
	}
	sealed, hash, err := audit.Seal(abi.Entry{
		Tenant: agent.Tenant, Agent: agent.Agent,
		TimeUnixMs: uint64(now), //nolint:gosec // Clock refuses instants before 1970
		Kind:       entry.Kind, Payment: entry.Payment, Body: entry.Body, Moves: moves,
	}, chain.Sequence, chain.Hash)
	if err != nil {
		return LogWrite{}, fmt.Errorf("seal %s: %w", entry.Kind, err)
	}
	return LogWrite{
		Tenant: agent.Tenant, Agent: agent.Agent, Payment: entry.Payment, Sequence: chain.Sequence + 1,
		Position: s.heads[agent.Tenant].Position + 1, Entry: sealed, Hash: hash,
	}, nil
}

// append takes the position and the place in the chain that seal foresaw.
func (s *State) append(record LogWrite, now int64) {
	head := s.heads[record.Tenant]
	head.Position, head.TimeMS, head.moved = record.Position, now, true
	chain := s.chains[AgentRef{record.Tenant, record.Agent}]
	chain.Sequence, chain.Hash, chain.moved = record.Sequence, record.Hash, true
	s.log = append(s.log, record)
}
