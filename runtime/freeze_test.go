package runtime

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/standing"
)

var errAsked = errors.New("asked in spite of the freeze")

// untouchable is a co-signer and a signer that nobody may ask while there is a freeze.
type untouchable struct {
	signer.CoSigner
	t    testing.TB
	sign func() (signer.Signature, error)
}

func (u *untouchable) Consult(context.Context, *abi.ConsultRequest) (*abi.Decision, error) {
	u.t.Error("consulted")
	return nil, errAsked
}

func (u *untouchable) Arm(context.Context, *abi.ArmRequest) (*abi.Armed, error) {
	u.t.Error("asked to arm")
	return nil, errAsked
}

func (u *untouchable) Expect(string) { u.t.Error("a session is prepared") }

func (u *untouchable) Sign(context.Context, string, *abi.Armed) (signer.Signature, error) {
	if u.sign == nil {
		u.t.Error("asked to sign")
		return signer.Signature{}, errAsked
	}
	return u.sign()
}

// unspoken is a protocol that nothing is said in.
type unspoken struct{ settle.Protocol }

// freezer is a runtime with operators, as far as freezes concern it.
type freezer struct {
	*Runtime
	t     testing.TB
	agent store.Agent
	asked *untouchable
	key   ed25519.PrivateKey
}

func openFreezer(t *testing.T) *freezer {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "runtime.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	orders, err := standing.Open(t.Context(), standing.Config{
		Side: judge.Runtime, Tenant: "default", Store: ledger, Operators: order.Operators{Quorum: 1, Keys: map[string]ed25519.PublicKey{"ann": public}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{t: t, key: key, asked: &untouchable{t: t}}
	f.Runtime, err = Open(t.Context(), Config{
		Store: ledger, Agents: ledger, Orders: orders, CoSigner: f.asked, CoSignerKey: public, Protocol: unspoken{},
		Rules:   Rules{Judge: &judge.Judge{}, Adapters: []*Adapter{{}}},
		Wallets: map[string]Account{"main": {Wallet: signer.Wallet{ID: "main"}, Signer: f.asked}},
		Chains:  map[abi.Network]settle.Chain{"eip155:8453": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	f.agent, err = ledger.PutAgent(t.Context(), store.Agent{Tenant: "default", ID: "shopper", Wallet: "main", TokenSHA256: sha256.Sum256([]byte("t"))}, store.Entry{Kind: "agent.created"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *freezer) freeze(scope string) *abi.Order {
	f.t.Helper()
	o, err := order.NewFreeze("default", scope, "", time.Now(), time.Hour)
	if err == nil {
		err = order.Sign(o, "ann", f.key)
	}
	if err == nil {
		err = f.Accept(f.t.Context(), o)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *freezer) thaw(freeze *abi.Order) {
	f.t.Helper()
	o, err := order.NewThaw("default", []string{freeze.Subject}, time.Now(), time.Hour)
	if err == nil {
		err = order.Sign(o, "ann", f.key)
	}
	if err == nil {
		err = f.Accept(f.t.Context(), o)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// payment is one in a state, with what it has by then.
func (f *freezer) payment(state State) Payment {
	p := Payment{
		ID: judge.PaymentID("default", "shopper", "key-00000001"), Tenant: "default", Agent: "shopper", Key: "key-00000001", State: state, Version: 1,
		Offer: &settle.Offer{Quote: abi.Quote{Network: "eip155:8453", Payee: "0x1111111111111111111111111111111111111111"}},
	}
	if state == Prepared || state == Armed {
		p.Prepared = &Preparation{Authorization: settle.Authorization{ValidBefore: uint64(time.Now().Add(time.Minute).Unix())}} //nolint:gosec // after 1970
	}
	if state == Armed {
		p.Armed = &abi.Armed{Payment: p.ID, Wallet: "main"}
	}
	return p
}

func TestAFrozenPaymentIsDeniedBeforeItIsArmed(t *testing.T) {
	for _, scope := range []string{"tenant", "agent/shopper", "wallet/main", "network/eip155:8453", "payee/0x1111111111111111111111111111111111111111"} {
		f := openFreezer(t)
		f.freeze(scope)
		for state, work := range map[State]func(*Runtime, context.Context, *Rules, Payment) (Event, error){
			Received: (*Runtime).decide, Allowed: (*Runtime).prepare, Prepared: (*Runtime).arm,
		} {
			event, err := work(f.Runtime, t.Context(), nil, f.payment(state))
			if failed, ok := event.(Failed); !ok || err != nil || failed.Reason.Code != "frozen" {
				t.Errorf("%s, %s: %v, %v", scope, state, event, err)
				continue
			}
			if next, _, err := step(f.payment(state), event, timing{now: time.Now()}); err != nil || next.State != Denied {
				t.Errorf("%s, %s: %s, %v", scope, state, next.State, err)
			}
		}
	}
}

func TestAFrozenArmedPaymentStaysArmed(t *testing.T) {
	f := openFreezer(t)
	freeze := f.freeze("wallet/main")
	if event, err := f.sign(t.Context(), nil, f.payment(Armed)); event != nil || abi.CodeOf(err) != "frozen" {
		t.Fatalf("%v, %v", event, err)
	}
	next, _, err := step(f.payment(Armed), Delayed{Error: &abi.Error{Code: "frozen"}}, timing{now: time.Now()})
	if err != nil || next.State != Armed {
		t.Fatalf("%s, %v", next.State, err)
	}
	// The freeze comes while the session runs, and the co-signer has not heard of it yet.
	f.thaw(freeze)
	f.asked.sign = func() (signer.Signature, error) {
		f.freeze("tenant")
		return signer.Signature{}, nil
	}
	if event, err := f.sign(t.Context(), nil, f.payment(Armed)); event != nil || abi.CodeOf(err) != "frozen" {
		t.Fatalf("what came of the session was used: %v, %v", event, err)
	}
}

func TestAFreezeRefusesNewPaymentsAndTellsOldOnes(t *testing.T) {
	f := openFreezer(t)
	freeze := f.freeze("agent/shopper")
	_, err := f.Submit(t.Context(), f.agent, "key-00000001", Ask{Resource: settle.Resource{URL: "https://api.example.com/report"}})
	var frozen *abi.Error
	if !errors.As(err, &frozen) || frozen.Code != "frozen" || frozen.Retry != abi.RetryLater || frozen.Where != freeze.Subject {
		t.Fatalf("%v", err)
	}
	if _, err := f.Payment(t.Context(), f.payment(Received).ID); abi.CodeOf(err) != "not_found" {
		t.Fatalf("the key is used up: %v", err)
	}
	p := f.payment(Held)
	body, err := p.body()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.config.Store.Insert(t.Context(), store.Row{Tenant: "default", Agent: p.Agent, ID: p.ID, Key: p.Key, State: string(Held), Body: body}, store.Entry{Kind: "payment.held", Payment: p.ID}); err != nil {
		t.Fatal(err)
	}
	if err := f.mayBegin(t.Context(), f.agent, p.Key); err != nil {
		t.Errorf("an old payment is not told: %v", err)
	}
	if held, err := f.Approve(t.Context(), abi.ApprovalStatement{Payment: p.ID, Approve: true}); abi.CodeOf(err) != "frozen" || held.State != Held {
		t.Errorf("a held payment was approved: %s, %v", held.State, err)
	}
	f.thaw(freeze)
	if err := f.mayBegin(t.Context(), f.agent, "key-00000002"); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestAnOrderAmongTheRowsIsNoPayment(t *testing.T) {
	f := openFreezer(t)
	f.freeze("network/eip155:1")
	if _, err := f.Payment(t.Context(), "order-1"); abi.CodeOf(err) != "not_found" {
		t.Errorf("%v", err)
	}
	if held, err := f.Held(t.Context()); err != nil || len(held) != 0 {
		t.Errorf("%v, %v", held, err)
	}
	if rows, err := f.config.Store.Rows(t.Context(), store.RowQuery{Tenant: "default", DueBefore: time.Now().Add(dueAnyTime)}); err != nil || len(rows) != 0 {
		t.Errorf("an order is due: %v, %v", rows, err)
	}
	freezes, err := f.Freezes(t.Context())
	if err != nil || len(freezes) != 1 {
		t.Errorf("%v, %v", freezes, err)
	}
}
