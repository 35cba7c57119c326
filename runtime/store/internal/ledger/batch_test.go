package ledger

import (
	"errors"
	"testing"
)

func TestABatchIsTriedOneByOneOnlyWhenNothingWasCommitted(t *testing.T) {
	refused, unknown := errors.New("refused"), errors.New("unknown")
	isRefused := func(err error) bool { return errors.Is(err, refused) }
	for name, c := range map[string]struct {
		whole error
		alone []error // of each operation, nil for success
		want  []error
		calls int
	}{
		"taken":            {nil, nil, []error{nil, nil, nil}, 1},
		"one is refused":   {refused, []error{nil, refused, nil}, []error{nil, refused, nil}, 4},
		"outcome unknown":  {unknown, nil, []error{unknown, unknown, unknown}, 1},
		"alone is unknown": {refused, []error{nil, unknown, refused}, []error{nil, unknown, refused}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			results := Commit(make([]Op, len(c.want)), func(ops []Op) ([]Result, error) {
				calls++
				if len(ops) == len(c.want) {
					return make([]Result, len(ops)), c.whole
				}
				return make([]Result, len(ops)), c.alone[calls-2]
			}, isRefused)
			if calls != c.calls || len(results) != len(c.want) {
				t.Fatalf("%d tries gave %d results, want %d and %d", calls, len(results), c.calls, len(c.want))
			}
			for i, want := range c.want {
				if !errors.Is(results[i].Err, want) || (want == nil) != (results[i].Err == nil) {
					t.Errorf("operation %d: %v, want %v", i, results[i].Err, want)
				}
			}
		})
	}
}
