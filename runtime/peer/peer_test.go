package peer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/peer"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
)

const tenant = "t"

// side is one side with a ledger of its own.
type side struct {
	*peer.Memory
	t        testing.TB
	ledger   store.Store
	payments int
}

// told is the log entry of a promise: what read understands.
type told struct {
	Store       string
	Head, Bound uint64
}

func read(kind string, body []byte) (peer.Seen, bool, error) {
	if kind != "promised" {
		return peer.Seen{}, false, nil
	}
	var entry told
	err := json.Unmarshal(body, &entry)
	return peer.Seen{Store: entry.Store, Head: entry.Head, Bound: entry.Bound}, true, err
}

func open(t testing.TB) *side {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "side.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	s := &side{t: t, ledger: ledger}
	s.restart()
	return s
}

// restart forgets everything that is not in the ledger.
func (s *side) restart() {
	s.Memory = peer.New(peer.Config{Store: s.ledger, Tenant: tenant, Peer: "other side", Read: read, Open: []string{"open"}})
}

func (s *side) position() uint64 {
	s.t.Helper()
	facts, err := s.ledger.Facts(s.t.Context(), store.FactQuery{Tenant: tenant})
	if err != nil {
		s.t.Fatal(err)
	}
	return facts.Position
}

func (s *side) floor() peer.Floor {
	s.t.Helper()
	floor, err := s.Floor(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return floor
}

func (s *side) check(floor peer.Floor, id string, position, witnessed uint64) error {
	return s.Check(s.t.Context(), "pay_1", floor, id, signer.Head{Position: position, Witnessed: witnessed}.Bytes(), s.position())
}

// promise records a promise in which the other side named the head, and returns our own position in it.
func (s *side) promise(state, id string, head, bound uint64) string {
	s.t.Helper()
	body, err := json.Marshal(told{id, head, bound})
	if err != nil {
		s.t.Fatal(err)
	}
	s.payments++
	name := fmt.Sprintf("pay_%d", s.payments)
	row := store.Row{Tenant: tenant, Agent: "a", ID: name, Key: name, State: state}
	if _, _, err := s.ledger.Insert(s.t.Context(), row, store.Entry{Kind: "promised", Payment: name, Body: body}); err != nil {
		s.t.Fatal(err)
	}
	return name
}

func wantCode(t testing.TB, what, code string, err error) {
	t.Helper()
	if code == "" && err != nil || code != "" && abi.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

func TestTheFirstLedgerIsRememberedAndAnotherStopsSigning(t *testing.T) {
	s := open(t)
	wantCode(t, "first contact", "", s.check(s.floor(), "one", 5, 0))
	s.restart()
	wantCode(t, "the same after a restart", "", s.check(s.floor(), "one", 6, 0))
	wantCode(t, "another", peer.CodeUnknown, s.check(s.floor(), "two", 7, 0))
	s.restart()
	wantCode(t, "the right one after a stop and a restart", peer.CodeUnknown, s.check(peer.Floor{}, "one", 8, 0))
	if _, err := s.Floor(t.Context()); !peer.Stopped(err) {
		t.Errorf("a stop is not told: %v", err)
	}
}

func TestAPinnedLedgerIsTheOnlyOne(t *testing.T) {
	s := open(t)
	s.Memory = peer.New(peer.Config{Store: s.ledger, Tenant: tenant, Peer: "other side", Pinned: "one", Read: read, Open: []string{"open"}})
	wantCode(t, "another at first contact", peer.CodeUnknown, s.check(peer.Floor{}, "two", 1, 0))
}

func TestALedgerWithoutANameIsNeverKnown(t *testing.T) {
	s := open(t)
	wantCode(t, "no name at first contact", peer.CodeUnknown, errors.Join(s.check(peer.Floor{}, "", 1, 0), nil))
}

// A head that is no head is refused and stops nothing: anybody's bug could send one.
func TestAMalformedHeadIsRefusedAndStopsNothing(t *testing.T) {
	s := open(t)
	for _, named := range [][]byte{nil, {}, make([]byte, 8), make([]byte, 15), make([]byte, 17)} {
		wantCode(t, fmt.Sprintf("%d bytes", len(named)), "head_invalid", s.Check(t.Context(), "pay_1", peer.Floor{}, "one", named, 0))
	}
	wantCode(t, "afterwards", "", s.check(s.floor(), "one", 5, 0))
}

func TestHeadsMayOvertakeEachOtherAboveTheirFloor(t *testing.T) {
	s := open(t)
	wantCode(t, "first contact", "", s.check(s.floor(), "one", 1, 0))
	first, second := s.floor(), s.floor() // both were asked for before either answer
	s.promise("done", "one", 20, 0)
	wantCode(t, "the later head", "", s.check(second, "one", 21, 0))
	wantCode(t, "the earlier head, which was on its way", "", s.check(first, "one", 15, 0))
}

func TestALedgerThatWasSetBackIsNoticedAtItsFirstPromise(t *testing.T) {
	for name, c := range map[string]struct {
		position, witnessed uint64
		code                string
	}{
		"its head is lower":                          {99, 50, peer.CodeRolledBack},
		"it has grown past, but forgot a promise":    {500, 49, peer.CodeRolledBack},
		"it is empty":                                {0, 0, peer.CodeRolledBack},
		"it is what it was":                          {100, 50, ""},
		"it names a promise we are too short for":    {101, 1 << 40, peer.CodeOwnRolledBack},
		"it knows promises whose answer we lost too": {101, 55, ""},
	} {
		s := open(t)
		wantCode(t, "first contact", "", s.check(s.floor(), "one", 1, 0))
		s.promise("done", "one", 100, 50)
		for range 60 {
			s.promise("done", "one", 3, 0) // our own log grows
		}
		s.restart() // what is known is in the log
		floor := s.floor()
		if floor.Head != 100 || floor.Bound != 50 {
			t.Fatalf("%+v", floor)
		}
		wantCode(t, name, c.code, s.check(floor, "one", c.position, c.witnessed))
	}
}

func TestAnOperatorAcceptsOnlyWhatTheChainHasDecided(t *testing.T) {
	s := open(t)
	wantCode(t, "first contact", "", s.check(s.floor(), "one", 1, 0))
	payment := s.promise("open", "one", 100, 1)
	old := s.floor()
	wantCode(t, "set back", peer.CodeRolledBack, s.check(old, "one", 40, 1))
	wantCode(t, "accepted too early", peer.CodeUnreconciled, s.Accept(t.Context(), "one", 40))
	wantCode(t, "without a name", "request_invalid", s.Accept(t.Context(), "", 40))
	row, err := s.ledger.Row(t.Context(), tenant, payment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ledger.Commit(t.Context(), store.Change{Tenant: tenant, ID: payment, Version: row.Version, State: "done", Entry: store.Entry{Kind: "settled"}}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "accepted", "", s.Accept(t.Context(), "one", 40))
	s.restart()
	wantCode(t, "a payment from before the acceptance", "", s.check(old, "one", 41, 0))
	floor := s.floor()
	if floor.Head != 40 || floor.Bound != 0 || floor.Age == old.Age {
		t.Errorf("%+v after %+v", floor, old)
	}
	wantCode(t, "set back again", peer.CodeRolledBack, s.check(floor, "one", 39, 0))
	wantCode(t, "another ledger", "", s.Accept(t.Context(), "two", 7))
	wantCode(t, "the new one", "", s.check(s.floor(), "two", 7, 0))
	wantCode(t, "the old one", peer.CodeUnknown, s.check(s.floor(), "one", 50, 0))
}

// Processes that share a ledger know the same, and first contact is one of them's.
func TestProcessesOfOneLedgerKnowTheSame(t *testing.T) {
	a := open(t)
	b := &side{t: t, ledger: a.ledger, payments: 1000}
	b.restart()
	var both sync.WaitGroup
	errs := make([]error, 2)
	for i, s := range []*side{a, b} {
		both.Go(func() {
			errs[i] = s.Check(t.Context(), "pay_1", peer.Floor{}, "one", signer.Head{Position: 1}.Bytes(), 0)
		})
	}
	both.Wait()
	wantCode(t, "both at first contact", "", errors.Join(errs...))
	b.promise("done", "one", 9, 1)
	if floor := a.floor(); floor.Head != 9 || floor.Bound != 1 {
		t.Errorf("one does not see what the other promised: %+v", floor)
	}
	wantCode(t, "one notices", peer.CodeRolledBack, b.check(b.floor(), "one", 2, 1))
	wantCode(t, "the other is stopped", peer.CodeRolledBack, a.check(peer.Floor{}, "one", 100, 1))
	wantCode(t, "an operator accepts at one", "", a.Accept(t.Context(), "one", 2))
	wantCode(t, "the other goes on", "", b.check(b.floor(), "one", 3, 0))
}

// A restart reads the log from where it was written down, and knows the same.
func TestALongLogIsWrittenDown(t *testing.T) {
	s := open(t)
	wantCode(t, "first contact", "", s.check(s.floor(), "one", 1, 0))
	s.promise("done", "one", 77, 3)
	var all sync.WaitGroup
	for i := range 4200 { // more than the fold keeps unwritten
		all.Go(func() {
			name := fmt.Sprintf("other_%d", i)
			row := store.Row{Tenant: tenant, Agent: "b", ID: name, Key: name, State: "done"}
			if _, _, err := s.ledger.Insert(t.Context(), row, store.Entry{Kind: "noise"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	before := s.floor()
	s.restart()
	if after := s.floor(); before != after || after.Head != 77 {
		t.Errorf("%+v after a restart, before %+v", after, before)
	}
	records, err := s.ledger.Log(t.Context(), store.LogQuery{Tenant: tenant, Agent: "_peer", Max: store.LogMax})
	if err != nil || len(records) != 2 { // pinned, checked
		t.Errorf("%d entries, %v", len(records), err)
	}
}
