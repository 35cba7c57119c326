package ledger

import (
	"maps"
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// plan is what one change does to budgets, tried on copies.
type plan struct {
	tenant   string
	accounts map[MeterRef]*account
	before   map[MeterRef]abi.Amount
	closed   []*holdState
	to       HoldState
	opened   []*holdState
	moves    []abi.BudgetMove
}

// planBudgets ends the row's open holds first and reserves then, so that one change can replace a reservation.
func (s *State) planBudgets(change *store.Change, now int64) (*plan, error) {
	p := &plan{tenant: change.Tenant, accounts: map[MeterRef]*account{}, before: map[MeterRef]abi.Amount{}}
	ref := RowRef{change.Tenant, change.ID}
	if err := p.endHolds(s, ref, change.Close); err != nil {
		return nil, err
	}
	for _, reservation := range change.Reserve {
		meter := MeterRef{change.Tenant, reservation.Meter.String()}
		account := p.open(s, meter)
		if err := account.reserve(meter, reservation, now); err != nil {
			return nil, err
		}
		if reservation.Meter.Unit == store.UnitCount {
			continue // a count is final at once: it has nothing to give back
		}
		bucket := now - floorMod(now, widths[0])
		p.opened = append(p.opened, &holdState{isNew: true, Hold: Hold{
			RowRef: ref, Meter: meter.Meter,
			Sequence: account.sum.Sequence, Amount: reservation.Add, Bucket: bucket,
		}})
	}
	for _, meter := range slices.SortedFunc(maps.Keys(p.accounts), compareMeters) {
		sum := p.accounts[meter].sum
		p.moves = append(p.moves, abi.BudgetMove{
			Meter: meter.Meter, Sequence: sum.Sequence,
			Before: p.before[meter], After: sum.Total,
		})
	}
	return p, nil
}

func (p *plan) endHolds(s *State, ref RowRef, closing store.Closing) error {
	if closing == store.KeepOpen {
		return nil
	}
	p.to = HoldSettled
	if closing == store.Release {
		p.to = HoldReleased
	}
	for _, hold := range s.holds[ref] {
		if hold.State != HoldOpen {
			continue // ended earlier in this batch
		}
		account := p.open(s, MeterRef{ref.Tenant, hold.Meter})
		end := account.settle
		if closing == store.Release {
			end = account.release
		}
		if err := end(hold); err != nil {
			return corrupt("a reservation cannot be taken back: " + err.Error())
		}
		p.closed = append(p.closed, hold)
	}
	return nil
}

// open gives the change its copy of a meter and counts the move: one per meter and entry, however often the
// change touches the meter.
func (p *plan) open(s *State, meter MeterRef) *account {
	if account, ok := p.accounts[meter]; ok {
		return account
	}
	account := s.accounts[meter].clone()
	p.before[meter] = account.sum.Total
	account.sum.Sequence++
	account.moved = true
	p.accounts[meter] = account
	return account
}

// keep makes the plan part of the state. It cannot fail.
func (p *plan) keep(s *State, ref RowRef) {
	maps.Copy(s.accounts, p.accounts)
	for _, hold := range p.closed {
		hold.State, hold.changed = p.to, true
	}
	s.holds[ref] = append(s.holds[ref], p.opened...)
}

func compareMeters(a, b MeterRef) int {
	switch {
	case a.Meter < b.Meter:
		return -1
	case a.Meter > b.Meter:
		return 1
	}
	return 0
}
