package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// snapshot reserves the same amount of two meters in each change, and reads both while others write.
func snapshot(s *suite) {
	other := store.Meter{Scope: "tenant", Unit: "usdc"}
	query := store.FactQuery{Tenant: s.tenant, Levels: []store.LevelQuery{
		{Meter: money, Window: window(s.T, "rolling 24h")},
		{Meter: other, Window: window(s.T, "rolling 1h")},
		{Meter: money},
		{Meter: other},
	}}
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 12 {
				row := s.reserve(fmt.Sprintf("p%d-%d", w, i), 1, money, other)
				if i%3 == 0 {
					s.close(row, store.Release)
				}
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for position := uint64(0); ; {
				facts, err := s.Facts(s.Context(), query)
				if err != nil {
					s.Errorf("facts: %v", err)
					return
				}
				for _, level := range facts.Levels {
					if level != facts.Levels[0] {
						s.Errorf("levels %v differ: not one snapshot", facts.Levels)
						return
					}
				}
				if facts.Position < position {
					s.Errorf("position went from %d to %d", position, facts.Position)
				}
				position = facts.Position
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	facts, err := s.Facts(s.Context(), query)
	if err != nil || facts.Levels[0] != abi.NewAmount(8*8) || facts.Position != 8*(12*2+4) {
		s.Errorf("at last %v at %d, %v", facts.Levels, facts.Position, err)
	}
}

func sightings(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	for i := range store.QuotesMax + 3 {
		c := change(row, "quoted")
		c.Seen = store.Sighting{Route: "GET shop/x", Asset: "usdc", QuoteAmount: abi.NewAmount(uint64(i))} //nolint:gosec // small
		if i%2 == 1 {
			c.Seen.Payee = "0x1"
		}
		row = s.commit(c)
		s.clock.Advance(time.Second)
	}
	facts, err := s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant, Route: "GET shop/x", Asset: "usdc", Payee: "0x1"})
	if err != nil {
		s.Fatal(err)
	}
	if n := len(facts.Quotes); n != store.QuotesMax || facts.Quotes[0] != (store.QuoteSeen{
		Amount: abi.NewAmount(store.QuotesMax + 2), At: start.Add((store.QuotesMax + 2) * time.Second).UTC(),
	}) {
		s.Errorf("%d quotes, newest %+v", n, facts.Quotes[0])
	}
	if facts.PayeeCount != 17 || !facts.PayeeFirst.Equal(start.Add(time.Second)) {
		s.Errorf("payee seen %d times since %s", facts.PayeeCount, facts.PayeeFirst)
	}
	facts, err = s.Facts(s.Context(), store.FactQuery{Tenant: s.tenant, Route: "GET shop/x", Asset: "eurc", Payee: "0x2"})
	if err != nil || len(facts.Quotes) != 0 || facts.PayeeCount != 0 || !facts.PayeeFirst.IsZero() {
		s.Errorf("of nobody: %+v, %v", facts, err)
	}
}

func agents(s *suite) {
	agent := store.Agent{
		Tenant: s.tenant, ID: "a1", TokenSHA256: [32]byte{1}, PublicKey: bytes.Repeat([]byte{7}, 32),
		Groups: []string{"b", "a"}, Tier: "gold", Wallet: "main", Derived: true, Enrolment: []byte{0, 1, 0xff},
	}
	e := store.Entry{Kind: "agent.created"}
	created, err := s.PutAgent(s.Context(), agent, e)
	if err != nil {
		s.Fatal(err)
	}
	want := agent
	want.Version, want.Created = 1, created.Created
	if diff := cmp.Diff(want, created); diff != "" || !created.Created.Equal(s.clock.Now().Truncate(time.Millisecond)) {
		s.Errorf("created: %s", diff)
	}
	_, err = s.PutAgent(s.Context(), agent, e)
	s.wantCode(err, store.ErrConflict.Code)
	thief := store.Agent{Tenant: "other", ID: "a9", TokenSHA256: agent.TokenSHA256}
	_, err = s.PutAgent(s.Context(), thief, e)
	s.wantCode(err, store.ErrConflict.Code)
	thief.Version = 1
	_, err = s.PutAgent(s.Context(), thief, e)
	s.wantCode(err, store.ErrNotFound.Code)

	s.clock.Advance(time.Hour)
	changed := created
	changed.Revoked, changed.TokenSHA256, changed.Groups = true, [32]byte{2}, nil
	changed.Derived, changed.Enrolment = false, nil
	changed, err = s.PutAgent(s.Context(), changed, store.Entry{Kind: "agent.revoked"})
	if err != nil || changed.Version != 2 || !changed.Created.Equal(created.Created) {
		s.Fatalf("changed: %+v, %v", changed, err)
	}
	_, err = s.AgentByToken(s.Context(), [32]byte{1})
	s.wantCode(err, store.ErrNotFound.Code)
	for name, find := range map[string]func() (store.Agent, error){
		"token": func() (store.Agent, error) { return s.AgentByToken(s.Context(), [32]byte{2}) },
		"id":    func() (store.Agent, error) { return s.Agent(s.Context(), s.tenant, "a1") },
	} {
		if found, err := find(); err != nil || cmp.Diff(changed, found) != "" {
			s.Errorf("by %s: %s, %v", name, cmp.Diff(changed, found), err)
		}
	}
	_, err = s.Agent(s.Context(), s.tenant, "nobody")
	s.wantCode(err, store.ErrNotFound.Code)
	// The token given up is free again, and the entries are on the agents' own chains.
	if _, err := s.PutAgent(s.Context(), store.Agent{Tenant: s.tenant, ID: "a0", TokenSHA256: [32]byte{1}}, e); err != nil {
		s.Fatal(err)
	}
	list, err := s.ListAgents(s.Context(), s.tenant)
	if err != nil || len(list) != 2 || list[0].ID != "a0" || list[1].ID != "a1" {
		s.Errorf("list %+v, %v", list, err)
	}
	records, err := s.Log(s.Context(), store.LogQuery{Tenant: s.tenant, Agent: "a1"})
	if err != nil || len(records) != 2 {
		s.Errorf("a1 has %d entries, %v", len(records), err)
	}
}

func badInput(s *suite) {
	row := s.insert(s.row("a1", "p1"))
	for name, spoil := range map[string]func(*store.Row){
		"no tenant":        func(r *store.Row) { r.Tenant = "" },
		"no key":           func(r *store.Row) { r.Key = "" },
		"a zero byte":      func(r *store.Row) { r.ID = "a\x00b" },
		"bad UTF-8":        func(r *store.Row) { r.Slot = "\xc3" },
		"a long agent":     func(r *store.Row) { r.Agent = strings.Repeat("a", 2000) },
		"a large body":     func(r *store.Row) { r.Body = make([]byte, 2<<20) },
		"a due before all": func(r *store.Row) { r.Due = time.Unix(-5, 0) },
	} {
		bad := s.row("a1", "p2")
		spoil(&bad)
		if _, _, err := s.Insert(s.Context(), bad, entry("payment.received", "p2")); abi.CodeOf(err) != "record_invalid" {
			s.Errorf("%s: %v", name, err)
		}
	}
	meter := func(scope, unit string) func(*store.Change) {
		return func(c *store.Change) { c.Reserve = []store.Reservation{{Meter: store.Meter{Scope: scope, Unit: unit}}} }
	}
	for name, spoil := range map[string]func(*store.Change){
		"an ambiguous meter": meter("a", "b#c"),
		"no scope":           meter("", "usdc"),
		"a closing":          func(c *store.Change) { c.Close = 9 },
		"one meter twice":    func(c *store.Change) { c.Reserve = []store.Reservation{{Meter: money}, {Meter: money}} },
		"no kind":            func(c *store.Change) { c.Entry.Kind = "" },
	} {
		bad := change(row, "allowed")
		spoil(&bad)
		if _, err := s.Commit(s.Context(), bad); abi.CodeOf(err) != "record_invalid" {
			s.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.PutAgent(s.Context(), store.Agent{Tenant: s.tenant, ID: "a1", TokenSHA256: [32]byte{}}, store.Entry{Kind: "agent.created"})
	s.wantCode(err, "record_invalid")
	_, err = s.PutAgent(s.Context(), store.Agent{Tenant: s.tenant, ID: "a1", TokenSHA256: [32]byte{1}, Enrolment: make([]byte, 1<<20)}, store.Entry{Kind: "agent.created"})
	s.wantCode(err, "record_invalid")
	// An id that another key made is no duplicate of it.
	stolen := s.row("a2", "p1")
	stolen.Key = "other"
	_, _, err = s.Insert(s.Context(), stolen, entry("payment.received", "p1"))
	s.wantCode(err, "id_taken")
	if got, err := s.Row(s.Context(), s.tenant, "p1"); err != nil || got.Version != 1 {
		s.Errorf("row %+v, %v", got, err)
	}
}

// reopen closes a ledger and opens it again: everything is there and the chains go on.
func reopen(t *testing.T, open Open) {
	clock, name := NewClock(start), freshName(t)
	s := &suite{T: t, clock: clock, tenant: "acme"}
	s.Ledger = open(t, Options{Name: name, Now: clock.Now})
	row := s.row("a1", "p1")
	row.Slot, row.Due = "slot", start.Add(time.Minute)
	row = s.insert(row)
	c := change(row, "allowed")
	c.Digest, c.Response = []byte("d"), []byte("r")
	c.Reserve = []store.Reservation{{Meter: money, Add: abi.NewAmount(5)}}
	row = s.commit(c)
	id := s.ID()
	if err := s.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), change(row, "late"))
	s.wantCode(err, "ledger_closed")

	s.Ledger = open(t, Options{Name: name, Now: clock.Now})
	t.Cleanup(func() {
		if err := s.Ledger.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if s.ID() != id || id == "" {
		t.Errorf("the ledger was %q and is %q", id, s.ID())
	}
	got, err := s.Row(t.Context(), "acme", "p1")
	if diff := cmp.Diff(row, got); diff != "" || err != nil {
		t.Errorf("the row differs: %s, %v", diff, err)
	}
	if level := s.level(money, window(t, "rolling 1h")); level != 5 {
		t.Errorf("level %d after reopening", level)
	}
	s.close(row, store.Release)
	if level := s.level(money, store.Lifetime()); level != 0 {
		t.Errorf("level %d after a release", level)
	}
	CheckLedger(t, s.Ledger, "acme")
	fresh := open(t, Options{Name: freshName(t), Now: clock.Now})
	if fresh.ID() == id {
		t.Error("two ledgers have one identity")
	}
	if err := fresh.Close(); err != nil {
		t.Error(err)
	}
}
