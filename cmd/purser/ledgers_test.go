package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/storetest"
	"github.com/purserhq/purser/signer"
)

// mute is the runtime's engine with a share that never gets to its last message.
type mute struct{ signer.Engine }

type mutePrepared struct{ transport signer.Transport }

func (m mute) Prepare(ctx context.Context, session signer.Session, transport signer.Transport) (signer.Prepared, error) {
	_, err := m.Engine.Prepare(ctx, session, transport)
	return mutePrepared{transport}, err
}

func (m mutePrepared) Sign(context.Context, [32]byte, [32]byte, func() error) (signer.Signature, error) {
	return signer.Signature{}, errors.Join(errors.New("the share is lost"), m.transport.Close())
}

// lateTimeMax bounds the wait for a payment that only the chain can end.
const lateTimeMax = 8 * time.Second

// buyInVain makes a purchase that cannot be signed and returns how it ended.
func (y story) buyInVain(t *testing.T, ctx context.Context, p process, token string) (api.View, error) {
	t.Helper()
	agent := clientOf(t, p.server.URL, token)
	for {
		view, err := agent.Pay(ctx, api.PayParams{Key: "the-purchase", URL: y.world.merchantURL + "/paid"})
		if ctx.Err() != nil || err == nil && runtime.State(view.State).Final() {
			return view, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(repeatPause):
		}
	}
}

// A payment that cannot be signed gives its money back on both sides long before the chain could, by the co-signer's
// word; and what the checker accepts for that is exactly such a word.
func TestAPaymentThatCannotBeSignedGivesItsMoneyBackByATombstone(t *testing.T) {
	t.Parallel()
	key := testWallet(t)
	y := newStory(t, key, false)
	data := t.TempDir()
	unable := key
	unable.runtime = mute{key.runtime}
	only := y.open(t, y.world.stackFor(data, y.policy, unable))
	made, err := only.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	view, err := y.buyInVain(t, t.Context(), only, made.Reveal())
	only.close(t, false)
	if err != nil || view.State != string(runtime.Dead) || len(view.Reasons) == 0 || view.Reasons[0].Code != "signing_failed" {
		t.Fatalf("%+v, %v", view, err)
	}
	y.judge(t, data, runtime.Dead, 0)
	honest := y.world.evidenceOf(t, data, key, storyLimit)
	honest.others = true
	for _, lie := range []struct {
		name, seen string
		forge      func(*evidence)
	}{
		{"the tombstone is not the co-signer's", "not the co-signer's", func(e *evidence) { e.cosignerKey = publicKeyOf(t, filepath.Join(data, "identity", "runtime.key")) }},
		{"nobody's key is known", "not the co-signer's", func(e *evidence) { e.cosignerKey = nil }},
		{"the co-signer never took it back", "does not have", func(e *evidence) { e.cosigner.drop("cosigner.disclaimed") }},
		{"nothing was armed", "unarmed", func(e *evidence) { e.runtime.drop("payment.armed") }},
	} {
		forged := honest
		forged.runtime, forged.cosigner = honest.runtime.copy(), honest.cosigner.copy()
		lie.forge(&forged)
		if faults := forged.check(); !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, lie.seen) }) {
			t.Errorf("%s: the checker says %q, want a fault that says %q", lie.name, faults, lie.seen)
		}
	}
}

// burial is one fault at the write that records a tombstone.
type burial struct {
	role, kind string
	after      bool // the write happened
	dies       bool // else the ledger does not say whether it did, once
}

func (b burial) String() string {
	name := b.role + map[bool]string{true: " dies", false: " fails"}[b.dies]
	return name + map[bool]string{true: " after its write", false: " before its write"}[b.after]
}

// buried is a ledger that meets the fault.
type buried struct {
	mortal
	burial burial
	met    *atomic.Bool
}

func (b buried) Commit(ctx context.Context, c store.Change) (store.Row, error) {
	if c.Entry.Kind != b.burial.kind || b.met.Swap(true) {
		return b.mortal.Commit(ctx, c)
	}
	if b.burial.after {
		if _, err := b.mortal.Commit(ctx, c); err != nil {
			return store.Row{}, err
		}
	}
	if b.burial.dies {
		b.death.come()
		return store.Row{}, storetest.ErrCrash
	}
	return store.Row{}, store.ErrCommitUnknown
}

// Whatever dies or fails while a promise is taken back, the money is back once, on the word or on the chain.
func TestAProcessThatDiesAtTheWriteOfATombstoneKeepsTheMoneyUntilItIsProven(t *testing.T) {
	key := testWallet(t)
	y := newStory(t, key, false)
	unable := key
	unable.runtime = mute{key.runtime}
	for _, role := range roles {
		for fault := range 4 {
			f := burial{role: role, kind: map[string]string{roleRuntime: "payment.dead", roleCosigner: "cosigner.disclaimed"}[role], after: fault&1 != 0, dies: fault&2 != 0}
			if testing.Short() && !(f.after && f.dies) {
				continue
			}
			t.Run(f.String(), func(t *testing.T) {
				t.Parallel()
				f.strike(t, y, unable)
			})
		}
	}
}

func (b burial) strike(t *testing.T, y story, unable walletKey) {
	data, met := t.TempDir(), new(atomic.Bool)
	config := y.world.stackFor(data, y.policy, unable)
	end := newDeath(t.Context())
	config.ledgers = func(role string, ledger store.Store) store.Store {
		whole := mortal{storetest.NewFaults(ledger.(storetest.Ledger), storetest.Plan{}), end}
		if role == b.role {
			return buried{whole, b, met}
		}
		return whole
	}
	first := y.open(t, config)
	made, err := first.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	view, err := y.buyInVain(t, end.life, first, made.Reveal())
	first.close(t, end.happened.Load())
	if !met.Load() || end.happened.Load() != b.dies {
		t.Fatalf("the fault was met: %v, the process died: %v; %+v, %v", met.Load(), end.happened.Load(), view, err)
	}
	e := y.world.evidenceOf(t, data, unable, storyLimit)
	e.others = true
	e.mustHold(t)
	want := "dead"
	if b.dies && (b.role == roleCosigner || !b.after) {
		want = "armed"
	}
	if e.states()[want] != 1 {
		t.Errorf("after the fault the payment is %v, want %s", e.states(), want)
	}
	if !b.dies {
		return
	}
	// The next process knows nothing of what left: it may sign again what is not taken back, and nothing else.
	second := y.open(t, y.world.stackFor(data, y.policy, unable))
	patience, cancel := context.WithTimeout(t.Context(), lateTimeMax)
	defer cancel()
	if view, err := y.buyInVain(t, patience, second, made.Reveal()); err == nil && view.State != want {
		t.Errorf("%+v", view)
	}
	second.close(t, false)
	e = y.world.evidenceOf(t, data, unable, storyLimit)
	e.others = true
	e.mustHold(t)
}

// A runtime that was restored from a backup is noticed at its first promise, by either side.
func TestARestoredBackupSignsNothing(t *testing.T) {
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			key := testWallet(t)
			y := newStory(t, key, false)
			data := t.TempDir()
			config := y.world.stackFor(data, y.policy, key)
			path, backup := filepath.Join(data, fileOf(role)), filepath.Join(t.TempDir(), "backup.db")
			token := ""
			buy := func(purchase string) api.View {
				p := y.open(t, config)
				defer p.close(t, false)
				if token == "" {
					made, err := p.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
					if err != nil {
						t.Fatal(err)
					}
					token = made.Reveal()
				}
				view, err := clientOf(t, p.server.URL, token).Pay(t.Context(), api.PayParams{Key: purchase, URL: y.world.merchantURL + "/paid"})
				if err != nil {
					t.Fatal(err)
				}
				return view
			}
			if view := buy("purchase-one"); view.State != string(runtime.Delivered) {
				t.Fatalf("%+v", view)
			}
			copyFile(t, path, backup)
			if view := buy("purchase-two"); view.State != string(runtime.Delivered) {
				t.Fatalf("%+v", view)
			}
			for _, rest := range []string{"-wal", "-shm"} {
				if err := os.Remove(path + rest); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			copyFile(t, backup, path)
			for _, purchase := range []string{"purchase-three", "purchase-four"} { // and it stays out
				view := buy(purchase)
				if view.State != string(runtime.Denied) || len(view.Reasons) == 0 || !slices.ContainsFunc(view.Reasons, func(r api.ReasonView) bool {
					return slices.Contains([]string{"peer_rolled_back", "ledger_rolled_back"}, r.Code)
				}) {
					t.Errorf("%s: %+v", purchase, view)
				}
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from) //nolint:gosec // the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// away is a co-signer that nobody reaches.
type away struct{ otherSide }

var errAway = errors.New("connection refused")

func (away) Consult(context.Context, *abi.ConsultRequest) (*abi.Decision, error) { return nil, errAway }

func (away) Join(context.Context, *abi.SessionRequest, signer.Transport) (*abi.SessionAnswer, error) {
	return nil, errAway
}
func (away) Offer(context.Context, []*abi.Order) error            { return errAway }
func (away) Orders(context.Context, uint64) ([]*abi.Order, error) { return nil, errAway }
func (away) Accept(context.Context, *abi.Order) error             { return errAway }

// A purchase whose co-signer is away waits for it while the merchant's terms are good, then it is denied and its money
// is free again.
func TestARuntimeWithoutItsCoSignerDeniesAndHoldsNothing(t *testing.T) {
	t.Parallel()
	key := testWallet(t)
	y := newStory(t, key, false)
	other, err := identity(filepath.Join(t.TempDir(), "cosigner.key"))
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	config := y.world.stackFor(data, y.policy, key)
	config.only, config.peer, config.peerKey = roleRuntime, away{}, other.Public()
	p := y.open(t, config)
	made, err := p.stack.runtime.CreateAgent(t.Context(), "shopper", demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := clientOf(t, p.server.URL, made.Reveal()).Pay(t.Context(), api.PayParams{Key: "the-purchase", URL: y.world.merchantURL + "/paid"})
	if err != nil || first.State != string(runtime.Allowed) || first.Pending == nil || first.Pending.Code != abi.ReasonCosignerUnreachable {
		t.Errorf("the first answer: %+v, %v", first, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeMax)
	defer cancel()
	view, err := y.buyInVain(t, ctx, p, made.Reveal())
	p.close(t, false)
	if err != nil || view.State != string(runtime.Denied) || !slices.ContainsFunc(view.Reasons, func(r api.ReasonView) bool {
		return r.Code == abi.ReasonCosignerUnreachable || r.Observed == abi.ReasonCosignerUnreachable
	}) {
		t.Errorf("%+v, %v", view, err)
	}
	if spent := readSQLite(t, filepath.Join(data, fileOf(roleRuntime))).open(t); spent {
		t.Error("the denial keeps the money")
	}
}

// open reports whether the last entry that moved a payment's meter left anything on it.
func (v ledgerView) open(t *testing.T) bool {
	t.Helper()
	after := abi.Amount{}
	for _, record := range v.records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		for _, move := range entry.Moves {
			if move.Meter == "agent/shopper#usdc" {
				after = move.After
			}
		}
	}
	return !after.IsZero()
}
