package schema

import (
	"encoding/json"
	"fmt"

	"github.com/purserhq/purser/abi"
)

// Draws is a source of numbers below n, n above zero. Equal sources give equal samples.
type Draws interface{ Below(n uint64) uint64 }

// Samples are configurations, each in canonical JSON and none twice.
type Samples struct{ Valid, Invalid [][]byte }

const (
	// samplesMax bounds how many samples of each sort can be asked for.
	samplesMax = 10_000
	// triesPerSample bounds the search: a schema may have few valid documents, or no invalid ones.
	triesPerSample = 20
)

// Samples makes up to count valid and count invalid configurations. It invents some from the schema and derives
// others from seeds (configurations that somebody wrote), and has the schema itself judge which is which. There may be
// fewer, because a schema may allow only a few documents, or all.
func (s *Schema) Samples(draws Draws, count int, seeds ...[]byte) (Samples, error) {
	c := collector{schema: s, count: min(count, samplesMax), seen: map[string]bool{}}
	g := generator{draws: draws}
	var pool []any
	for _, seed := range seeds {
		value, err := c.offer(seed)
		if err != nil {
			return Samples{}, fmt.Errorf("seed: %w", err)
		}
		pool = append(pool, value)
	}
	for range c.count * triesPerSample {
		if c.full() {
			break
		}
		var candidate any
		if len(pool) == 0 || draws.Below(2) == 0 {
			candidate = g.value([]*schemaNode{s.compiled}, 0)
		} else {
			candidate = pool[draws.Below(uint64(len(pool)))]
		}
		for range draws.Below(3) {
			candidate = g.mutate(candidate)
		}
		document, err := json.Marshal(candidate)
		if err != nil {
			return Samples{}, fmt.Errorf("encode sample: %w", err)
		}
		value, err := c.offer(document)
		if abi.CodeOf(err) == "json_invalid" {
			continue // larger or deeper than any configuration may be
		}
		if err != nil {
			return Samples{}, err
		}
		if len(pool) < c.count {
			pool = append(pool, value)
		}
	}
	return c.samples, nil
}

// collector sorts candidates.
type collector struct {
	schema  *Schema
	count   int
	seen    map[string]bool
	samples Samples
}

func (c *collector) full() bool {
	return len(c.samples.Valid) >= c.count && len(c.samples.Invalid) >= c.count
}

// offer judges a document, keeps it while its sort is wanted, and returns it decoded.
func (c *collector) offer(document []byte) (any, error) {
	canonical, err := abi.CanonicalJSON(document)
	if err != nil {
		return nil, err
	}
	value, err := decode(canonical)
	if err != nil {
		return nil, err
	}
	if c.seen[string(canonical)] {
		return value, nil
	}
	c.seen[string(canonical)] = true
	problems, err := c.schema.validate(value)
	if err != nil {
		return nil, err
	}
	into := &c.samples.Valid
	if len(problems) > 0 {
		into = &c.samples.Invalid
	}
	if len(*into) < c.count {
		*into = append(*into, canonical)
	}
	return value, nil
}
