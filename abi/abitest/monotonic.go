package abitest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/purserhq/purser/abi"
)

// monotonic checks what the author opted into. The order of outcomes is deny < hold < allow.
func (c *checker) monotonic(ctx context.Context) {
	if !slices.Contains(c.options.Monotonic, MonotonicAmount) {
		return
	}
	if c.manifest.Kind != abi.KindPolicy {
		c.report.fail("monotonic", MonotonicAmount, "only a policy judges amounts")
		return
	}
	checked := 0
	for i, vector := range c.manifest.Vectors {
		if c.ran[i] == nil || vector.Call != "decide" {
			continue
		}
		problem, err := c.raise(ctx, vector)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.report.failed("monotonic", vector.Name, err)
		case problem != "":
			c.report.fail("monotonic", vector.Name, problem)
		default:
			c.report.pass("monotonic", vector.Name, "no larger amount is treated more leniently")
		}
		checked++
	}
	if checked == 0 {
		c.report.fail("monotonic", MonotonicAmount, "no vector decides, so nothing was checked")
	}
}

// raise decides one request at ascending amounts.
func (c *checker) raise(ctx context.Context, vector abi.ManifestVector) (problem string, err error) {
	var request abi.DecideRequest
	if err := request.UnmarshalJSON(orEmpty(vector.Request)); err != nil {
		return "", err
	}
	if request.Intent == nil {
		return "", nil // nothing to raise
	}
	configured, err := c.guests[Compiler].Configure(ctx, vector.Config)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, configured.Close()) }()
	call, _ := abi.KindPolicy.Call("decide")
	below, belowAmount := abi.Allow, abi.Amount{}
	for _, amount := range ladder(request.Intent.Amount) {
		request.Intent.Amount = amount
		if request.Quote != nil {
			request.Quote.Amount = amount
		}
		encoded, err := request.Marshal()
		if err != nil {
			return "", err
		}
		answer, err := configured.send(ctx, call, encoded, request.NowUnixS)
		if err != nil {
			return "", fmt.Errorf("at amount %s: %w", amount, err)
		}
		var result abi.DecideResult
		if err := result.Unmarshal(answer.Bytes); err != nil {
			return "", err
		}
		if result.Outcome > below {
			return fmt.Sprintf("amount %s is %s, the larger amount %s is %s", belowAmount, below, amount, result.Outcome), nil
		}
		below, belowAmount = result.Outcome, amount
	}
	return "", nil
}

// ladder is zero, the powers of ten of a uint256, and the neighbourhood and multiples of the vector's own amount, where
// its author knows of an edge. It is ascending.
func ladder(start abi.Amount) []abi.Amount {
	amounts := []abi.Amount{{}, start}
	add := func(a abi.Amount, err error) {
		if err == nil { // past the largest amount there is nothing to try
			amounts = append(amounts, a)
		}
	}
	for _, step := range []uint64{1, 2, 10, 1000} {
		add(start.Add(abi.NewAmount(step)))
		add(start.Sub(abi.NewAmount(step)))
	}
	for _, factor := range []uint64{2, 3, 5, 10, 100, 1000} {
		add(start.Mul(factor))
	}
	power := abi.NewAmount(1)
	for err := error(nil); err == nil; power, err = power.Mul(10) {
		amounts = append(amounts, power)
	}
	slices.SortFunc(amounts, abi.Amount.Cmp)
	return slices.Compact(amounts)
}
