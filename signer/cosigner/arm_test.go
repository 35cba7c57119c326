package cosigner

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/signer"
)

func TestAnHonestPaymentIsArmedSignedAndSettledOnItsOwnLedger(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	decision, err := p.Consult(t.Context(), x.consult())
	if err != nil || decision.Outcome != abi.Allow || decision.Side != judge.CoSigner {
		t.Fatalf("%+v, %v", decision, err)
	}
	if spent := p.spent(t); !spent.IsZero() {
		t.Errorf("a consult reserved %s", spent)
	}
	promise := p.armed(t, x)
	signature, err := p.sign(t, promise)
	if err != nil {
		t.Fatal(err)
	}
	if err := signature.Verify(p.wallet.PublicKey, [32]byte(promise.Digest)); err != nil {
		t.Error(err)
	}
	p.chain.set(abi.LifeUsed)
	p.clock.add(2 * time.Minute)
	p.wait(t, x.intent.Payment, settled)
	if diff := cmp.Diff([]string{"cosigner.allow", "cosigner.armed", "cosigner.spent", "cosigner.settled"}, p.kinds(t, x.intent.Payment)); diff != "" {
		t.Error(diff)
	}
	if spent := p.spent(t); spent != abi.NewAmount(1_000_000) {
		t.Errorf("spent %s", spent)
	}
}

// A claim whose parts disagree is an error, makes no row, reserves nothing and promises nothing.
func TestAnInconsistentClaimIsRefusedAndChangesNothing(t *testing.T) {
	p := openParty(t, shopPolicy)
	const micros = 1_000_000
	for name, edit := range map[string]func(*plan){
		"no such tenant":                func(x *plan) { x.intent.Tenant = "another" },
		"an id that is not the key's":   func(x *plan) { x.intent.Payment = judge.PaymentID("default", "shopper", "key-99999999") },
		"an id of another agent":        func(x *plan) { x.intent.Agent = "buyer" },
		"an empty id":                   func(x *plan) { x.intent.Payment = "" },
		"payee":                         func(x *plan) { x.intent.Payee = otherPayee },
		"amount":                        func(x *plan) { x.intent.Amount = abi.NewAmount(micros + 1) },
		"asset":                         func(x *plan) { x.intent.Asset = "eip155:8453/erc20:" + otherPayee },
		"network":                       func(x *plan) { x.intent.Network = "eip155:1" },
		"scheme":                        func(x *plan) { x.intent.Scheme = "upto" },
		"requirement for another payee": func(x *plan) { x.quote.Requirement = requirement(t, map[string]any{"payTo": otherPayee}, micros) },
		"requirement for less":          func(x *plan) { x.quote.Requirement = requirement(t, map[string]any{"amount": "1"}, micros) },
		"amount as a number":            func(x *plan) { x.quote.Requirement = requirement(t, map[string]any{"amount": micros}, micros) },
		"requirement without a payee":   func(x *plan) { x.quote.Requirement = requirement(t, map[string]any{"payTo": nil}, micros) },
		"payee inside an object": func(x *plan) {
			x.quote.Requirement = requirement(t, map[string]any{"payTo": map[string]any{"payTo": pinnedPayee}}, micros)
		},
		"payee twice": func(x *plan) {
			x.quote.Requirement = append([]byte(`{"payTo":"`+otherPayee+`",`), x.quote.Requirement[1:]...)
		},
		"requirement that is no JSON": func(x *plan) { x.quote.Requirement = []byte("{") },
		"no requirement":              func(x *plan) { x.quote.Requirement = nil },
	} {
		t.Run(name, func(t *testing.T) {
			x := p.plan(t, micros)
			honest := x.intent.Payment
			edit(&x)
			if _, err := p.Consult(t.Context(), x.consult()); abi.CodeOf(err) != "claim_invalid" {
				t.Errorf("consult: %v", err)
			}
			if _, err := p.Arm(t.Context(), x.arm()); abi.CodeOf(err) != "claim_invalid" {
				t.Errorf("arm: %v", err)
			}
			if row := p.row(t, honest); row.State != "" || !p.spent(t).IsZero() {
				t.Errorf("the ledger has %q and spent %s", row.State, p.spent(t))
			}
		})
	}
	missing := p.plan(t, micros)
	for _, request := range []*abi.ArmRequest{{Quote: &missing.quote}, {Intent: &missing.intent}} {
		if _, err := p.Arm(t.Context(), request); abi.CodeOf(err) != "claim_invalid" {
			t.Errorf("a request without its parts: %v", err)
		}
	}
}

func TestAPreimageThatIsNotTheIntentIsRefused(t *testing.T) {
	p := openParty(t, shopPolicy)
	other, ok := pinned.Builtin().ByAsset("eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
	if !ok {
		t.Fatal("USDC on Ethereum is not pinned")
	}
	for name, test := range map[string]struct {
		edit  func(*plan)
		code  string
		where string
	}{
		"payee":           {func(x *plan) { x.transfer.Payee = otherPayee }, "preimage_mismatch", "payee"},
		"payer":           {func(x *plan) { x.transfer.Payer = otherPayee }, "preimage_mismatch", "payer"},
		"amount":          {func(x *plan) { x.transfer.Amount = abi.NewAmount(1_000_001) }, "preimage_mismatch", "amount"},
		"token and chain": {func(x *plan) { x.transfer.Token = other }, "preimage_mismatch", "network"},
		"a foreign nonce": {func(x *plan) {
			x.transfer.Nonce = preimage.Nonce(judge.PaymentID("default", "shopper", "key-99999999"), x.entropy)
		}, "preimage_mismatch", "nonce"},
		"another's entropy":   {func(x *plan) { x.entropy = bytes.Repeat([]byte{1}, preimage.EntropyBytes) }, "preimage_mismatch", "nonce"},
		"short entropy":       {func(x *plan) { x.entropy = x.entropy[:31] }, "preimage_mismatch", "entropy"},
		"too long a life":     {func(x *plan) { x.transfer.ValidBefore = p.clock.unix() + 100_000 }, "preimage_mismatch", "valid_before"},
		"a life that is over": {func(x *plan) { x.transfer.ValidBefore = p.clock.unix() }, "preimage_mismatch", "valid_before"},
		"a life to come":      {func(x *plan) { x.transfer.ValidAfter = p.clock.unix() + 5 }, "preimage_mismatch", "valid_after"},
		"an unknown wallet":   {func(x *plan) { x.wallet = "treasury" }, "claim_invalid", "wallet"},
	} {
		t.Run(name, func(t *testing.T) {
			x := p.plan(t, 1_000_000)
			test.edit(&x)
			_, err := p.Arm(t.Context(), x.arm())
			var coded *abi.Error
			if !errors.As(err, &coded) || coded.Code != test.code || coded.Where != test.where {
				t.Errorf("%v, want %s at %s", err, test.code, test.where)
			}
			if row := p.row(t, x.intent.Payment); promised(row.State) && row.State != "" || !p.spent(t).IsZero() {
				t.Errorf("the ledger has %q and spent %s", row.State, p.spent(t))
			}
		})
	}
	x := p.plan(t, 1_000_000)
	for name, edit := range map[string]func(*abi.ArmRequest){
		"another kind":       func(r *abi.ArmRequest) { r.Kind = "raw" },
		"no kind":            func(r *abi.ArmRequest) { r.Kind = "" },
		"one byte more":      func(r *abi.ArmRequest) { r.Preimage = append(r.Preimage, 0) },
		"one byte less":      func(r *abi.ArmRequest) { r.Preimage = r.Preimage[:len(r.Preimage)-1] },
		"no preimage":        func(r *abi.ArmRequest) { r.Preimage = nil },
		"a digest in it":     func(r *abi.ArmRequest) { r.Preimage = bytes.Repeat([]byte{7}, 32) },
		"high bits in payee": func(r *abi.ArmRequest) { r.Preimage[len(r.Preimage)-5*32+1] = 1 },
	} {
		request := x.arm()
		edit(request)
		if _, err := p.Arm(t.Context(), request); err == nil || abi.CodeOf(err) == "internal" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !p.spent(t).IsZero() {
		t.Errorf("spent %s", p.spent(t))
	}
}

// The wallet signs for the networks on its list and no other, whatever policy says.
func TestAWalletSignsOnItsOwnNetworksOnly(t *testing.T) {
	p := openParty(t, shopPolicy)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.wallet.Networks = []abi.Network{"eip155:402402"}
	p.open(t, p.judge(t, shopPolicy))
	if _, err := p.Arm(t.Context(), p.plan(t, 1_000_000).arm()); abi.CodeOf(err) != "wallet_network_refused" {
		t.Error(err)
	}
}

func TestAnAssertedPayeeIsHeldAndAChangedOneDenied(t *testing.T) {
	p := openParty(t, shopPolicy)
	for name, test := range map[string]struct {
		origin string
		want   abi.Outcome
	}{"an origin nobody pinned": {"https://unknown.example.com", abi.Hold}, "a pinned origin": {shopOrigin, abi.Deny}} {
		t.Run(name, func(t *testing.T) {
			x := p.plan(t, 1_000_000)
			x.intent.Payee, x.quote.Payee, x.transfer.Payee = otherPayee, otherPayee, otherPayee
			x.intent.Origin, x.intent.URL = test.origin, test.origin+"/report"
			x.quote.Requirement = requirement(t, map[string]any{"payTo": otherPayee}, 1_000_000)
			x.quote.Evidence = abi.EvidencePinned // the runtime may say what it likes
			decision, err := p.Consult(t.Context(), x.consult())
			if err != nil || decision.Outcome != test.want {
				t.Fatalf("%+v, %v", decision, err)
			}
			var refused *signer.Refused
			if _, err := p.Arm(t.Context(), x.arm()); !errors.As(err, &refused) || refused.Decision.Outcome != test.want {
				t.Errorf("arm: %v", err)
			}
			if row := p.row(t, x.intent.Payment); row.State != consulted || !p.spent(t).IsZero() {
				t.Errorf("the ledger has %q and spent %s", row.State, p.spent(t))
			}
			word := "cosigner." + test.want.String()
			if diff := cmp.Diff([]string{word, word}, p.kinds(t, x.intent.Payment)); diff != "" {
				t.Errorf("the ledger does not say each attempt\n%s", diff)
			}
		})
	}
}

func TestAQuoteThatContradictsTheIntentIsDenied(t *testing.T) {
	p := openParty(t, shopPolicy)
	for name, edit := range map[string]func(*plan){
		"amount":  func(x *plan) { x.quote.Amount = abi.NewAmount(1) },
		"payee":   func(x *plan) { x.quote.Payee = otherPayee },
		"asset":   func(x *plan) { x.quote.Asset = "eip155:8453/erc20:" + otherPayee },
		"network": func(x *plan) { x.quote.Network = "eip155:1" },
	} {
		x := p.plan(t, 1_000_000)
		edit(&x)
		var refused *signer.Refused
		if _, err := p.Arm(t.Context(), x.arm()); !errors.As(err, &refused) || refused.Decision.Outcome != abi.Deny {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPaymentHasOneDigestForEver(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	first := p.armed(t, x)
	again, err := p.Arm(t.Context(), x.arm())
	if err != nil || !signer.SameArmed(first, again) {
		t.Errorf("the same preimage gets another promise: %v\n%s", err, cmp.Diff(first, again))
	}
	second := p.planFor(t, x.intent.Key, 1_000_000) // fresh entropy, so another nonce
	if _, err := p.Arm(t.Context(), second.arm()); abi.CodeOf(err) != "other_digest_armed" {
		t.Errorf("a second digest: %v", err)
	}
	for _, life := range []abi.Life{abi.LifeDead} {
		p.chain.set(life)
		p.clock.add(2 * time.Minute)
		p.wait(t, x.intent.Payment, dead)
	}
	second = p.planFor(t, x.intent.Key, 1_000_000)
	if _, err := p.Arm(t.Context(), second.arm()); abi.CodeOf(err) != "other_digest_armed" {
		t.Errorf("a second digest after the first is dead: %v", err)
	}
	if !p.spent(t).IsZero() {
		t.Errorf("a dead authorization holds %s", p.spent(t))
	}
}

// One signed payment must not be armed under two ids: the digest is unique over the ledger.
func TestOneDigestBelongsToOnePayment(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	p.armed(t, x)
	y := p.plan(t, 1_000_000)
	y.transfer, y.entropy = x.transfer, x.entropy
	if _, err := p.Arm(t.Context(), y.arm()); abi.CodeOf(err) != "preimage_mismatch" {
		t.Error(err)
	}
}

func TestApprovalsCountForTheirPaymentOnly(t *testing.T) {
	p := openParty(t, shopPolicy)
	approve := func(x plan, edit func(*abi.ApprovalStatement)) abi.ApprovalStatement {
		statement := judge.NewStatement(x.intent, "ada", true, p.clock.now().Add(time.Minute), nil)
		if edit != nil {
			edit(&statement)
		}
		if err := judge.SignStatement(&statement, p.approver); err != nil {
			t.Fatal(err)
		}
		return statement
	}
	const micros = 9_000_000
	elsewhere := approve(p.plan(t, micros), nil)
	for name, make := range map[string]func(plan) abi.ApprovalStatement{
		"for another payment": func(plan) abi.ApprovalStatement { return elsewhere },
		"for another payment, renamed": func(x plan) abi.ApprovalStatement {
			moved := elsewhere
			moved.Payment = x.intent.Payment
			return moved
		},
		"forged": func(x plan) abi.ApprovalStatement {
			forged := approve(x, nil)
			forged.Signature = bytes.Repeat([]byte{9}, 64)
			return forged
		},
		"for less": func(x plan) abi.ApprovalStatement {
			return approve(x, func(s *abi.ApprovalStatement) { s.AmountMax = abi.NewAmount(micros - 1) })
		},
		"expired": func(x plan) abi.ApprovalStatement {
			return approve(x, func(s *abi.ApprovalStatement) { s.ExpiresUnixS = p.clock.unix() })
		},
		"a no": func(x plan) abi.ApprovalStatement {
			return approve(x, func(s *abi.ApprovalStatement) { s.Approve = false })
		},
	} {
		x := p.plan(t, micros)
		x.approvals = []abi.ApprovalStatement{make(x)}
		var refused *signer.Refused
		if _, err := p.Arm(t.Context(), x.arm()); !errors.As(err, &refused) || refused.Decision.Outcome != abi.Hold {
			t.Errorf("%s: %v", name, err)
		}
	}
	x := p.plan(t, micros)
	x.approvals = []abi.ApprovalStatement{approve(x, nil)}
	if _, err := p.Arm(t.Context(), x.arm()); err != nil {
		t.Errorf("an approval of exactly this payment: %v", err)
	}
}

func TestParallelArmsNeverPassTheLimit(t *testing.T) {
	p := openParty(t, shopPolicy)
	const runs, fit = 50, 10 // ten dollars a day, one each
	plans := make([]plan, runs)
	for i := range plans {
		plans[i] = p.plan(t, 1_000_000)
	}
	results := make([]error, runs)
	var all sync.WaitGroup
	for i := range plans {
		all.Go(func() { _, results[i] = p.Arm(t.Context(), plans[i].arm()) })
	}
	all.Wait()
	armedCount := 0
	for i, err := range results {
		var refused *signer.Refused
		switch {
		case err == nil:
			armedCount++
		case errors.As(err, &refused) && refused.Decision.Outcome == abi.Deny, abi.CodeOf(err) == "budget_contended":
		default:
			t.Errorf("%s: %v", plans[i].intent.Payment, err)
		}
	}
	if spent := p.spent(t); armedCount > fit || spent != abi.NewAmount(uint64(armedCount)*1_000_000) { //nolint:gosec // a small count
		t.Errorf("%d armed, %s reserved, at most %d fit", armedCount, spent, fit)
	}
	if armedCount != fit { // contention may refuse, but never for ever
		x := p.plan(t, 1_000_000)
		if _, err := p.Arm(t.Context(), x.arm()); err != nil {
			t.Errorf("%d of %d armed and there is no room for one more: %v", armedCount, fit, err)
		}
	}
}

// Two requests for one payment at once: one promise, whoever wins.
func TestParallelArmsOfOnePaymentGiveOnePromise(t *testing.T) {
	p := openParty(t, shopPolicy)
	x := p.plan(t, 1_000_000)
	const runs = 16
	plans := make([]plan, runs)
	for i := range plans {
		plans[i] = x
		if i%2 == 1 {
			plans[i] = p.planFor(t, x.intent.Key, 1_000_000)
		}
	}
	promises := make([]*abi.Armed, runs)
	errs := make([]error, runs)
	var all sync.WaitGroup
	for i := range plans {
		all.Go(func() { promises[i], errs[i] = p.Arm(t.Context(), plans[i].arm()) })
	}
	all.Wait()
	var won *abi.Armed
	for i, promise := range promises {
		switch {
		case errs[i] == nil && won == nil:
			won = promise
		case errs[i] == nil && !signer.SameArmed(won, promise):
			t.Errorf("two promises for one payment\n%s", cmp.Diff(won, promise))
		case errs[i] != nil && !slices.Contains([]string{"other_digest_armed", "budget_contended", store.ErrConflict.Code}, abi.CodeOf(errs[i])):
			t.Error(errs[i])
		}
	}
	if won == nil || p.spent(t) != abi.NewAmount(1_000_000) {
		t.Errorf("promise %v, spent %s", won, p.spent(t))
	}
}
