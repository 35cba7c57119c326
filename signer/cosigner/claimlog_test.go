package cosigner

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// A runtime in the attacker's hands asks as often as it likes. Neither the ledger nor what an operator must read grows
// with it, and what is asked in an enrolled agent's name is not pushed out.
func TestAFloodOfMadeUpAgentsFillsNeitherTheLedgerNorTheLog(t *testing.T) {
	p := openRegistry(t)
	const flood = 1500
	for i := range flood {
		x := p.planOf(t, "bearer", 1_000)
		x.intent.Agent = fmt.Sprint("nobody-", i)
		x.renamed()
		if _, err := p.Consult(t.Context(), x.consult()); abi.CodeOf(err) != "agent_unknown" {
			t.Fatal(err)
		}
	}
	forged := p.planOf(t, "shopper", 1_000_000)
	forged.intent.Request.Signature[0] ^= 1
	for range 100 { // the same attempt is written once
		if _, err := p.Consult(t.Context(), forged.consult()); abi.CodeOf(err) != "request_forged" {
			t.Fatal(err)
		}
	}
	if kinds := p.kinds(t, forged.intent.Payment); len(kinds) != 1 || kinds[0] != "cosigner.refused" {
		t.Errorf("the forgery is in the log as %v", kinds)
	}
	entries := p.refusals(t)
	if len(entries) != refusalsBurst+1 {
		t.Errorf("%d entries for %d attempts, want %d", len(entries), flood+100, refusalsBurst+1)
	}
	rows, err := p.ledger.Rows(t.Context(), store.RowQuery{Tenant: "default", Max: store.RowsMax})
	if err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	// Later there is room again, and the next entry says how many are missing.
	p.clock.add(refusalEvery)
	x := p.planOf(t, "bearer", 1_000)
	x.intent.Agent = "nobody-later"
	x.renamed()
	if _, err := p.Consult(t.Context(), x.consult()); abi.CodeOf(err) != "agent_unknown" {
		t.Fatal(err)
	}
	entries = p.refusals(t)
	want := fmt.Sprintf(`"omitted_before":%d`, flood-refusalsBurst)
	if last := entries[len(entries)-1]; !bytes.Contains(last, []byte(want)) {
		t.Errorf("the last entry is %s, want %s in it", last, want)
	}
}

// refusals are the bodies on the chain of refusals.
func (p *party) refusals(t testing.TB) [][]byte {
	t.Helper()
	records, err := p.ledger.Log(t.Context(), store.LogQuery{Tenant: "default", Agent: refusalsName, Max: store.LogMax})
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for _, record := range records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, entry.Body)
	}
	return bodies
}

func TestAnAllowanceComesBackWithTimeAndNeverAllAtOnceTwice(t *testing.T) {
	var a allowance
	now := time.Unix(1_700_000_000, 0)
	spend := func() (n int) {
		for {
			if _, ok := a.take(now); !ok {
				return n
			}
			n++
		}
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, refusalsBurst}, {refusalEvery - 1, 0}, {1, 1}, {3 * refusalEvery, 3}, {365 * 24 * time.Hour, refusalsBurst}, {refusalEvery, 1}, {-time.Hour, 0}, {refusalEvery, 1},
	} {
		now = now.Add(step.after)
		if got := spend(); got != step.want {
			t.Errorf("after %s: %d entries, want %d", step.after, got, step.want)
		}
	}
}
