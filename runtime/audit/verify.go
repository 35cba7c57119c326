package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// Kinds the verifier knows by meaning: no signature without an earlier permission. Every other kind is only chained.
const (
	kindAllowed = "payment.allowed"
	kindSigned  = "payment.signed"
)

// Options adds what the verifier's owner knows from elsewhere.
type Options struct {
	// Tenant, when set, is whose log it must be.
	Tenant string
	// Heads are signed heads kept elsewhere. Each must verify with HeadKey and lie on its chain: a log that was
	// cut before a head, or rewritten, fails.
	Heads   []SignedHead
	HeadKey ed25519.PublicKey
}

// Report says what was verified.
type Report struct {
	Entries uint64
	// Agents counts chains; Heads are their ends in order of agent.
	Agents int
	Heads  []Head
}

// Verify walks a whole log of one tenant, from position 1, in order. It checks dense positions, each record's hash,
// one dense chain per agent, time that never steps back, each meter's dense sequence with before and after joined,
// counts that never fall, and that no payment was signed that was not allowed before. The error has code
// audit_invalid and its Where names the first bad record; the report then covers what came before it. Memory grows
// with agents, meters and payments, not with entries.
func Verify(records iter.Seq2[store.Record, error], options Options) (Report, error) {
	w := &walk{
		tenant: options.Tenant, chains: map[string]*Head{}, meters: map[string]abi.BudgetMove{},
		allowed: map[string]bool{}, want: map[string][]SignedHead{},
	}
	if err := w.expect(options); err != nil {
		return Report{}, err
	}
	for record, err := range records {
		if err != nil {
			return w.report(), err
		}
		if err := w.record(record); err != nil {
			return w.report(), err
		}
		w.entries++
	}
	return w.report(), w.missingHeads()
}

type walk struct {
	tenant  string
	entries uint64
	timeMS  uint64
	chains  map[string]*Head
	meters  map[string]abi.BudgetMove
	allowed map[string]bool
	// want holds the signed heads not met yet.
	want map[string][]SignedHead
}

func bad(position uint64, format string, args ...any) error {
	return &abi.Error{
		Code: "audit_invalid", Message: fmt.Sprintf(format, args...),
		Where: fmt.Sprintf("position %d", position), Fix: "keep this copy and compare it with another one",
	}
}

func (w *walk) record(record store.Record) error {
	at := w.entries + 1
	if record.Position != at {
		return bad(at, "the next record has position %d", record.Position)
	}
	if sha256.Sum256(record.Entry) != record.Hash {
		return bad(at, "the hash is not the entry's")
	}
	var entry abi.Entry
	if err := entry.Unmarshal(record.Entry); err != nil {
		return bad(at, "the entry cannot be read: %v", err)
	}
	if entry.Domain != EntryDomain {
		return bad(at, "the domain is %.40q", entry.Domain)
	}
	if w.tenant == "" {
		w.tenant = entry.Tenant
	}
	if entry.Tenant != w.tenant {
		return bad(at, "the entry is of tenant %.60q", entry.Tenant)
	}
	if entry.TimeUnixMs < w.timeMS {
		return bad(at, "time steps back from %d to %d ms", w.timeMS, entry.TimeUnixMs)
	}
	w.timeMS = entry.TimeUnixMs
	for _, check := range []func(uint64, *abi.Entry, [32]byte) error{w.moves, w.payment, w.chain} {
		if err := check(at, &entry, record.Hash); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) chain(at uint64, entry *abi.Entry, hash [32]byte) error {
	head, ok := w.chains[entry.Agent]
	switch {
	case !ok && entry.Sequence != 1, ok && entry.Sequence != head.Sequence+1:
		return bad(at, "agent %.60q has sequence %d out of turn", entry.Agent, entry.Sequence)
	case !ok && len(entry.Previous) != 0:
		return bad(at, "the first entry of agent %.60q names one before it", entry.Agent)
	case ok && !bytes.Equal(entry.Previous, head.Hash[:]):
		return bad(at, "the chain of agent %.60q is broken", entry.Agent)
	}
	if err := w.meet(at, entry, hash); err != nil {
		return err
	}
	w.chains[entry.Agent] = &Head{entry.Tenant, entry.Agent, entry.Sequence, hash, entry.TimeUnixMs}
	return nil
}

func (w *walk) moves(at uint64, entry *abi.Entry, _ [32]byte) error {
	seen := map[string]bool{}
	for _, move := range entry.Moves {
		last := w.meters[move.Meter] // a meter starts at sequence 0 and amount 0
		switch {
		case seen[move.Meter]:
			return bad(at, "meter %.120q moves twice in one entry", move.Meter)
		case move.Sequence != last.Sequence+1:
			return bad(at, "meter %.120q has sequence %d after %d", move.Meter, move.Sequence, last.Sequence)
		case move.Before != last.After:
			return bad(at, "meter %.120q was %s and moves from %s", move.Meter, last.After, move.Before)
		case strings.HasSuffix(move.Meter, "#"+store.UnitCount) && move.After.Cmp(move.Before) < 0:
			return bad(at, "meter %.120q counts and fell from %s to %s", move.Meter, move.Before, move.After)
		}
		seen[move.Meter] = true
		w.meters[move.Meter] = move
	}
	return nil
}

func (w *walk) payment(at uint64, entry *abi.Entry, _ [32]byte) error {
	switch {
	case entry.Kind == kindAllowed && entry.Payment != "":
		w.allowed[entry.Payment] = true
	case entry.Kind == kindSigned && !w.allowed[entry.Payment]:
		return bad(at, "payment %.80q was signed and not allowed before", entry.Payment)
	}
	return nil
}

// expect takes the signed heads, after checking that they are what they seem.
func (w *walk) expect(options Options) error {
	for _, head := range options.Heads {
		if err := head.Verify(options.HeadKey); err != nil {
			return err
		}
		if options.Tenant != "" && head.Tenant != options.Tenant {
			return badHead("the head of " + head.Agent + " is of another tenant")
		}
		if head.Sequence > 0 {
			w.want[head.Agent] = append(w.want[head.Agent], head)
		}
	}
	return nil
}

func (w *walk) meet(at uint64, entry *abi.Entry, hash [32]byte) error {
	left := w.want[entry.Agent][:0]
	for _, head := range w.want[entry.Agent] {
		if head.Sequence != entry.Sequence {
			left = append(left, head)
			continue
		}
		if head.Hash != hash || head.Tenant != entry.Tenant {
			return bad(at, "the signed head of agent %.60q has another hash: the log was rewritten", entry.Agent)
		}
	}
	if len(left) == 0 {
		delete(w.want, entry.Agent)
		return nil
	}
	w.want[entry.Agent] = left
	return nil
}

func (w *walk) missingHeads() error {
	for _, agent := range slices.Sorted(maps.Keys(w.want)) {
		return bad(w.entries+1, "the signed head of agent %.60q at sequence %d is not in the log: the log was cut",
			agent, w.want[agent][0].Sequence)
	}
	return nil
}

func (w *walk) report() Report {
	report := Report{Entries: w.entries, Agents: len(w.chains)}
	for _, head := range w.chains {
		report.Heads = append(report.Heads, *head)
	}
	slices.SortFunc(report.Heads, func(a, b Head) int { return strings.Compare(a.Agent, b.Agent) })
	return report
}
