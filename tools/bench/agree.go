package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/purserhq/purser/tools/bench/cases"
)

// agree fails unless every subject gives every request the outcome and the codes that its case says, twice over: the
// second time shows that the first left nothing behind. Figures of engines that decide differently compare nothing.
func agree(ctx context.Context, subjects []subject, all []cases.Case) error {
	var errs []error
	for _, s := range subjects {
		for range 2 {
			for _, c := range all {
				got, err := s.engine.Decide(ctx, c.Request)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s on %s: %w", s.name, c.Name, err))
					continue
				}
				want := slices.Sorted(slices.Values(c.Want.Codes))
				if codes := slices.Sorted(slices.Values(got.Codes)); got.Outcome != c.Want.Outcome || !slices.Equal(codes, want) {
					errs = append(errs, fmt.Errorf("%s on %s: outcome %d %v, want %d %v", s.name, c.Name, got.Outcome, codes, c.Want.Outcome, want))
				}
			}
		}
	}
	return errors.Join(errs...)
}
