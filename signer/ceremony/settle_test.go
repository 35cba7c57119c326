package ceremony

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer"
)

func has(epoch uint32) *uint32 { return &epoch }

func TestTheDecidersEpochHoldsAndWhatIsPendingUnderItIsPutInForce(t *testing.T) {
	old, fresh := uint32(3), uint32(4)
	tests := []struct {
		name     string
		all      [3]Status // runtime, co-signer, recovery
		inForce  bool
		epoch    uint32
		activate [3]bool
		destroy  [3][]uint32
		next     uint32
	}{
		{name: "nothing anywhere", next: 0},
		{name: "all settled", all: [3]Status{{Active: has(old)}, {Active: has(old)}, {Active: has(old)}}, inForce: true, epoch: old, next: fresh},
		{
			name:    "a first key generation that was not committed",
			all:     [3]Status{{Pending: []uint32{0}}, {Pending: []uint32{0}}, {}},
			destroy: [3][]uint32{{0}, {0}, nil}, next: 1,
		},
		{
			name:    "a first key generation that was",
			all:     [3]Status{{Pending: []uint32{0}}, {Active: has(0)}, {Pending: []uint32{0}}},
			inForce: true, epoch: 0, activate: [3]bool{true, false, true}, next: 1,
		},
		{
			name:    "a refresh that was not committed",
			all:     [3]Status{{Active: has(old), Pending: []uint32{fresh}}, {Active: has(old), Pending: []uint32{fresh}}, {Active: has(old)}},
			inForce: true, epoch: old, destroy: [3][]uint32{{fresh}, {fresh}, nil}, next: 5,
		},
		{
			name: "a refresh that was, and nobody else heard of it",
			all: [3]Status{
				{Active: has(old), Pending: []uint32{fresh}}, {Active: has(fresh), Retiring: []uint32{old}}, {Active: has(old), Pending: []uint32{fresh}},
			},
			inForce: true, epoch: fresh, activate: [3]bool{true, false, true}, next: 5,
		},
		{
			name: "the co-signer's recovery that was committed by the runtime",
			all: [3]Status{
				{Active: has(fresh), Retiring: []uint32{old}}, {Pending: []uint32{fresh}}, {Active: has(old), Pending: []uint32{fresh}},
			},
			inForce: true, epoch: fresh, activate: [3]bool{false, true, true}, next: 5,
		},
		{
			name:    "the co-signer's recovery that was not",
			all:     [3]Status{{Active: has(old), Pending: []uint32{fresh}}, {Pending: []uint32{fresh}}, {Active: has(old)}},
			inForce: true, epoch: old, destroy: [3][]uint32{{fresh}, {fresh}, nil}, next: 5,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := settle(tt.all)
			must(t, err)
			if v.inForce != tt.inForce || v.epoch != tt.epoch || v.activate != tt.activate || v.next != tt.next {
				t.Errorf("got %+v", v)
			}
			for i := range v.destroy {
				if !slices.Equal(v.destroy[i], tt.destroy[i]) {
					t.Errorf("the %s destroys %v, want %v", signer.Role(i+1), v.destroy[i], tt.destroy[i])
				}
			}
		})
	}
}

func TestStatesThatNoCeremonyLeavesStopEverything(t *testing.T) {
	for name, all := range map[string][3]Status{
		"the co-signer went back":                     {{Active: has(4), Retiring: []uint32{3}}, {Active: has(3), Pending: []uint32{4}}, {Active: has(3), Pending: []uint32{4}}},
		"recovery is ahead":                           {{Active: has(3)}, {Active: has(3)}, {Active: has(4)}},
		"the runtime is behind and has nothing newer": {{Active: has(3)}, {Active: has(4)}, {Active: has(4)}},
		"only recovery has it":                        {{}, {}, {Active: has(0)}},
		"a number far ahead":                          {{Active: has(0)}, {Active: has(0)}, {Active: has(0), Pending: []uint32{5000}}},
		"the last number":                             {{Active: has(^uint32(0))}, {Active: has(^uint32(0))}, {Active: has(^uint32(0))}},
	} {
		if v, err := settle(all); abi.CodeOf(err) != CodeInconsistent {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func drawStatus(t *rapid.T) Status {
	var status Status
	lists := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 4), 0, 4, rapid.ID[uint32]).Draw(t, "epochs")
	slices.Sort(lists)
	active := rapid.IntRange(-1, len(lists)-1).Draw(t, "active")
	if active < 0 {
		status.Pending = lists
		return status
	}
	status.Active, status.Retiring, status.Pending = &lists[active], lists[:active], lists[active+1:]
	return status
}

// Whatever the three claim: what anybody has in force is never destroyed as pending, nobody goes back, and once the
// verdict has been carried out a second one finds nothing to do.
func TestSettlingNeverGoesBackAndIsDoneOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := [3]Status{drawStatus(t), drawStatus(t), drawStatus(t)}
		v, err := settle(all)
		if err != nil {
			return
		}
		after := all
		for i, status := range all {
			for _, epoch := range v.destroy[i] {
				if status.has(epoch) || (v.inForce && epoch == v.epoch) {
					t.Fatalf("the %s destroys epoch %d: %+v", signer.Role(i+1), epoch, v)
				}
			}
			if status.Active != nil && (!v.inForce || *status.Active > v.epoch) {
				t.Fatalf("the %s goes back from %d: %+v", signer.Role(i+1), *status.Active, v)
			}
			for _, epoch := range status.all() {
				if epoch >= v.next {
					t.Fatalf("epoch %d is used again after %+v", epoch, v)
				}
			}
			after[i].Pending = slices.DeleteFunc(slices.Clone(status.Pending), func(e uint32) bool {
				return slices.Contains(v.destroy[i], e) || (v.activate[i] && e == v.epoch)
			})
			if v.activate[i] {
				if status.Active != nil {
					after[i].Retiring = append(slices.Clone(status.Retiring), *status.Active)
				}
				after[i].Active = has(v.epoch)
			}
			if v.everywhere {
				after[i].Retiring = nil
			}
		}
		if again, err := settle(after); err != nil || again.work || again.inForce != v.inForce || again.epoch != v.epoch {
			t.Fatalf("after %+v a second look says %+v, %v", v, again, err)
		}
	})
}
