package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/signer"
)

// policyAttempts get around a policy, or around what it counts.
var policyAttempts = []attempt{
	{"arms without asking what the policy denies", func(t *testing.T, r *rogue) []string {
		x := r.plan(t, r.enrol(t, abi.Enrolment{Agent: "denied", Wallet: demoWalletID}), 6_000_000)
		_, err := r.arm(t.Context(), x)
		wantDecision(t, err, abi.Deny, abi.ReasonOverMaxTransaction)
		return []string{x.logged(abi.Deny)}
	}},
	{"arms without asking what a person must approve", func(t *testing.T, r *rogue) []string {
		x := r.plan(t, r.holder(t), 2_000_000)
		_, err := r.arm(t.Context(), x)
		wantDecision(t, err, abi.Hold, abi.ReasonApprovalRequired)
		return []string{x.logged(abi.Hold)}
	}},
	{"forges the co-signer's decision and policy hash", func(t *testing.T, r *rogue) []string {
		p := r.seat(t)
		_, genuine := r.armed(t, p, 10_000)
		x := r.plan(t, p, 6_000_000)
		request := x.arm()
		digest, err := preimage.Digest(request.Kind, request.Preimage)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := signer.Promise(request, digest, x.transfer.ValidBefore)
		if err != nil {
			t.Fatal(err)
		}
		forged.CosignerPolicySHA256, forged.CosignerDecisionSHA256 = genuine.CosignerPolicySHA256, genuine.CosignerDecisionSHA256
		forged.CosignerStore, forged.CosignerHead, forged.Path = genuine.CosignerStore, genuine.CosignerHead, genuine.Path
		must(t, errors.Join(signer.SignArmed(forged, signer.RoleCoSigner, r.ours), signer.SignArmed(forged, signer.RoleRuntime, r.ours)))
		return []string{r.bindInVain(t, p, forged, "armed_invalid")}
	}},
	{"says that its counters are empty", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "counter", Wallet: demoWalletID})
		for range 2 {
			r.armed(t, p, 5_000_000)
		}
		x := r.plan(t, p, 10_000)
		_, err := r.arm(t.Context(), x)
		wantDecision(t, err, abi.Deny, abi.ReasonBudgetExceeded)
		return []string{x.logged(abi.Deny)}
	}},
	{"races fifty requests at the limit", fiftyAtTheLimit},
	{"asserts another payee for a pinned domain", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "payee", Wallet: demoWalletID})
		var logged []string
		for _, evidence := range []abi.Evidence{abi.EvidencePinned, abi.EvidenceSignedOffer, abi.EvidenceFetched, abi.EvidenceAsserted} {
			x := r.plan(t, p, 10_000)
			x.intent.Payee, x.quote.Payee, x.transfer.Payee, x.quote.Evidence = thief, thief, thief, evidence
			x.quote.Requirement = requirementOf(t, x.intent)
			_, err := r.arm(t.Context(), x)
			wantDecision(t, err, abi.Deny, abi.ReasonPayeeChanged)
			logged = append(logged, x.logged(abi.Deny))
		}
		return logged
	}},
	{"says that a domain which nobody pinned has its own payee", func(t *testing.T, r *rogue) []string {
		x := r.plan(t, r.enrol(t, abi.Enrolment{Agent: "domain", Wallet: demoWalletID}), 10_000)
		x.intent.Payee, x.quote.Payee, x.transfer.Payee = thief, thief, thief
		x.intent.Origin, x.intent.URL, x.quote.ResourceURL = "https://thief.example", "https://thief.example/", "https://thief.example/"
		x.quote.Requirement = requirementOf(t, x.intent)
		_, err := r.arm(t.Context(), x)
		var refused *signer.Refused
		if !errors.As(err, &refused) || refused.Decision.Outcome == abi.Allow {
			t.Errorf("the co-signer answered %v", err)
			return nil
		}
		return []string{x.logged(refused.Decision.Outcome)}
	}},
	{"replays an approval", replayedApproval},
}

// holder is the agent whose payments a person approves.
func (r *rogue) holder(t testing.TB) payer {
	t.Helper()
	return r.enrol(t, abi.Enrolment{Agent: "holder", Wallet: demoWalletID})
}

// fiftyAtTheLimit asks for fifty payments at once where the budget has room for three, and tries to sign what it is
// promised and what it is not. The model is a sum.
func fiftyAtTheLimit(t *testing.T, r *rogue) []string {
	const each, limit = 1_000_000, 3_000_000
	p := r.enrol(t, abi.Enrolment{Agent: "racer", Wallet: demoWalletID})
	var mu sync.Mutex
	var promises []*abi.Armed
	var logged []string
	var asking sync.WaitGroup
	begin := make(chan struct{})
	for range 50 {
		x := r.plan(t, p, each)
		asking.Go(func() {
			<-begin
			promise, err := r.arm(t.Context(), x)
			var refused *signer.Refused
			for abi.CodeOf(err) == "budget_contended" { // it says: later
				promise, err = r.arm(t.Context(), x)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				promises = append(promises, promise)
				logged = append(logged, "cosigner.armed "+promise.Payment)
			} else if !errors.As(err, &refused) {
				t.Errorf("asked for one of fifty: %v", err)
			}
		})
	}
	close(begin)
	asking.Wait()
	if len(promises)*each > limit {
		t.Errorf("%d payments of %d are promised at a limit of %d", len(promises), each, limit)
	}
	if len(promises) == 0 {
		t.Error("nothing is promised although the budget has room")
	}
	for _, promise := range promises {
		r.pay(t, p, promise)
	}
	sum := 0
	rows, err := r.ledger.QueryContext(t.Context(), `SELECT state FROM payments WHERE agent = ?`, p.name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has the fault
	for rows.Next() {
		var state string
		must(t, rows.Scan(&state))
		if state != "consulted" {
			sum += each
		}
	}
	must(t, rows.Err())
	if sum > limit || sum != len(promises)*each {
		t.Errorf("%d is promised or spent at a limit of %d, with %d promises", sum, limit, len(promises))
	}
	return logged
}

// replayedApproval has a person approve one payment, and shows the approval for others.
func replayedApproval(t *testing.T, r *rogue) []string {
	p := r.holder(t)
	first := r.plan(t, p, 2_000_000)
	statement := judge.NewStatement(first.intent, operatorName, true, time.Now().Add(time.Minute), make([]byte, sha256.Size))
	must(t, judge.SignStatement(&statement, r.approver))
	first.approvals = []abi.ApprovalStatement{statement}
	promise, err := r.arm(t.Context(), first)
	if err != nil {
		t.Fatalf("an approved payment: %v", err)
	}
	r.pay(t, p, promise)
	logged := []string{"cosigner.spent " + promise.Payment}
	for name, bend := range map[string]func(x *plan, s *abi.ApprovalStatement){
		"for another payment": func(*plan, *abi.ApprovalStatement) {},
		"renamed":             func(x *plan, s *abi.ApprovalStatement) { s.Payment = x.intent.Payment },
		"twice":               func(x *plan, s *abi.ApprovalStatement) { x.approvals = append(x.approvals, *s) },
		"with a higher ceiling, of a self-made approver": func(x *plan, s *abi.ApprovalStatement) {
			s.Payment, s.AmountMax, s.Approver = x.intent.Payment, abi.NewAmount(5_000_000), "runtime"
		},
	} {
		x, replay := r.plan(t, p, 2_000_000), statement
		x.approvals = nil
		bend(&x, &replay)
		x.approvals = append(x.approvals, replay)
		if _, err := r.arm(t.Context(), x); abi.CodeOf(err) != "" && !errors.As(err, new(*signer.Refused)) {
			t.Errorf("%s: %v", name, err)
		} else {
			wantDecision(t, err, abi.Hold, abi.ReasonApprovalRequired)
		}
		logged = append(logged, x.logged(abi.Hold))
	}
	dear := r.plan(t, p, 3_000_000) // the price rose after the approval
	dear.intent.Key, dear.intent.Payment = first.intent.Key, first.intent.Payment
	dear.transfer.Nonce = preimage.Nonce(dear.intent.Payment, dear.entropy)
	dear.approvals = first.approvals
	_, err = r.arm(t.Context(), dear)
	wantRefusal(t, err, "other_digest_armed")
	return append(logged, fmt.Sprintf("cosigner.refused %s", dear.intent.Payment))
}
