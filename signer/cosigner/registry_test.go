package cosigner

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/enrol"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
	"github.com/purserhq/purser/signer/signertest"
)

const enrolledPolicy = `version: 1
approvers: {ada: "%x"}
merchants: [{origin: "https://api.example.com", pay_to: ["0x1111111111111111111111111111111111111111"]}]
tenant: {max_transaction_usdc: "1000", daily_spending_limit: "1000"}
agents: {"*": {policy: test}}
policies:
  test:
    max_transaction_usdc: "50"
    daily_spending_limit: "10"
    require_human_approval_above: "8"
    repeats: parallel
`

// seeded is a key that only tests have.
func seeded(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("worthless: " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(name string) ed25519.PublicKey {
	public, _ := seeded(name).Public().(ed25519.PublicKey) // always of that type
	return public
}

// twoOfThree are the operators of these tests: two loosen, one tightens.
var twoOfThree = order.Operators{Quorum: 2, Keys: map[string]ed25519.PublicKey{"ann": publicOf("ann"), "ben": publicOf("ben"), "cleo": publicOf("cleo")}}

// openRegistry starts a co-signer with operators, a wallet that agents have keys under, and a second wallet. Enrolled
// are shopper and reader, each with a key to sign with and one to pay from, and bearer, without either.
func openRegistry(t testing.TB) *party {
	t.Helper()
	p := openParty(t, enrolledPolicy, func(p *party) {
		p.wallet.ChainCode = signer.NewChainCode(sha256.Sum256([]byte("worthless chain code")))
		treasury := signertest.NewWholeKey(sha256.Sum256([]byte("worthless treasury")))
		p.edits = append(p.edits, func(c *Config) {
			agents, _ := p.ledger.(store.Agents)
			c.Agents, c.Operators = agents, twoOfThree
			c.Keys["treasury"] = Key{Engine: treasury, Wallet: signer.Wallet{ID: "treasury", PublicKey: treasury.PublicKey(), Address: otherPayee}}
		})
	})
	for _, e := range []abi.Enrolment{
		{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("shopper")},
		{Agent: "reader", Wallet: "main", Derived: true, PublicKey: publicOf("reader")},
		{Agent: "bearer", Wallet: "main"},
	} {
		if err := p.Enrol(t.Context(), p.order(t, e, 1, "ann", "ben")); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// order is an enrolment order with endorsements by some operators.
func (p *party) order(t testing.TB, e abi.Enrolment, serial uint64, operators ...string) *abi.Order {
	t.Helper()
	o, err := order.NewEnrolment("default", e, serial, p.clock.now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range operators {
		if err := order.Sign(o, name, seeded(name)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// payer is the account an enrolled agent pays from.
func (p *party) payer(t testing.TB, agent string) signer.Wallet {
	t.Helper()
	path := signer.AgentPath("default", agent)
	if agent == "bearer" {
		path = ""
	}
	wallet, err := p.wallet.At(path)
	if err != nil {
		t.Fatal(err)
	}
	return wallet
}

func TestAfterARevocationNothingIsDecidedArmedOpenedOrSigned(t *testing.T) {
	p := openRegistry(t)
	promise := p.armed(t, p.planOf(t, "shopper", 1_000_000))
	before := p.planOf(t, "shopper", 1_000_000)
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "shopper", Revoked: true}, 2, "cleo")); err != nil {
		t.Fatal(err)
	}
	p.refusedWith(t, before, "agent_revoked")
	if _, err := p.joinAs(t, "main", "shopper"); abi.CodeOf(err) != "agent_revoked" {
		t.Errorf("join: %v", err)
	}
	if signature, err := p.signAs(t, "shopper", promise); err == nil {
		t.Errorf("signed: %+v", signature)
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the promise is %s", row.State)
	}
	// The others go on.
	p.armed(t, p.planOf(t, "reader", 1_000_000))
}

// A session that was opened before the revocation waits for its digest; it must not get one.
func TestASessionThatWaitsSignsNothingAfterARevocation(t *testing.T) {
	p := openRegistry(t)
	promise := p.armed(t, p.planOf(t, "bearer", 1_000_000))
	session, err := p.rogueAs(t, "bearer")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "bearer", Revoked: true}, 2, "ann")); err != nil {
		t.Fatal(err)
	}
	if signature, err := session.sign(t.Context(), promise); err == nil {
		t.Errorf("signed: %+v", signature)
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the promise is %s", row.State)
	}
}

// The rounds are under way when the revocation comes: our last message does not leave.
func TestARevocationMeetsASessionBeforeItsLastMessage(t *testing.T) {
	p := openRegistry(t)
	p.engine.Wait = make(chan struct{})
	promise := p.armed(t, p.planOf(t, "bearer", 1_000_000))
	session, err := p.rogueAs(t, "bearer")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := session.sign(t.Context(), promise)
		ended <- err
	}()
	for deadline := time.Now().Add(time.Minute); p.engine.Armed.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the session got no digest")
		}
	}
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "bearer", Revoked: true}, 2, "ann")); err != nil {
		t.Fatal(err)
	}
	close(p.engine.Wait)
	if err := <-ended; err == nil {
		t.Error("signed after the revocation")
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the promise is %s", row.State)
	}
}

func TestAnEnrolmentCountsByItsOperatorsAndNeverGoesBack(t *testing.T) {
	p := openRegistry(t)
	mallory := abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("mallory")}
	renewed := abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("renewed")}
	expired := p.order(t, mallory, 2, "ann", "ben")
	p.clock.add(2 * time.Hour)
	tenant := p.order(t, mallory, 2)
	tenant.Tenant = "other"
	edited := p.order(t, renewed, 2, "ann", "ben")
	edited.Enrolment.PublicKey = publicOf("mallory")
	twice := p.order(t, mallory, 2, "ann")
	twice.Endorsements = append(twice.Endorsements, abi.Endorsement{Operator: "ben", Signature: twice.Endorsements[0].Signature})
	stranger := p.order(t, mallory, 2, "ann")
	if err := errors.Join(order.Sign(stranger, "mallory", seeded("mallory")), order.Sign(tenant, "ann", seeded("ann")), order.Sign(tenant, "ben", seeded("ben"))); err != nil {
		t.Fatal(err)
	}
	for name, attack := range map[string]struct {
		order *abi.Order
		code  string
	}{
		"endorsed by nobody":              {p.order(t, mallory, 2), "order_unendorsed"},
		"endorsed by too few":             {p.order(t, mallory, 2, "ann"), "order_unendorsed"},
		"one person under two names":      {twice, "order_unendorsed"},
		"endorsed by a stranger":          {stranger, "order_unendorsed"},
		"edited after it was signed":      {edited, "order_unendorsed"},
		"for another tenant":              {tenant, "order_invalid"},
		"too old to be accepted":          {expired, "order_expired"},
		"the serial of the one in force":  {p.order(t, mallory, 1, "ann", "ben"), "order_stale"},
		"a serial that uses the rest up":  {p.order(t, abi.Enrolment{Agent: "shopper", Revoked: true}, 1<<53-1, "ann"), "order_stale"},
		"a freeze in an enrolment's name": {&abi.Order{Domain: "purser.order.v1", Tenant: "default", Kind: "freeze", Subject: "shopper"}, "order_invalid"},
		"nothing":                         {nil, "claim_invalid"},
	} {
		if err := p.Enrol(t.Context(), attack.order); abi.CodeOf(err) != attack.code {
			t.Errorf("%s: %v, want %s", name, err, attack.code)
		}
	}
	p.armed(t, p.planOf(t, "shopper", 1_000)) // its key is what it was

	first, second := p.order(t, renewed, 2, "ann", "cleo"), p.order(t, mallory, 3, "ann", "ben")
	for _, o := range []*abi.Order{first, first} { // bringing it again changes nothing
		if err := p.Enrol(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if agent, err := p.enrolled(t.Context(), "shopper"); err != nil || agent.Version != 2 || !bytes.Equal(agent.PublicKey, publicOf("renewed")) {
		t.Errorf("%+v, %v", agent, err)
	}
	// Mallory holds an older order that is still in time.
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("shopper")}, 1, "ann", "ben")); abi.CodeOf(err) != "order_stale" {
		t.Errorf("rolled back: %v", err)
	}
	x := p.planOf(t, "shopper", 1_000)
	p.refusedWith(t, x, "request_forged") // by the old key
	if err := p.Enrol(t.Context(), second); err != nil {
		t.Errorf("the next serial: %v", err)
	}
}

// One person can end an enrolment and change nothing else by it; to bring it back takes the quorum and a later serial.
func TestOneOperatorEndsAnEnrolmentAndOnlyTheQuorumRenewsIt(t *testing.T) {
	p := openRegistry(t)
	end := p.order(t, abi.Enrolment{Agent: "shopper", Revoked: true, Wallet: "treasury", PublicKey: publicOf("mallory")}, 2, "ben")
	p.clock.add(48 * time.Hour) // what tightens holds late too
	if err := p.Enrol(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	agent, err := p.enrolled(t.Context(), "shopper")
	if err != nil || !agent.Revoked || agent.Wallet != "main" || !agent.Derived || !bytes.Equal(agent.PublicKey, publicOf("shopper")) {
		t.Errorf("%+v, %v", agent, err)
	}
	back := abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: true, PublicKey: publicOf("shopper")}
	if err := p.Enrol(t.Context(), p.order(t, back, 3, "ben")); abi.CodeOf(err) != "order_unendorsed" {
		t.Errorf("renewed by one: %v", err)
	}
	if err := p.Enrol(t.Context(), p.order(t, back, 3, "ben", "cleo")); err != nil {
		t.Fatal(err)
	}
	p.armed(t, p.planOf(t, "shopper", 1_000))
	// An end that arrives before its enrolment keeps the older enrolment out.
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "late", Revoked: true}, 5, "ann")); err != nil {
		t.Fatal(err)
	}
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "late", Wallet: "main"}, 4, "ann", "ben")); abi.CodeOf(err) != "order_stale" {
		t.Errorf("enrolled after its end: %v", err)
	}
}

func TestOrdersThatRaceLeaveTheLatest(t *testing.T) {
	p := openRegistry(t)
	var orders []*abi.Order
	for serial := uint64(2); serial < 18; serial++ {
		orders = append(orders, p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main", Derived: serial%2 == 0}, serial, "ann", "ben"))
	}
	var all sync.WaitGroup
	for _, o := range orders {
		all.Go(func() {
			for { // whoever brings an order brings it again until it is taken, or too late
				err := p.Enrol(t.Context(), o)
				if err == nil || abi.CodeOf(err) == "order_stale" {
					return
				}
				if !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	agent, err := p.enrolled(t.Context(), "shopper")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := enrol.Order(agent); err != nil || o.Serial != 17 || agent.Derived {
		t.Errorf("serial %d in force, derived %v, %v", o.Serial, agent.Derived, err)
	}
}

func TestTheRegistryOutlivesARestart(t *testing.T) {
	p := openRegistry(t)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.open(t, p.judge(t, enrolledPolicy))
	p.armed(t, p.planOf(t, "reader", 1_000))
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "reader", Wallet: "main"}, 1, "ann", "ben")); abi.CodeOf(err) != "order_stale" {
		t.Errorf("rolled back after a restart: %v", err)
	}
}

func TestWithoutOperatorsNoOrderIsTakenAndNobodyIsAskedForASignature(t *testing.T) {
	p := openParty(t, shopPolicy)
	if err := p.Enrol(t.Context(), p.order(t, abi.Enrolment{Agent: "shopper", Wallet: "main"}, 1, "ann", "ben")); abi.CodeOf(err) != "orders_not_taken" {
		t.Error(err)
	}
	if promise := p.armed(t, p.plan(t, 1_000_000)); promise.Path != "" {
		t.Errorf("armed at %q", promise.Path)
	}
}

func TestOperatorsWithoutARegistryOpenNothing(t *testing.T) {
	p := openParty(t, shopPolicy)
	agents, _ := p.ledger.(store.Agents)
	for name, edit := range map[string]func(*Config){
		"no registry": func(c *Config) { c.Operators = twoOfThree },
		"no quorum":   func(c *Config) { c.Agents, c.Operators = agents, order.Operators{Keys: twoOfThree.Keys} },
		"no keys":     func(c *Config) { c.Agents, c.Operators = agents, order.Operators{Quorum: 1} },
	} {
		config := p.config
		edit(&config)
		if c, err := Open(t.Context(), config); err == nil {
			t.Errorf("%s: opened", name)
			_ = c.Close()
		}
	}
}
