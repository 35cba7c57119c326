package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

func sequence(records []store.Record) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, record := range records {
			if !yield(record, nil) {
				return
			}
		}
	}
}

// writer makes logs for tests: drafts in, records out.
type writer struct {
	t       testing.TB
	records []store.Record
	last    map[string]store.Record
	count   map[string]uint64
}

func newWriter(t testing.TB) *writer {
	return &writer{t: t, last: map[string]store.Record{}, count: map[string]uint64{}}
}

func (w *writer) add(draft abi.Entry) {
	w.t.Helper()
	if draft.Tenant == "" {
		draft.Tenant = "acme"
	}
	sealed, hash, err := audit.Seal(draft, w.count[draft.Agent], w.last[draft.Agent].Hash)
	if err != nil {
		w.t.Fatal(err)
	}
	record := store.Record{Position: uint64(len(w.records)) + 1, Entry: sealed, Hash: hash}
	w.records = append(w.records, record)
	w.last[draft.Agent] = record
	w.count[draft.Agent]++
}

func move(sequence, before, after uint64) []abi.BudgetMove {
	return []abi.BudgetMove{{Meter: "tenant#usdc", Sequence: sequence, Before: abi.NewAmount(before), After: abi.NewAmount(after)}}
}

// goodLog is two payments of two agents that share a budget.
func goodLog(t testing.TB) []store.Record {
	w := newWriter(t)
	w.add(abi.Entry{Agent: "a1", TimeUnixMs: 10, Kind: "payment.received", Payment: "p1"})
	w.add(abi.Entry{Agent: "a2", TimeUnixMs: 10, Kind: "payment.received", Payment: "p2"})
	w.add(abi.Entry{Agent: "a1", TimeUnixMs: 11, Kind: "payment.allowed", Payment: "p1", Moves: move(1, 0, 5), Body: []byte(`{}`)})
	w.add(abi.Entry{Agent: "a2", TimeUnixMs: 12, Kind: "payment.allowed", Payment: "p2", Moves: move(2, 5, 12)})
	w.add(abi.Entry{Agent: "a1", TimeUnixMs: 13, Kind: "payment.signed", Payment: "p1"})
	w.add(abi.Entry{Agent: "a2", TimeUnixMs: 13, Kind: "payment.dead", Payment: "p2", Moves: move(3, 12, 5)})
	return w.records
}

func TestAGoodLogVerifiesAndNamesItsHeads(t *testing.T) {
	records := goodLog(t)
	report, err := audit.Verify(sequence(records), audit.Options{Tenant: "acme"})
	want := audit.Report{Entries: 6, Agents: 2, Heads: []audit.Head{
		{Tenant: "acme", Agent: "a1", Sequence: 3, Hash: records[4].Hash, TimeUnixMS: 13},
		{Tenant: "acme", Agent: "a2", Sequence: 3, Hash: records[5].Hash, TimeUnixMS: 13},
	}}
	if diff := cmp.Diff(want, report); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	if report, err := audit.Verify(sequence(nil), audit.Options{}); err != nil || report.Entries != 0 {
		t.Errorf("an empty log: %+v, %v", report, err)
	}
}

func TestTheFirstBadRecordIsNamed(t *testing.T) {
	type list = []store.Record
	reseal := func(record store.Record, change func(*abi.Entry)) store.Record {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		change(&entry)
		sealed, err := entry.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return store.Record{Position: record.Position, Entry: sealed, Hash: sha256.Sum256(sealed)}
	}
	at := func(i int, change func(*abi.Entry)) func(list) list {
		return func(records list) list { records[i] = reseal(records[i], change); return records }
	}
	for _, c := range []struct {
		name  string
		spoil func(list) list
		where string
		says  string
	}{
		{"a byte of an entry flipped", func(r list) list { r[2].Entry[9] ^= 1; return r }, "position 3", "hash"},
		{"a hash flipped", func(r list) list { r[3].Hash[0] ^= 1; return r }, "position 4", "hash"},
		{"a record removed", func(r list) list { return slices.Delete(r, 1, 2) }, "position 2", "position 3"},
		{"a record removed and the rest renumbered", func(r list) list {
			r = slices.Delete(r, 2, 3)
			for i := range r {
				r[i].Position = uint64(i) + 1
			}
			return r
		}, "position 3", "sequence 2 after 0"},
		{"two records swapped", func(r list) list { r[0], r[1] = r[1], r[0]; return r }, "position 1", "position 2"},
		{"the first record missing", func(r list) list { return r[1:] }, "position 1", "position 2"},
		{"a record repeated", func(r list) list { return slices.Insert(r, 1, r[0]) }, "position 2", "position 1"},
		{"an entry rewritten with a right hash", at(0, func(e *abi.Entry) { e.Body = []byte(`{"x":1}`) }), "position 3", "broken"},
		{"the last entry of a chain renumbered", at(4, func(e *abi.Entry) { e.Sequence = 4 }), "position 5", "out of turn"},
		{"another domain", at(0, func(e *abi.Entry) { e.Domain = "purser.head.v1" }), "position 1", "domain"},
		{"another tenant", at(1, func(e *abi.Entry) { e.Tenant = "other" }), "position 2", "tenant"},
		{"time steps back", at(1, func(e *abi.Entry) { e.TimeUnixMs = 9 }), "position 2", "steps back"},
		{"a first entry with a past", at(1, func(e *abi.Entry) { e.Previous = make([]byte, 32) }), "position 2", "names one before"},
		{"a meter's number skipped", at(2, func(e *abi.Entry) { e.Moves[0].Sequence = 2 }), "position 3", "sequence 2 after 0"},
		{"a meter that jumps", at(3, func(e *abi.Entry) { e.Moves[0].Before = abi.NewAmount(4) }), "position 4", "was 5"},
		{"a meter twice in an entry", at(2, func(e *abi.Entry) { e.Moves = append(e.Moves, move(2, 5, 6)...) }), "position 3", "twice"},
		{"a count that falls", func(r list) list {
			for i, record := range r {
				r[i] = reseal(record, func(e *abi.Entry) {
					for j := range e.Moves {
						e.Moves[j].Meter = "tenant#count"
					}
				})
			}
			return rechain(t, r)
		}, "position 6", "counts and fell"},
		{"signed and never allowed", at(4, func(e *abi.Entry) { e.Payment = "p9" }), "position 5", "not allowed before"},
		{"signed without a payment", at(4, func(e *abi.Entry) { e.Payment = "" }), "position 5", "not allowed before"},
		{"an entry that is no entry", func(r list) list {
			r[1].Entry = []byte("nonsense")
			r[1].Hash = sha256.Sum256(r[1].Entry)
			return r
		}, "position 2", "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := audit.Verify(sequence(c.spoil(goodLog(t))), audit.Options{})
			var coded *abi.Error
			if abi.CodeOf(err) != "audit_invalid" || !asError(err, &coded) || coded.Where != c.where || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want %q about %q", err, c.where, c.says)
			}
			if want := fmt.Sprint("position ", report.Entries+1); want != c.where {
				t.Errorf("the report covers %d entries", report.Entries)
			}
		})
	}
}

func asError(err error, into **abi.Error) bool {
	coded, ok := err.(*abi.Error) //nolint:errorlint // the verifier returns it bare
	*into = coded
	return ok
}

// rechain links records again after their content changed.
func rechain(t *testing.T, records []store.Record) []store.Record {
	w := newWriter(t)
	for _, record := range records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		w.add(entry)
	}
	return w.records
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for range 500 {
		records := goodLog(t)
		record := &records[random.IntN(len(records))]
		bit := random.IntN(8 * (len(record.Entry) + 32))
		if bit < 8*32 {
			record.Hash[bit/8] ^= 1 << (bit % 8)
		} else {
			record.Entry[bit/8-32] ^= 1 << (bit % 8)
		}
		if report, err := audit.Verify(sequence(records), audit.Options{}); err == nil || report.Entries != record.Position-1 {
			t.Fatalf("bit %d of record %d: %+v, %v", bit, record.Position, report, err)
		}
	}
}

func TestASignedHeadProvesThatTheLogWasCutOrRewritten(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	records := goodLog(t)
	report, err := audit.Verify(sequence(records), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(head audit.Head) audit.SignedHead {
		signed, err := audit.SignHead(private, head)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	heads := []audit.SignedHead{sign(report.Heads[0]), sign(report.Heads[1])}
	verify := func(records []store.Record, heads ...audit.SignedHead) error {
		_, err := audit.Verify(sequence(records), audit.Options{Heads: heads, HeadKey: public})
		return err
	}
	if err := verify(records, heads...); err != nil {
		t.Errorf("the whole log: %v", err)
	}
	if err := verify(records[:5], heads...); abi.CodeOf(err) != "audit_invalid" || !strings.Contains(err.Error(), "cut") {
		t.Errorf("a cut log: %v", err)
	}
	if err := verify(nil, heads...); abi.CodeOf(err) != "audit_invalid" {
		t.Errorf("no log: %v", err)
	}
	other := newWriter(t)
	for range 3 {
		other.add(abi.Entry{Agent: "a1", TimeUnixMs: 20, Kind: "payment.received"})
	}
	if err := verify(other.records, heads[0]); abi.CodeOf(err) != "audit_invalid" || !strings.Contains(err.Error(), "rewritten") {
		t.Errorf("a rewritten log: %v", err)
	}
	forged := heads[0]
	forged.Sequence = 1
	if err := verify(records, forged); abi.CodeOf(err) != "head_invalid" {
		t.Errorf("a forged head: %v", err)
	}
	text, err := json.Marshal(heads[1])
	if err != nil {
		t.Fatal(err)
	}
	var back audit.SignedHead
	if err := json.Unmarshal(text, &back); err != nil || cmp.Diff(heads[1], back) != "" {
		t.Errorf("JSON %s: %v", text, err)
	}
	// Lengths keep names apart that join to the same bytes.
	left, right := sign(audit.Head{Tenant: "a", Agent: "bc"}), sign(audit.Head{Tenant: "ab", Agent: "c"})
	left.Tenant, left.Agent = right.Tenant, right.Agent
	if err := left.Verify(public); abi.CodeOf(err) != "head_invalid" {
		t.Errorf("a head under other names: %v", err)
	}
	if err := right.Verify(nil); abi.CodeOf(err) != "head_invalid" {
		t.Errorf("no key: %v", err)
	}
	if _, err := audit.SignHead(nil, audit.Head{}); abi.CodeOf(err) != "head_invalid" {
		t.Errorf("signed without a key: %v", err)
	}
}

func TestAnExportReadsBackExactly(t *testing.T) {
	records := goodLog(t)
	var file bytes.Buffer
	count, err := audit.Export(&file, sequence(records))
	if err != nil || count != 6 {
		t.Fatalf("exported %d, %v", count, err)
	}
	var back []store.Record
	for record, err := range audit.ReadExport(bytes.NewReader(file.Bytes())) {
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, record)
	}
	if diff := cmp.Diff(records, back); diff != "" {
		t.Error(diff)
	}
	if _, err := audit.Verify(audit.ReadExport(&file), audit.Options{Tenant: "acme"}); err != nil {
		t.Errorf("verify the file: %v", err)
	}
}

func TestALineWithAnotherSpellingIsRefused(t *testing.T) {
	var file bytes.Buffer
	if _, err := audit.Export(&file, sequence(goodLog(t)[:1])); err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(file.String(), "\n")
	for name, text := range map[string]string{
		"no newline at the end": line,
		"a space":               strings.Replace(line, ":", ": ", 1) + "\n",
		"upper-case hex":        strings.Replace(line, `"entry":"0a0f`, `"entry":"0A0f`, 1) + "\n",
		"an unknown field":      strings.TrimSuffix(line, "}") + `,"x":1}` + "\n",
		"a field twice":         strings.TrimSuffix(line, "}") + `,"position":1}` + "\n",
		"a short hash":          `{"position":1,"hash":"00","entry":"00"}` + "\n",
		"not JSON":              "hello\n",
		"an empty line":         "\n",
		"a carriage return":     line + "\r\n",
		"an endless line":       `{"position":1,"hash":"` + strings.Repeat("0", 3<<20),
	} {
		err := error(nil)
		for _, lineErr := range audit.ReadExport(strings.NewReader(text)) {
			err = lineErr
		}
		if abi.CodeOf(err) != "export_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnEntryWithoutCanonicalBytesIsNotSealed(t *testing.T) {
	for name, draft := range map[string]abi.Entry{
		"bad UTF-8":  {Kind: "\xff"},
		"too large":  {Body: make([]byte, audit.EntryBytesMax)},
		"a late age": {TimeUnixMs: 1 << 60},
	} {
		if _, _, err := audit.Seal(draft, 0, [32]byte{}); abi.CodeOf(err) != "entry_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerify feeds whole exports: no input panics, and what verifies is spelled in exactly one way.
func FuzzVerify(f *testing.F) {
	var file bytes.Buffer
	if _, err := audit.Export(&file, sequence(goodLog(f))); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	f.Add(file.Bytes()[:file.Len()/2])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var records []store.Record
		report, err := audit.Verify(func(yield func(store.Record, error) bool) {
			for record, err := range audit.ReadExport(bytes.NewReader(data)) {
				records = append(records, record)
				if !yield(record, err) {
					return
				}
			}
		}, audit.Options{})
		if err != nil {
			return
		}
		var again bytes.Buffer
		if _, err := audit.Export(&again, sequence(records)); err != nil || !bytes.Equal(again.Bytes(), data) {
			t.Errorf("%d entries verified, but the file has another spelling, %v", report.Entries, err)
		}
	})
}

func FuzzSignedHeadJSON(f *testing.F) {
	f.Add([]byte(`{"tenant":"a","agent":"b","sequence":1,"hash":"00","time_unix_ms":1,"signature":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var head audit.SignedHead
		if err := json.Unmarshal(data, &head); err != nil {
			return
		}
		text, err := json.Marshal(head)
		var back audit.SignedHead
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || !cmp.Equal(head, back) {
			t.Errorf("%s does not read back: %v", text, err)
		}
	})
}
