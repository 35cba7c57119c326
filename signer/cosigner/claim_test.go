package cosigner

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/request"
)

// planOf is an honest payment of an enrolled agent, signed by its key where it has one.
func (p *party) planOf(t testing.TB, agent string, micros uint64) plan {
	t.Helper()
	x := p.plan(t, micros)
	x.intent.Agent, x.intent.AmountMax = agent, abi.NewAmount(2*micros)
	x.transfer.Payer = p.payer(t, agent).Address
	x.renamed()
	if agent != "bearer" {
		x.resign(t, p, seeded(agent))
	}
	return x
}

// renamed makes the payment id and the nonce those of the intent's names again.
func (x *plan) renamed() {
	x.intent.Payment = judge.PaymentID(x.intent.Tenant, x.intent.Agent, x.intent.Key)
	x.transfer.Nonce = preimage.Nonce(x.intent.Payment, x.entropy)
}

// resign signs the intent as it is now.
func (x *plan) resign(t testing.TB, p *party, key ed25519.PrivateKey) {
	t.Helper()
	x.intent.Request = &abi.AgentRequest{
		Domain: "purser.request.v1", Origin: x.intent.Origin, Method: x.intent.Method, URL: x.intent.URL, BodySHA256: x.intent.BodySHA256,
		AmountMax: x.intent.AmountMax, Key: x.intent.Key, ExpiresUnixS: p.clock.unix() + 3600,
	}
	if err := request.Sign(x.intent.Request, key); err != nil {
		t.Fatal(err)
	}
}

// refusedWith checks that neither question is answered with anything but the code, that nothing was promised, and that
// the attempt is in the log.
func (p *party) refusedWith(t testing.TB, x plan, code string) {
	t.Helper()
	decision, err := p.Consult(t.Context(), x.consult())
	if decision != nil || abi.CodeOf(err) != code {
		t.Errorf("consult: %v, want %s", err, code)
	}
	promise, err := p.Arm(t.Context(), x.arm())
	if promise != nil || abi.CodeOf(err) != code {
		t.Errorf("arm: %v, want %s", err, code)
	}
	if row := p.row(t, x.intent.Payment); row.State != "" {
		t.Errorf("the payment has a row: %s", row.State)
	}
	if kinds := p.kinds(t, x.intent.Payment); len(kinds) != 2 || kinds[0] != "cosigner.refused" || kinds[1] != "cosigner.refused" {
		t.Errorf("the log of the payment is %v", kinds)
	}
}

func TestAnEnrolledAgentPaysFromItsOwnKeyAndNoOther(t *testing.T) {
	p := openRegistry(t)
	for _, agent := range []string{"shopper", "reader", "bearer"} {
		x := p.planOf(t, agent, 1_000_000)
		decision, err := p.Consult(t.Context(), x.consult())
		if err != nil || decision.Outcome != abi.Allow {
			t.Fatalf("%s: %+v, %v", agent, decision, err)
		}
		var judged abi.DecideRequest
		if err := judged.Unmarshal(decision.Request); err != nil || judged.Agent.SignedRequest != (agent != "bearer") {
			t.Errorf("%s: judged as signed %v, %v", agent, judged.Agent.SignedRequest, err)
		}
		promise := p.armed(t, x)
		payer := p.payer(t, agent)
		if promise.Path != payer.Derivation.Path || (agent == "bearer") != (promise.Path == "") {
			t.Errorf("%s: armed at %q, want %q", agent, promise.Path, payer.Derivation.Path)
		}
		signature, err := p.signAs(t, agent, promise)
		if err != nil {
			t.Fatalf("%s: %v", agent, err)
		}
		if err := signature.Verify(payer.PublicKey, [32]byte(promise.Digest)); err != nil {
			t.Errorf("%s: %v", agent, err)
		}
	}
}

// signAs runs the runtime's side of a session for an agent.
func (p *party) signAs(t testing.TB, agent string, promise *abi.Armed) (signer.Signature, error) {
	t.Helper()
	pair, err := signer.NewPair(signer.PairConfig{
		Wallet: p.wallet, Engine: p.engine.Beside(), CoSigner: p.CoSigner, Identity: p.ours, CoSignerKey: p.theirs.Public(), Random: bytes.NewReader(fresh(t)),
	})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := pair.Sign(t.Context(), agent, promise)
	return signature, errors.Join(err, pair.Close())
}

func TestNothingIsPromisedForARequestThatIsNotTheAgentsOwn(t *testing.T) {
	p := openRegistry(t)
	mutate := func(edit func(*abi.AgentRequest)) func(*plan) {
		return func(x *plan) {
			edit(x.intent.Request)
			if err := request.Sign(x.intent.Request, seeded("shopper")); err != nil {
				t.Fatal(err)
			}
		}
	}
	otherBody := sha256.Sum256([]byte("another body"))
	for name, attack := range map[string]struct {
		bend func(*plan)
		code string
	}{
		"no signature at all":                  {func(x *plan) { x.intent.Request = nil }, "signature_required"},
		"a forged signature":                   {func(x *plan) { x.intent.Request.Signature[7] ^= 1 }, "request_forged"},
		"another agent's signature":            {func(x *plan) { x.resign(t, p, seeded("reader")) }, "request_forged"},
		"another agent's, with the key edited": {func(x *plan) { x.resign(t, p, seeded("reader")); x.intent.Request.PublicKey = publicOf("shopper") }, "request_forged"},
		"a key of the attacker's":              {func(x *plan) { x.resign(t, p, seeded("mallory")) }, "request_forged"},
		"an edited request":                    {func(x *plan) { x.intent.Request.URL += "x"; x.intent.URL += "x" }, "request_forged"},
		"another url":                          {func(x *plan) { x.intent.URL += "?upgrade=all" }, "request_forged"},
		"another method":                       {func(x *plan) { x.intent.Method = "POST" }, "request_forged"},
		"another body":                         {func(x *plan) { x.intent.BodySHA256 = otherBody[:] }, "request_forged"},
		"another ceiling":                      {func(x *plan) { x.intent.AmountMax = abi.NewAmount(9_000_000) }, "request_forged"},
		"no ceiling":                           {func(x *plan) { x.intent.AmountMax = abi.Amount{} }, "request_forged"},
		"more than the agent's ceiling":        {mutate(func(r *abi.AgentRequest) { r.AmountMax = abi.NewAmount(1) }), "request_forged"},
		"another origin than the connected":    {func(x *plan) { x.intent.Origin = "https://evil.example.com" }, "request_forged"},
		"replayed under another key":           {func(x *plan) { x.intent.Key += "-again"; x.renamed() }, "request_forged"},
		"expired":                              {mutate(func(r *abi.AgentRequest) { r.ExpiresUnixS = p.clock.unix() }), "request_expired"},
		"good for ever":                        {mutate(func(r *abi.AgentRequest) { r.ExpiresUnixS = 1 << 50 }), "request_expired"},
		"another domain":                       {func(x *plan) { x.intent.Request.Domain = "purser.approval.v1" }, "request_malformed"},
		"half a signature":                     {func(x *plan) { x.intent.Request.Signature = x.intent.Request.Signature[:32] }, "request_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			x := p.planOf(t, "shopper", 1_000_000)
			attack.bend(&x)
			p.refusedWith(t, x, attack.code)
		})
	}
	t.Run("a signature of an agent without a key", func(t *testing.T) {
		x := p.planOf(t, "bearer", 1_000_000)
		x.resign(t, p, seeded("shopper"))
		p.refusedWith(t, x, "signature_unexpected")
	})
	if p.engine.Prepared.Load() != 0 || !p.spent(t).IsZero() {
		t.Errorf("%d sessions, spent %s", p.engine.Prepared.Load(), p.spent(t))
	}
}

// Budgets count by agent: a runtime that makes agents up would make itself budgets.
func TestAMadeUpAgentGetsNothing(t *testing.T) {
	p := openRegistry(t)
	x := p.planOf(t, "shopper", 1_000_000)
	x.intent.Agent = "nobody"
	x.renamed()
	x.resign(t, p, seeded("nobody"))
	p.refusedWith(t, x, "agent_unknown")
	if _, err := p.joinAs(t, "main", "nobody"); abi.CodeOf(err) != "agent_unknown" {
		t.Errorf("join: %v", err)
	}
}

func (p *party) joinAs(t testing.TB, wallet, agent string) (*abi.SessionAnswer, error) {
	t.Helper()
	here, there := signer.Pipe()
	t.Cleanup(func() { _ = here.Close() }) // never fails
	return p.Join(t.Context(), &abi.SessionRequest{Wallet: wallet, Agent: agent, Opening: fresh(t)[:16]}, there)
}

// rogueAs is rogue for any agent.
func (p *party) rogueAs(t testing.TB, agent string) (*rogueSession, error) {
	t.Helper()
	here, there := signer.Pipe()
	t.Cleanup(func() { _ = here.Close() }) // never fails
	ours := signer.Opening(fresh(t)[:16])
	answer, err := p.Join(t.Context(), &abi.SessionRequest{Wallet: p.wallet.ID, Agent: agent, Opening: ours[:]}, there)
	if err != nil {
		return nil, err
	}
	wallet, err := p.wallet.At(answer.Path)
	if err != nil {
		t.Fatal(err)
	}
	session, err := signer.NewSession(wallet, signer.RoleRuntime, signer.Parties{
		Runtime: ours, CoSigner: signer.Opening(answer.Opening), RuntimeKey: p.ours.Public(), CoSignerKey: p.theirs.Public(),
	})
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := p.engine.Beside().Prepare(t.Context(), session, here)
	return &rogueSession{session, prepared, here}, err
}

func TestNobodyPaysFromAnotherAgentsKey(t *testing.T) {
	p := openRegistry(t)
	for name, payer := range map[string]string{"another agent's": p.payer(t, "reader").Address, "the wallet's own": p.wallet.Address} {
		x := p.planOf(t, "shopper", 1_000_000)
		x.transfer.Payer = payer
		if promise, err := p.Arm(t.Context(), x.arm()); promise != nil || err == nil {
			t.Errorf("%s account: armed, %v", name, err)
		}
		if row := p.row(t, x.intent.Payment); row.State != "" {
			t.Errorf("%s account: %s", name, row.State)
		}
	}
	answer, err := p.joinAs(t, "main", "shopper")
	if err != nil || answer.Path != signer.AgentPath("default", "shopper") {
		t.Errorf("the session is for %q, %v", answer.Path, err)
	}
	// A session for one agent's key refuses another's promise.
	promise := p.armed(t, p.planOf(t, "shopper", 1_000_000))
	session, err := p.rogueAs(t, "reader")
	if err != nil {
		t.Fatal(err)
	}
	if signature, err := session.sign(t.Context(), promise); err == nil {
		t.Errorf("signed: %+v", signature)
	}
	if row := p.row(t, promise.Payment); row.State != armed {
		t.Errorf("the promise is %s", row.State)
	}
}

func TestAWalletThatTheAgentIsNotEnrolledForSignsNothing(t *testing.T) {
	p := openRegistry(t)
	x := p.planOf(t, "shopper", 1_000_000)
	x.wallet, x.transfer.Payer = "treasury", otherPayee
	if promise, err := p.Arm(t.Context(), x.arm()); promise != nil || abi.CodeOf(err) != "wallet_not_enrolled" {
		t.Errorf("arm: %v", err)
	}
	if _, err := p.joinAs(t, "treasury", "shopper"); abi.CodeOf(err) != "wallet_not_enrolled" {
		t.Errorf("join: %v", err)
	}
	for name, o := range map[string]*abi.Order{
		"a wallet nobody has":          p.order(t, abi.Enrolment{Agent: "late", Wallet: "elsewhere"}, 1, "ann", "ben"),
		"derived keys of a plain root": p.order(t, abi.Enrolment{Agent: "late", Wallet: "treasury", Derived: true}, 1, "ann", "ben"),
	} {
		if err := p.Enrol(t.Context(), o); err == nil {
			t.Errorf("%s: enrolled", name)
		}
	}
	if _, err := p.enrolled(t.Context(), "late"); abi.CodeOf(err) != "agent_unknown" {
		t.Errorf("late is known: %v", err)
	}
}
