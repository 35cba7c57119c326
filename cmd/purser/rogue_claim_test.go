package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/signer"
)

// claimAttempts tell stories whose parts do not fit, or fit another payment.
var claimAttempts = []attempt{
	{"swaps a field in each combination of intent, requirement and preimage", swappedFields},
	{"shows the same preimage for another payment", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "nonces", Wallet: demoWalletID})
		first, promise := r.armed(t, p, 10_000)
		r.pay(t, p, promise)
		var logged []string
		for _, entropy := range [][]byte{first.entropy, nil} {
			x := r.plan(t, p, 10_000)
			x.transfer = first.transfer
			if entropy != nil {
				x.entropy = entropy
			}
			_, err := r.arm(t.Context(), x)
			wantRefusal(t, err, "preimage_mismatch")
			logged = append(logged, x.refusedFor())
		}
		return logged
	}},
	{"arms another digest for a promised payment", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "digests", Wallet: demoWalletID})
		x, promise := r.armed(t, p, 10_000)
		other := x
		other.refresh(t)
		_, err := r.arm(t.Context(), other)
		wantRefusal(t, err, "other_digest_armed")
		r.pay(t, p, promise)
		_, err = r.arm(t.Context(), other) // nor once it is spent
		wantRefusal(t, err, "other_digest_armed")
		return []string{x.refusedFor(), "cosigner.spent " + x.intent.Payment}
	}},
	{"runs two runtimes with separate stores on one idempotency key", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "twins", Wallet: demoWalletID})
		x, promise := r.armed(t, p, 10_000)
		second := x
		second.store, second.head = "another-runtimes-store", signer.Head{Position: 1}
		again, err := r.arm(t.Context(), second)
		if err != nil || !signer.SameArmed(again, promise) {
			t.Errorf("the same digest from another store: %v", err)
		}
		second.refresh(t)
		_, err = r.arm(t.Context(), second)
		wantRefusal(t, err, "other_digest_armed")
		second.transfer.Payee, second.intent.Payee = thief, thief
		second.quote.Requirement = requirementOf(t, second.intent)
		_, err = r.arm(t.Context(), second)
		wantRefusal(t, err, "other_digest_armed")
		return []string{x.refusedFor()}
	}},
	{"sets its clock a day off", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "clock", Wallet: demoWalletID})
		var logged []string
		day := uint64(24 * time.Hour / time.Second)
		for name, bend := range map[string]func(*preimage.Transfer){
			"a day ahead":           func(x *preimage.Transfer) { x.ValidAfter += day; x.ValidBefore += day },
			"a day behind":          func(x *preimage.Transfer) { x.ValidBefore -= day },
			"valid for a day":       func(x *preimage.Transfer) { x.ValidBefore += day },
			"longer than the cap":   func(x *preimage.Transfer) { x.ValidBefore += 120 },
			"valid for ever":        func(x *preimage.Transfer) { x.ValidBefore = 1<<53 - 1 },
			"beginning in a minute": func(x *preimage.Transfer) { x.ValidAfter = x.ValidBefore - 50 },
			"ending at its beginning": func(x *preimage.Transfer) {
				x.ValidBefore = uint64(time.Now().Unix()) - 60 //nolint:gosec // after 1970
				x.ValidAfter = x.ValidBefore
			},
		} {
			x := r.plan(t, p, 10_000)
			bend(&x.transfer)
			_, err := r.arm(t.Context(), x)
			var refusal *abi.Error
			if !errors.As(err, &refusal) || refusal.Code != "preimage_mismatch" || !strings.HasPrefix(refusal.Where, "valid_") {
				t.Errorf("%s: the co-signer answered %v", name, err)
			}
			logged = append(logged, x.refusedFor())
		}
		return logged
	}},
	{"names another tenant, another payment id, another kind, another wallet", func(t *testing.T, r *rogue) []string {
		p := r.enrol(t, abi.Enrolment{Agent: "names", Wallet: demoWalletID})
		for name, bend := range map[string]func(*abi.ArmRequest){
			"tenant":   func(a *abi.ArmRequest) { a.Intent.Tenant = "other" },
			"payment":  func(a *abi.ArmRequest) { a.Intent.Payment = "pay_00000000000000000000000000000000" },
			"kind":     func(a *abi.ArmRequest) { a.Kind = "raw" },
			"digest":   func(a *abi.ArmRequest) { a.Preimage = bytes.Repeat([]byte{7}, 32) },
			"trailing": func(a *abi.ArmRequest) { a.Preimage = append(a.Preimage, 0) },
			"wallet":   func(a *abi.ArmRequest) { a.Wallet = walletAt(0) },
			"nobody's": func(a *abi.ArmRequest) { a.Wallet = "treasury" },
			"nothing":  func(a *abi.ArmRequest) { *a = abi.ArmRequest{} },
		} {
			x := r.plan(t, p, 10_000)
			request := x.arm()
			bend(request)
			if promise, err := r.link.Arm(t.Context(), request); abi.CodeOf(err) == "" || promise != nil {
				t.Errorf("another %s: %+v, %v", name, promise, err)
			}
		}
		return []string{`"code":"wallet_not_enrolled"`, `"code":"signing_kind_unknown"`, `"code":"preimage_invalid"`, `"code":"claim_invalid"`}
	}},
}

// swap is one field, and how to say something else of it in one place.
type swap struct {
	field    string
	intent   func(t *testing.T, i *abi.Intent)
	preimage func(x *plan)
}

// swappedFields tries each field in each proper combination of places, and in all of them: a story that fits together is
// the policy's to refuse.
func swappedFields(t *testing.T, r *rogue) []string {
	other := r.token
	other.Asset = abi.Asset(strings.Replace(string(r.token.Asset), "/erc20:0x", "/erc20:0x1", 1))[:len(r.token.Asset)]
	elsewhere := r.token
	elsewhere.Asset = abi.Asset(strings.Replace(string(r.token.Asset), "eip155:402402", "eip155:8453", 1))
	swaps := []swap{
		{field: "payee", intent: func(_ *testing.T, i *abi.Intent) { i.Payee = thief }, preimage: func(x *plan) { x.transfer.Payee = thief }},
		{field: "amount", intent: func(_ *testing.T, i *abi.Intent) { i.Amount = abi.NewAmount(6_000_000) }, preimage: func(x *plan) { x.transfer.Amount = abi.NewAmount(6_000_000) }},
		{field: "asset", intent: func(_ *testing.T, i *abi.Intent) { i.Asset = string(other.Asset) }, preimage: func(x *plan) { x.transfer.Token = other }},
		{field: "network", intent: func(_ *testing.T, i *abi.Intent) { i.Network, i.Asset = "eip155:8453", string(elsewhere.Asset) }, preimage: func(x *plan) { x.transfer.Token = elsewhere }},
	}
	p := r.enrol(t, abi.Enrolment{Agent: "swaps", Wallet: demoWalletID})
	var logged []string
	for _, s := range swaps {
		lying := r.plan(t, p, 10_000) // the quote that policies read, beside the merchant's own bytes
		bent := lying.intent
		s.intent(t, &bent)
		lying.quote.Payee, lying.quote.Amount, lying.quote.Asset, lying.quote.Network = bent.Payee, bent.Amount, bent.Asset, bent.Network
		if promise, err := r.arm(t.Context(), lying); promise != nil || err == nil {
			t.Errorf("another %s in the quote alone: it is promised", s.field)
		}
		for places := 1; places < 8; places++ {
			x := r.plan(t, p, 10_000)
			bent := x.intent
			s.intent(t, &bent)
			if places&1 != 0 {
				x.intent = bent
			}
			if places&2 != 0 {
				x.quote.Requirement = requirementOf(t, bent)
				x.quote.Payee, x.quote.Amount, x.quote.Asset, x.quote.Network = bent.Payee, bent.Amount, bent.Asset, bent.Network
			}
			if places&4 != 0 {
				s.preimage(&x)
			}
			promise, err := r.arm(t.Context(), x)
			name := fmt.Sprintf("another %s in intent, requirement, preimage (%03b)", s.field, places)
			var refused *signer.Refused
			var refusal *abi.Error
			switch {
			case errors.As(err, &refused) && refused.Decision.Outcome != abi.Allow:
				logged = append(logged, x.logged(refused.Decision.Outcome))
			case errors.As(err, &refusal) && refused == nil && promise == nil:
				logged = append(logged, x.refusedFor())
			default:
				t.Errorf("%s: %+v, %v", name, promise, err)
			}
		}
	}
	return logged
}
