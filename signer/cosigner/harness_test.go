package cosigner

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/signertest"
)

const (
	baseNetwork = "eip155:8453"
	baseUSDC    = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	pinnedPayee = "0x1111111111111111111111111111111111111111"
	otherPayee  = "0x2222222222222222222222222222222222222222"
	shopOrigin  = "https://api.example.com"
	shopPolicy  = `version: 1
approvers: {ada: "%x"}
merchants: [{origin: "https://api.example.com", pay_to: ["0x1111111111111111111111111111111111111111"]}]
tenant: {max_transaction_usdc: "1000", daily_spending_limit: "1000"}
agents: {shopper: {policy: test}}
policies:
  test:
    max_transaction_usdc: "50"
    daily_spending_limit: "10"
    require_human_approval_above: "8"
    repeats: parallel
`
)

// chain is the co-signer's view of the network, as the test sets it.
type chain struct {
	mu   sync.Mutex
	life abi.Life
	// now is the time of the newest block, but for behind; looks counts how often it was asked for.
	now     func() time.Time
	behind  time.Duration
	number  uint64
	headErr error
	looks   int
}

func (c *chain) Life(context.Context, preimage.Transfer) (abi.Life, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life, nil
}

func (c *chain) Head(context.Context) (uint64, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.number, c.now().Add(-c.behind), c.headErr
}

func (c *chain) set(life abi.Life) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life = life
}

// clock only moves when the test moves it.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time       { return time.UnixMilli(c.ms.Load()) }
func (c *clock) add(by time.Duration) { c.ms.Add(by.Milliseconds()) }
func (c *clock) unix() uint64         { return uint64(c.ms.Load() / 1000) } //nolint:gosec // after 1970

// party is a co-signer and the rogue runtime in front of it: it holds the runtime's key and says what it likes.
type party struct {
	*CoSigner
	ledger   store.Store
	clock    *clock
	chain    *chain
	engine   *signertest.WholeKey
	log      *codes
	wallet   signer.Wallet
	ours     signer.Identity
	theirs   signer.Identity
	approver ed25519.PrivateKey
	keys     int
	// said is the runtime\'s own log position, witnessed the highest of ours that it has seen.
	said, witnessed atomic.Uint64
	// edits change the co-signer's configuration at every start.
	edits []func(*Config)
}

// openParty starts a co-signer; before, when given, changes the party first.
func openParty(t testing.TB, policyText string, before ...func(*party)) *party {
	t.Helper()
	seed := sha256.Sum256([]byte("co-signer tests: worthless"))
	engine := signertest.NewWholeKey(seed)
	address, err := preimage.EVMAddress(engine.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	p := &party{
		clock: &clock{}, chain: &chain{}, engine: engine, log: &codes{},
		wallet:   signer.Wallet{ID: "main", PublicKey: engine.PublicKey(), Address: address},
		approver: ed25519.NewKeyFromSeed(seed[:]),
	}
	p.chain.now = p.clock.now
	p.clock.ms.Store(time.Now().Add(time.Hour).UnixMilli())
	for _, identity := range []*signer.Identity{&p.ours, &p.theirs} {
		if *identity, err = signer.NewIdentity(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if p.ledger, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "cosigner.db")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.ledger.Close() }) // read to the end by then
	for _, change := range before {
		change(p)
	}
	p.open(t, p.judge(t, policyText))
	return p
}

func (p *party) judge(t testing.TB, text string) *judge.Judge {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	public, _ := p.approver.Public().(ed25519.PublicKey)
	if err := os.WriteFile(path, fmt.Appendf(nil, text, public), 0o600); err != nil {
		t.Fatal(err)
	}
	compiled, err := policy.Load(path, policy.Options{Cosigner: true})
	if err != nil {
		t.Fatal(err)
	}
	j, err := judge.Open(t.Context(), nil, judge.Source{Bundle: compiled.Bundle, Tokens: compiled.Tokens()})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// open starts the co-signer over the party's ledger; a second call is a restart.
func (p *party) open(t testing.TB, j *judge.Judge) {
	t.Helper()
	config := Config{
		Store: p.ledger, Judge: j, Identity: p.theirs, RuntimeKey: p.ours.Public(),
		Keys: map[string]Key{p.wallet.ID: {Wallet: p.wallet, Engine: p.engine}}, Chains: map[abi.Network]Liveness{baseNetwork: p.chain},
		Now: p.clock.now, Log: slog.New(p.log),
	}
	for _, edit := range p.edits {
		edit(&config)
	}
	c, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	p.CoSigner = c
}

// plan is one payment as the runtime would have it signed, before the test bends a part of it.
type plan struct {
	intent    abi.Intent
	quote     abi.Quote
	transfer  preimage.Transfer
	entropy   []byte
	wallet    string
	approvals []abi.ApprovalStatement
	// head is what the runtime says of its ledger when it arms.
	head func() signer.Head
}

// plan is an honest payment under a key of its own.
func (p *party) plan(t testing.TB, micros uint64) plan {
	t.Helper()
	p.keys++
	return p.planFor(t, fmt.Sprintf("key-%08d", p.keys), micros)
}

func (p *party) planFor(t testing.TB, key string, micros uint64) plan {
	t.Helper()
	token, ok := pinned.Builtin().ByAsset(baseUSDC)
	if !ok {
		t.Fatal("USDC on Base is not pinned")
	}
	body := sha256.Sum256(nil)
	made := plan{head: p.head, wallet: p.wallet.ID, entropy: make([]byte, preimage.EntropyBytes)}
	if _, err := io.ReadFull(rand.Reader, made.entropy); err != nil {
		t.Fatal(err)
	}
	made.intent = abi.Intent{
		Payment: judge.PaymentID("default", "shopper", key), Tenant: "default", Agent: "shopper", Key: key,
		Method: "GET", URL: shopOrigin + "/report", Origin: shopOrigin, BodySHA256: body[:],
		Scheme: "exact", Network: baseNetwork, Asset: baseUSDC, Payee: pinnedPayee, Amount: abi.NewAmount(micros),
	}
	made.quote = abi.Quote{
		Scheme: "exact", Network: baseNetwork, Asset: baseUSDC, Payee: pinnedPayee, Amount: made.intent.Amount,
		TimeoutS: 60, ResourceURL: made.intent.URL, Evidence: abi.EvidencePinned, ObservedUnixS: p.clock.unix(),
	}
	made.quote.Requirement = requirement(t, nil, micros)
	made.transfer = preimage.Transfer{
		Token: token, Payer: p.wallet.Address, Payee: pinnedPayee, Amount: made.intent.Amount,
		ValidBefore: p.clock.unix() + 60, Nonce: preimage.Nonce(made.intent.Payment, made.entropy),
	}
	return made
}

// requirement is a merchant's requirement as it comes over the wire, with some members replaced.
func requirement(t testing.TB, members map[string]any, micros uint64) []byte {
	t.Helper()
	all := map[string]any{
		"scheme": "exact", "network": baseNetwork, "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
		"payTo": pinnedPayee, "amount": fmt.Sprint(micros), "maxTimeoutSeconds": 60, "extra": map[string]any{"name": "USD Coin", "version": "2"},
	}
	for name, value := range members {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (x plan) consult() *abi.ConsultRequest {
	return &abi.ConsultRequest{Intent: &x.intent, Quote: &x.quote, Approvals: x.approvals}
}

func (x plan) arm() *abi.ArmRequest {
	policyHash, decision := sha256.Sum256([]byte("policy")), sha256.Sum256([]byte("decision"))
	return &abi.ArmRequest{
		Intent: &x.intent, Quote: &x.quote, Approvals: x.approvals, Kind: preimage.KindEIP712, Preimage: x.transfer.Encode(),
		Entropy: x.entropy, Wallet: x.wallet, RuntimePolicySHA256: policyHash[:], RuntimeDecisionSHA256: decision[:],
		RuntimeStore: "runtime-store", RuntimeHead: x.head().Bytes(),
	}
}

// head is an honest runtime's: its ledger grows with each request.
func (p *party) head() signer.Head {
	return signer.Head{Position: p.said.Add(1), Witnessed: p.witnessed.Load()}
}

// armed arms a plan that must be armed, and adds the runtime's signature.
func (p *party) armed(t testing.TB, x plan) *abi.Armed {
	t.Helper()
	promise, err := p.Arm(t.Context(), x.arm())
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.SignArmed(promise, signer.RoleRuntime, p.ours); err != nil {
		t.Fatal(err)
	}
	head, err := signer.ReadHead(promise.CosignerHead)
	if err != nil {
		t.Fatal(err)
	}
	p.witnessed.Store(max(p.witnessed.Load(), head.Position))
	return promise
}

// sign runs the runtime's side of a session.
func (p *party) sign(t testing.TB, promise *abi.Armed) (signer.Signature, error) {
	t.Helper()
	pair, err := signer.NewPair(signer.PairConfig{
		Wallet: p.wallet, Engine: p.engine.Beside(), CoSigner: p.CoSigner, Identity: p.ours, CoSignerKey: p.theirs.Public(), Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := pair.Sign(t.Context(), "shopper", promise)
	return signature, errors.Join(err, pair.Close())
}

// row is the payment's row, with no state when there is none.
func (p *party) row(t testing.TB, payment string) store.Row {
	t.Helper()
	row, err := p.ledger.Row(t.Context(), "default", payment)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return row
}

// kinds are the kinds of a payment's log entries.
func (p *party) kinds(t testing.TB, payment string) []string {
	t.Helper()
	records, err := p.ledger.Log(t.Context(), store.LogQuery{Tenant: "default", Payment: payment, Max: store.LogMax})
	if err != nil {
		t.Fatal(err)
	}
	kinds := make([]string, 0, len(records))
	for _, record := range records {
		var entry abi.Entry
		if err := entry.Unmarshal(record.Entry); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, entry.Kind)
	}
	return kinds
}

// spent is what counts against the agent's day now.
func (p *party) spent(t testing.TB) abi.Amount {
	t.Helper()
	window, err := store.ParseWindow("rolling 24h0m0s")
	if err != nil {
		t.Fatal(err)
	}
	facts, err := p.ledger.Facts(t.Context(), store.FactQuery{Tenant: "default", Levels: []store.LevelQuery{{Meter: store.Meter{Scope: "agent/shopper", Unit: "usdc"}, Window: window}}})
	if err != nil {
		t.Fatal(err)
	}
	return facts.Levels[0]
}

// settled waits until the patrol, which looks once a second, has moved the payment.
func (p *party) wait(t testing.TB, payment, state string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.row(t, payment).State != state; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the payment is %s, want %s", p.row(t, payment).State, state)
		}
	}
}
