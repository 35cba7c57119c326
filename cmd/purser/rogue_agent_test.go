package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/request"
)

// agentAttempts act in the name of agents who did not ask, or are none.
var agentAttempts = []attempt{
	{"makes an agent up", func(t *testing.T, r *rogue) []string {
		made := r.plan(t, payer{name: "made-up", root: demoWalletID, wallet: r.keys[demoWalletID].wallet}, 10_000)
		_, err := r.link.Consult(t.Context(), made.consult())
		wantRefusal(t, err, "agent_unknown")
		_, err = r.arm(t.Context(), made)
		wantRefusal(t, err, "agent_unknown")
		_, err = r.open(t, "made-up", demoWalletID)
		wantRefusal(t, err, "agent_unknown")
		return []string{made.refusedFor(), `"asked":"join"`}
	}},
	{"enrols one itself", func(t *testing.T, r *rogue) []string {
		_, ours, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ann := r.hosts.ann
		r.hosts.ann = ours
		forged := r.hosts.enrolment(t, abi.Enrolment{Agent: "self-made", Wallet: demoWalletID, Derived: true})
		r.hosts.ann = ann
		wantRefusal(t, r.link.Accept(t.Context(), forged), "order_unendorsed")
		_, err = r.open(t, "self-made", demoWalletID)
		wantRefusal(t, err, "agent_unknown")
		return []string{`"agent":"\"self-made\""`}
	}},
	{"brings a revoked agent back", func(t *testing.T, r *rogue) []string {
		enrolment := r.hosts.enrolment(t, abi.Enrolment{Agent: "ghost", Wallet: demoWalletID, Derived: true})
		must(t, r.operator.Accept(t.Context(), enrolment))
		must(t, r.operator.Accept(t.Context(), r.hosts.enrolment(t, abi.Enrolment{Agent: "ghost", Revoked: true})))
		wantRefusal(t, r.link.Accept(t.Context(), enrolment), "order_stale")
		renumbered := *enrolment
		renumbered.Serial += 100
		wantRefusal(t, r.link.Accept(t.Context(), &renumbered), "order_unendorsed")
		_, err := r.open(t, "ghost", demoWalletID)
		wantRefusal(t, err, "agent_revoked")
		return []string{"cosigner.revoked", `"code":"order_stale"`, `"code":"order_unendorsed"`, `"code":"agent_revoked"`}
	}},
	{"pays for a revoked agent", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, promise := r.armed(t, p, 10_000)
		waiting := r.ready(t, p)
		must(t, r.operator.Accept(t.Context(), r.hosts.enrolment(t, abi.Enrolment{Agent: p.name, Revoked: true})))
		x := r.plan(t, p, 10_000)
		_, err := r.arm(t.Context(), x)
		wantRefusal(t, err, "agent_revoked")
		_, err = r.open(t, p.name, p.root)
		wantRefusal(t, err, "agent_revoked")
		if err := waiting.sign(t, promise, [32]byte(promise.Digest)); err == nil {
			t.Error("a promise to a revoked agent was signed")
		}
		return []string{x.refusedFor(), waiting.ended("agent_revoked")}
	}},
	{"binds a session of one agent to a promise to another", func(t *testing.T, r *rogue) []string {
		a, b := r.seat(t), r.seat(t)
		if a.root != b.root {
			a, b = b, r.seat(t)
		}
		_, promise := r.armed(t, b, 10_000)
		s := r.ready(t, a)
		if err := s.sign(t, promise, [32]byte(promise.Digest)); err == nil {
			t.Error("one agent's session signed another's payment")
		}
		moved := *promise
		moved.Path = s.session.Derivation.Path
		must(t, signer.SignArmed(&moved, signer.RoleRuntime, r.ours))
		again := r.ready(t, a)
		if err := again.sign(t, &moved, [32]byte(promise.Digest)); err == nil {
			t.Error("one agent's session signed another's payment, with its path in it")
		}
		return []string{s.ended(signer.CodeFrameInvalid), again.ended("armed_invalid")}
	}},
	{"asks for a session of an agent under a wallet that is not its own", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "elsewhere", Wallet: demoWalletID})
		_, err := r.open(t, p.name, walletAt(0))
		wantRefusal(t, err, "wallet_not_enrolled")
		_, err = r.open(t, p.name, "treasury")
		wantRefusal(t, err, "claim_invalid")
		return []string{`"asked":"join"`, `"code":"wallet_not_enrolled"`}
	}},
	{"forges and replays an agent's signatures", forgedRequests},
}

// forgedRequests are payments of an agent that signs what it asks for, with signatures that it did not make for them.
func forgedRequests(t *testing.T, r *rogue) []string {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := r.enrol(t, abi.Enrolment{Agent: "signing", Wallet: demoWalletID, PublicKey: public})
	sign := func(x *plan, key ed25519.PrivateKey, ceiling uint64, expires time.Duration) *abi.AgentRequest {
		x.intent.AmountMax = abi.NewAmount(ceiling)
		signed, err := request.New(x.intent.Method, x.intent.URL, nil, x.intent.AmountMax, x.intent.Key, time.Now().Add(expires))
		if err != nil {
			t.Fatal(err)
		}
		must(t, request.Sign(signed, key))
		return signed
	}
	honest := r.plan(t, p, 10_000)
	honest.intent.Request = sign(&honest, key, 20_000, time.Hour)
	promise, err := r.arm(t.Context(), honest)
	if err != nil {
		t.Fatalf("what the agent signed: %v", err)
	}
	r.pay(t, p, promise)
	var logged []string
	for _, forged := range []struct {
		name, code string
		bend       func(x *plan)
	}{
		{"unsigned", "signature_required", func(*plan) {}},
		{"by another key", "request_forged", func(x *plan) { x.intent.Request = sign(x, stranger, 0, time.Hour) }},
		{"of another payment", "request_forged", func(x *plan) {
			x.intent.Request, x.intent.AmountMax = honest.intent.Request, honest.intent.AmountMax
		}},
		{"of another payment, renamed", "request_forged", func(x *plan) {
			renamed := *honest.intent.Request
			renamed.Key, x.intent.AmountMax = x.intent.Key, honest.intent.AmountMax
			x.intent.Request = &renamed
		}},
		{"over the ceiling", "request_forged", func(x *plan) { x.intent.Request = sign(x, key, 9_999, time.Hour) }},
		{"with the ceiling lifted", "request_forged", func(x *plan) {
			x.intent.Request = sign(x, key, 9_999, time.Hour)
			x.intent.AmountMax = abi.NewAmount(1_000_000)
		}},
		{"for another resource", "request_forged", func(x *plan) {
			x.intent.Request = sign(x, key, 0, time.Hour)
			x.intent.URL += "/other"
		}},
		{"that is over", "request_expired", func(x *plan) { x.intent.Request = sign(x, key, 0, -time.Second) }},
		{"that never ends", "request_expired", func(x *plan) { x.intent.Request = sign(x, key, 0, 48*time.Hour) }},
	} {
		x := r.plan(t, p, 10_000)
		forged.bend(&x)
		x.quote.ResourceURL = x.intent.URL
		promise, err := r.arm(t.Context(), x)
		if abi.CodeOf(err) != forged.code || promise != nil {
			t.Errorf("a request %s: %+v, %v, want %s", forged.name, promise, err, forged.code)
		}
		logged = append(logged, x.refusedFor())
	}
	// The same key once more with the same request: it is the same payment, whatever else is asked for.
	again := honest
	again.refresh(t)
	_, err = r.arm(t.Context(), again)
	wantRefusal(t, err, "other_digest_armed")
	if id := judge.PaymentID(defaultTenant, p.name, honest.intent.Key); id != honest.intent.Payment || again.transfer.Nonce != preimage.Nonce(id, again.entropy) {
		t.Error("the replay is of another payment")
	}
	return logged
}
