package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
)

// judgeFunc answers for every recorded decision.
type judgeFunc func(recorded abi.Decision) (*abi.Decision, error)

func (f judgeFunc) Replay(_ context.Context, recorded *abi.Decision) (*abi.Decision, []string, error) {
	again, err := f(*recorded)
	return again, nil, err
}
func (judgeFunc) Close() error { return nil }

// decision is one under a policy; the log below puts the payment's number in.
func decision(policy byte) *abi.Decision {
	hash := func(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }
	return &abi.Decision{
		Outcome: abi.Allow, PolicySHA256: hash('0' + policy), Request: requestOf("a", 0), Side: "runtime",
		Verdicts: []abi.Verdict{
			{Source: "rules", Outcome: abi.Allow, Reasons: []abi.Reason{{Code: "allowed"}}},
			{Source: "ceiling", Outcome: abi.Allow, Run: &abi.PluginRun{ModuleSHA256: hash('m'), ResultSHA256: hash('r'), Fuel: 48_700}},
		},
	}
}

// requestOf asks about the payment of the nth entry.
func requestOf(agent string, n int) []byte {
	encoded, err := (&abi.DecideRequest{Intent: &abi.Intent{Tenant: "acme", Agent: agent, Payment: fmt.Sprintf("pay_%d", n)}}).Marshal()
	if err != nil {
		panic(err) // it is constant
	}
	return encoded
}

// log makes a log of entries with these bodies; the decisions in them are about their entry's payment.
func log(t *testing.T, bodies ...any) iter.Seq2[store.Record, error] {
	t.Helper()
	for i, body := range bodies {
		fields, _ := body.(map[string]any)
		if d, ok := fields["decision"].(*abi.Decision); ok && len(d.Request) > 0 {
			d.Request = requestOf("a", i+1)
		}
	}
	return entries(t, bodies...)
}

// entries makes a log of entries with these bodies as they are.
func entries(t *testing.T, bodies ...any) iter.Seq2[store.Record, error] {
	t.Helper()
	var records []store.Record
	var last [32]byte
	for i, body := range bodies {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		kind := "payment.quoted"
		fields, _ := body.(map[string]any)
		if named, ok := fields["kind"].(string); ok {
			kind = named
		}
		draft := abi.Entry{Tenant: "acme", Agent: "a", Kind: kind, Payment: fmt.Sprintf("pay_%d", i+1), Body: encoded}
		sealed, hash, err := audit.Seal(draft, uint64(i), last)
		if err != nil {
			t.Fatal(err)
		}
		last = hash
		records = append(records, store.Record{Position: uint64(i) + 1, Entry: sealed, Hash: hash})
	}
	return func(yield func(store.Record, error) bool) {
		for _, record := range records {
			if !yield(record, nil) {
				return
			}
		}
	}
}

func decided(d *abi.Decision) map[string]any { return map[string]any{"decision": d, "amount": "1"} }

func with(judge Judge) Options {
	return Options{Open: func(context.Context, [32]byte) (Judge, error) { return judge, nil }}
}

func TestTheSameDecisionsReplay(t *testing.T) {
	same := judgeFunc(func(recorded abi.Decision) (*abi.Decision, error) { return &recorded, nil })
	entries := log(t, decided(decision(1)), map[string]string{"event": "quoted"}, decided(decision(2)))
	report, err := Log(t.Context(), entries, with(same))
	if err != nil || report.Entries != 3 || report.Decisions != 2 || report.Replayed != 2 || report.Calls != 2 || len(report.Policies) != 2 || report.Fuel != 97_400 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestAnyDifferenceIsFoundAndPlaced(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*abi.Decision)
		word   string
	}{
		"one unit of fuel":   {func(d *abi.Decision) { d.Verdicts[1].Run.Fuel++ }, "48701"},
		"the result's bytes": {func(d *abi.Decision) { d.Verdicts[1].Run.ResultSHA256 = make([]byte, 32) }, "result"},
		"the module":         {func(d *abi.Decision) { d.Verdicts[1].Run.ModuleSHA256 = make([]byte, 32) }, "another module"},
		"the outcome":        {func(d *abi.Decision) { d.Outcome = abi.Deny }, "outcome"},
		"a reason":           {func(d *abi.Decision) { d.Verdicts[0].Reasons[0].Text = "because" }, "rules"},
		"a missing verdict":  {func(d *abi.Decision) { d.Verdicts = d.Verdicts[:1] }, "bytes"},
		"the side":           {func(d *abi.Decision) { d.Side = "cosigner" }, "bytes"},
	} {
		changing := judgeFunc(func(abi.Decision) (*abi.Decision, error) {
			again := decision(1)
			again.Request = requestOf("a", 2)
			c.change(again)
			return again, nil
		})
		_, err := Log(t.Context(), log(t, map[string]string{}, decided(decision(1))), with(changing))
		var coded *abi.Error
		if !errors.As(err, &coded) || coded.Code != CodeDiffers || coded.Where != "position 2, payment pay_2" || !strings.Contains(coded.Message, c.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// partly makes every decision again, taking something on faith.
type partly struct{ unproven []string }

func (p partly) Replay(_ context.Context, recorded *abi.Decision) (*abi.Decision, []string, error) {
	return recorded, p.unproven, nil
}

func (partly) Close() error { return nil }

func TestWhatWasTakenAsRecordedIsCounted(t *testing.T) {
	report, err := Log(t.Context(), log(t, decided(decision(1)), decided(decision(2))), with(partly{[]string{"fuel", "quarantine"}}))
	if err != nil || report.Replayed != 2 || report.Unproven["fuel"] != 2 || report.Unproven["quarantine"] != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

// What a judge says of why it cannot make a decision again is never passed over.
func TestADecisionThatCannotBeMadeAgainFails(t *testing.T) {
	for _, code := range []string{"other_meter", "not_replayable"} {
		cannot := judgeFunc(func(abi.Decision) (*abi.Decision, error) { return nil, &abi.Error{Code: code} })
		_, err := Log(t.Context(), log(t, decided(decision(1))), with(cannot))
		var coded *abi.Error
		if !errors.As(err, &coded) || coded.Code != code || coded.Where != "position 1, payment pay_1" {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// Each of these is a good decision in the wrong place: made again, it is the same.
func TestADecisionInAnotherEntryThanItsOwnFails(t *testing.T) {
	same := judgeFunc(func(recorded abi.Decision) (*abi.Decision, error) { return &recorded, nil })
	of := func(change func(*abi.Decision)) *abi.Decision {
		d := decision(1)
		d.Request = requestOf("a", 1)
		change(d)
		return d
	}
	options := with(same)
	options.Side = "runtime"
	good := of(func(*abi.Decision) {})
	denied := of(func(d *abi.Decision) { d.Outcome = abi.Deny })
	stranger := of(func(d *abi.Decision) {
		d.Outcome, d.Request = abi.Deny, nil
		d.Verdicts = []abi.Verdict{{Source: "rules", Reasons: []abi.Reason{{Code: abi.ReasonNoPolicy, Observed: "a"}}}}
	})
	for name, body := range map[string]any{
		"an allow": map[string]any{"kind": "payment.allowed", "decision": good},
		"a deny":   map[string]any{"kind": "payment.denied", "decision": denied},
		"nobody":   map[string]any{"kind": "payment.denied", "decision": stranger},
	} {
		if _, err := Log(t.Context(), entries(t, body), options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, body := range map[string]any{
		"an allow without a decision": map[string]any{"kind": "payment.allowed"},
		"a promise without one":       map[string]any{"kind": "cosigner.armed"},
		"an allow with a denial":      map[string]any{"kind": "payment.allowed", "decision": denied},
		"another payment's decision":  decided(of(func(d *abi.Decision) { d.Request = requestOf("a", 2) })),
		"another agent's decision":    decided(of(func(d *abi.Decision) { d.Request = requestOf("b", 1) })),
		"the other side's decision":   decided(of(func(d *abi.Decision) { d.Side = "cosigner" })),
		"a decision under no policy":  decided(of(func(d *abi.Decision) { d.PolicySHA256 = nil })),
		"a request that is none":      decided(of(func(d *abi.Decision) { d.Request = []byte("request") })),
		"another agent without policy": decided(of(func(d *abi.Decision) {
			*d = *stranger
			d.Verdicts = slices.Clone(d.Verdicts)
			d.Verdicts[0].Reasons = []abi.Reason{{Code: abi.ReasonNoPolicy, Observed: "b"}}
		})),
	} {
		if _, err := Log(t.Context(), entries(t, body), options); abi.CodeOf(err) != CodeDiffers {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOnlyTheDecisionsThatConcern(t *testing.T) {
	same := judgeFunc(func(recorded abi.Decision) (*abi.Decision, error) { return &recorded, nil })
	options := with(same)
	options.Concerns = func(d *abi.Decision) (bool, error) { return len(d.Verdicts) > 1, nil }
	foreign := decision(1)
	foreign.Verdicts = foreign.Verdicts[:1]
	report, err := Log(t.Context(), log(t, decided(decision(1)), decided(foreign)), options)
	if err != nil || report.Decisions != 1 || report.Replayed != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	options.Concerns = func(*abi.Decision) (bool, error) { return false, errors.New("unreadable") }
	if _, err := Log(t.Context(), log(t, decided(decision(1))), options); err == nil {
		t.Error("a decision of which nobody knows was passed over")
	}
}

func TestNoMoreThanAFewPoliciesAreOpen(t *testing.T) {
	open, most := 0, 0
	options := Options{Open: func(context.Context, [32]byte) (Judge, error) {
		open++
		most = max(most, open)
		return counted{&open}, nil
	}}
	var bodies []any
	for round := range 40 {
		bodies = append(bodies, decided(decision(byte(round%20))))
	}
	if _, err := Log(t.Context(), log(t, bodies...), options); err != nil {
		t.Fatal(err)
	}
	if most > policiesMax || open != 0 {
		t.Errorf("%d judges were open at once, %d stay open", most, open)
	}
}

type counted struct{ open *int }

func (c counted) Replay(_ context.Context, recorded *abi.Decision) (*abi.Decision, []string, error) {
	return recorded, nil, nil
}

func (c counted) Close() error { *c.open--; return nil }
