package ledger

import (
	"fmt"
	"maps"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

type (
	bucketKey struct{ width, start int64 }
	levelKey  struct{ width, from int64 }
)

// account is the loaded part of one meter.
type account struct {
	sum     Sum
	buckets map[bucketKey]abi.Amount
	levels  map[levelKey]abi.Amount
	// dirty holds the buckets that differ from the database; moved says that the sum does.
	dirty map[bucketKey]bool
	moved bool
}

func newAccount(sum Sum) *account {
	return &account{
		sum: sum, buckets: map[bucketKey]abi.Amount{}, levels: map[levelKey]abi.Amount{},
		dirty: map[bucketKey]bool{},
	}
}

// clone lets a change try its moves and drop them all when one does not fit.
func (a *account) clone() *account {
	return &account{a.sum, maps.Clone(a.buckets), maps.Clone(a.levels), maps.Clone(a.dirty), a.moved}
}

// level is what counts against the window now.
func (a *account) level(meter MeterRef, window store.Window, now int64) (abi.Amount, error) {
	ref, all := LevelOf(meter, window, now)
	if all {
		return a.sum.Total, nil
	}
	level, ok := a.levels[levelKey{ref.Width, ref.From}]
	if !ok {
		return abi.Amount{}, corrupt(fmt.Sprintf("window %s of %s was not loaded", window, meter.Meter))
	}
	return level, nil
}

// reserve adds to the total, to the buckets of now and to every level, because now is inside every window.
func (a *account) reserve(meter MeterRef, reservation store.Reservation, now int64) error {
	for _, limit := range reservation.Limits {
		level, err := a.level(meter, limit.Window, now)
		if err != nil {
			return err
		}
		sum, err := level.Add(reservation.Add)
		if err != nil || sum.Cmp(limit.Max) > 0 { // a sum above 2^256 does not fit either
			return &store.NoRoomError{Meter: reservation.Meter, Limit: limit, Level: level, Add: reservation.Add}
		}
	}
	return a.shift(now, reservation.Add, abi.Amount.Add)
}

// release takes a hold back out of the buckets it went to. It falls out of every level, whether it was counted
// in a bucket of the window or as an open hold older than the window.
func (a *account) release(hold *holdState) error {
	return a.shift(hold.Bucket, hold.Amount, abi.Amount.Sub)
}

// settle leaves the sums alone. But an open hold counts whatever its age, and a settled one only while its bucket
// is inside the window.
func (a *account) settle(hold *holdState) error {
	for key, level := range a.levels {
		if hold.Bucket >= key.from {
			continue
		}
		rest, err := level.Sub(hold.Amount)
		if err != nil {
			return corrupt(fmt.Sprintf("settling %s of %s: %v", hold.Amount, hold.Meter, err))
		}
		a.levels[key] = rest
	}
	return nil
}

// shift moves the total, both buckets of the instant and all levels by the amount.
func (a *account) shift(at int64, amount abi.Amount, move func(a, b abi.Amount) (abi.Amount, error)) error {
	var err error
	if a.sum.Total, err = move(a.sum.Total, amount); err != nil {
		return err
	}
	for _, width := range widths {
		key := bucketKey{width, at - floorMod(at, width)}
		if a.buckets[key], err = move(a.buckets[key], amount); err != nil {
			return err
		}
		a.dirty[key] = true
	}
	for key, level := range a.levels {
		if a.levels[key], err = move(level, amount); err != nil {
			return err
		}
	}
	return nil
}
