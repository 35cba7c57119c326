// Package replay makes recorded decisions again, from the bytes in the log and the archive of what they were made
// with, and compares every byte and every unit of fuel. It refuses to repair or to excuse: the first difference is an
// error that names it. It needs no network, no key and no server.
package replay

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store"
)

// CodeDiffers: a decision made again is not the recorded one.
const CodeDiffers = "replay_differs"

// policiesMax bounds the policy bundles that are held open at once; each holds compiled plugins.
const policiesMax = 8

// Judge makes a recorded decision again. unproven names what it could only take as it was recorded.
type Judge interface {
	Replay(ctx context.Context, recorded *abi.Decision) (again *abi.Decision, unproven []string, err error)
	Close() error
}

// Report says what was replayed.
type Report struct {
	// Entries were read, Decisions found in them, and Replayed made again with the same bytes.
	Entries, Decisions, Replayed uint64
	// Unproven counts the replayed decisions of which a part was taken as it was recorded, by what: that the host denied
	// in a plugin's place, or fuel that another version of the meter counted.
	Unproven map[string]uint64
	// Policies counts the replayed decisions by the bundle they were made under. A replay proves that the bundle decides
	// so, and not that it was the operator's.
	Policies map[[32]byte]uint64
	// Calls and Fuel are of the plugin calls that were made again.
	Calls, Fuel uint64
}

// Options of Log.
type Options struct {
	// Open returns the judge of a policy bundle by its digest. Log closes it.
	Open func(ctx context.Context, bundle [32]byte) (Judge, error)
	// Side, unless it is empty, is whose log this is: "runtime" or "cosigner".
	Side string
	// Concerns, if not nil, says which decisions are replayed. The others are passed over.
	Concerns func(*abi.Decision) (bool, error)
	// Observe, if not nil, hears of each entry.
	Observe func(Report)
}

// Log replays the decisions of a log. A difference is an error of code replay_differs whose Where names position and
// payment, and so is a decision that belongs to another entry than it stands in. Errors of opening a judge and of reading
// the log come back as they are. That the log is whole, and in its order, is for audit.Verify to say.
func Log(ctx context.Context, records iter.Seq2[store.Record, error], options Options) (report Report, err error) {
	report.Unproven, report.Policies = map[string]uint64{}, map[[32]byte]uint64{}
	court := &court{open: options.Open, judges: map[[32]byte]Judge{}}
	defer func() {
		if closeErr := court.close(); err == nil {
			err = closeErr
		}
	}()
	for record, err := range records {
		if err != nil {
			return report, err
		}
		report.Entries++
		if err := court.entry(ctx, record, options, &report); err != nil {
			return report, err
		}
		if options.Observe != nil {
			options.Observe(report)
		}
	}
	return report, nil
}

// entry replays the decision in an entry, if there is one and it concerns anybody.
func (c *court) entry(ctx context.Context, record store.Record, options Options, report *Report) error {
	var entry abi.Entry
	if err := entry.Unmarshal(record.Entry); err != nil {
		return fmt.Errorf("read entry %d: %w", record.Position, err)
	}
	decision, err := decisionIn(&entry)
	if err != nil {
		return at(err, record.Position, entry.Payment)
	}
	if err := belongs(&entry, decision, options.Side); err != nil {
		return at(err, record.Position, entry.Payment)
	}
	if decision == nil {
		return nil
	}
	if options.Concerns != nil {
		if concerns, err := options.Concerns(decision); err != nil || !concerns {
			return at(err, record.Position, entry.Payment)
		}
	}
	report.Decisions++
	return at(c.compare(ctx, decision, report), record.Position, entry.Payment)
}

// court holds the judges of the bundles a log was written under.
type court struct {
	open   func(ctx context.Context, bundle [32]byte) (Judge, error)
	judges map[[32]byte]Judge
	order  [][32]byte
}

func (c *court) compare(ctx context.Context, recorded *abi.Decision, report *Report) error {
	judge, err := c.judge(ctx, [32]byte(recorded.PolicySHA256))
	if err != nil {
		return err
	}
	again, unproven, err := judge.Replay(ctx, recorded)
	if err != nil {
		return err
	}
	if err := same(recorded, again); err != nil {
		return err
	}
	report.Replayed++
	report.Policies[[32]byte(recorded.PolicySHA256)]++
	for _, what := range unproven {
		report.Unproven[what]++
	}
	for _, verdict := range recorded.Verdicts {
		if verdict.Run != nil {
			report.Calls++
			report.Fuel += verdict.Run.Fuel
		}
	}
	return nil
}

// judge opens the judge of a bundle, and closes the one that was opened first when there are too many.
func (c *court) judge(ctx context.Context, bundle [32]byte) (Judge, error) {
	if judge := c.judges[bundle]; judge != nil {
		return judge, nil
	}
	if len(c.order) == policiesMax {
		oldest := c.order[0]
		c.order = c.order[1:]
		judge := c.judges[oldest]
		delete(c.judges, oldest)
		if err := judge.Close(); err != nil {
			return nil, err
		}
	}
	judge, err := c.open(ctx, bundle)
	if err != nil {
		return nil, fmt.Errorf("open policy bundle %s: %w", hex.EncodeToString(bundle[:]), err)
	}
	c.judges[bundle], c.order = judge, append(c.order, bundle)
	return judge, nil
}

func (c *court) close() error {
	var first error
	for _, judge := range c.judges {
		if err := judge.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// same compares two decisions byte for byte, and says where they differ.
func same(recorded, again *abi.Decision) error {
	want, err := recorded.Marshal()
	if err != nil {
		return fmt.Errorf("encode the recorded decision: %w", err)
	}
	got, err := again.Marshal()
	if err != nil {
		return fmt.Errorf("encode the decision made again: %w", err)
	}
	if bytes.Equal(want, got) {
		return nil
	}
	if recorded.Outcome != again.Outcome {
		return differs("the outcome was %s and is %s", recorded.Outcome, again.Outcome)
	}
	for i := range min(len(recorded.Verdicts), len(again.Verdicts)) {
		if err := sameVerdict(&recorded.Verdicts[i], &again.Verdicts[i]); err != nil {
			return err
		}
	}
	return differs("the bytes of the decision are not the recorded ones")
}

func sameVerdict(recorded, again *abi.Verdict) error {
	want, wantErr := recorded.Marshal()
	got, gotErr := again.Marshal()
	if wantErr != nil || gotErr != nil || bytes.Equal(want, got) {
		return nil //nolint:nilerr // the whole decision was encoded before
	}
	if a, b := recorded.Run, again.Run; a != nil && b != nil {
		switch {
		case a.Fuel != b.Fuel:
			return differs("%s used %d fuel and uses %d", recorded.Source, a.Fuel, b.Fuel)
		case !bytes.Equal(a.ResultSHA256, b.ResultSHA256):
			return differs("%s gave the result %x and gives %x", recorded.Source, a.ResultSHA256, b.ResultSHA256)
		case !bytes.Equal(a.ModuleSHA256, b.ModuleSHA256) || !bytes.Equal(a.ConfigSHA256, b.ConfigSHA256) || !bytes.Equal(a.GrantsSHA256, b.GrantsSHA256):
			return differs("%s ran another module, configuration or grants", recorded.Source)
		}
	}
	return differs("the verdict of %s was %s and is %s, or its reasons differ", recorded.Source, recorded.Outcome, again.Outcome)
}

func differs(format string, args ...any) error {
	return &abi.Error{
		Code: CodeDiffers, Message: fmt.Sprintf(format, args...),
		Fix: "the log was changed, or this binary decides otherwise than the one that wrote it; keep both and compare",
	}
}

// at adds the place to an error that has none.
func at(err error, position uint64, payment string) error {
	if err == nil {
		return nil
	}
	if coded, ok := err.(*abi.Error); ok && coded.Where == "" { //nolint:errorlint // ours, made above
		coded.Where = fmt.Sprintf("position %d, payment %s", position, payment)
		return coded
	}
	return fmt.Errorf("position %d, payment %s: %w", position, payment, err)
}
