//go:build !nodevchain

package facilitator_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
)

const parallel = 8

func TestASettlementMovesTheAmountAndSuccessIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	body := w.fresh(t)
	if v := d.send(t, "/verify", body); !v.IsValid || v.Payer != w.payer.Address {
		t.Fatalf("verify: %+v", v)
	}
	s := d.send(t, "/settle", body)
	if !s.Success || s.Reason != "" || s.Payer != w.payer.Address || s.Network != "eip155:402402" || len(s.Transaction) != 66 {
		t.Fatalf("settle: %+v", s)
	}
	w.wantBalance(t, w.payee.Address, price)
	for range 2 {
		again := d.send(t, "/settle", body)
		if again.Success || again.Reason != "invalid_exact_evm_nonce_already_used" || again.Transaction != s.Transaction {
			t.Errorf("settled again: %+v", again)
		}
	}
	if v := d.send(t, "/verify", body); v.Invalid != "invalid_exact_evm_nonce_already_used" {
		t.Errorf("verified again: %+v", v)
	}
	w.wantBalance(t, w.payee.Address, price)
}

// settleAll sends all bodies at once.
func settleAll(t *testing.T, d door, bodies []object) (successes int, reasons []string) {
	t.Helper()
	answers, errs := make([]answer, len(bodies)), make([]error, len(bodies))
	var wait sync.WaitGroup
	for i, body := range bodies {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() { answers[i], errs[i] = d.post(t, "/settle", string(text)) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, a := range answers {
		if a.Success {
			successes++
		} else {
			reasons = append(reasons, a.Reason+" "+a.Message)
		}
	}
	return successes, reasons
}

func TestRacesEndWithEachPaymentSettledExactlyOnce(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]devchain.Config{"instant blocks": {}, "2 s blocks": {BlockTime: 2 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, cfg)
			d := w.open(t, nil)
			same := w.fresh(t)
			successes, reasons := settleAll(t, d, []object{same, same, same, same, same, same, same, same})
			if successes != 1 {
				t.Errorf("one payment settled %d times, %q", successes, reasons)
			}
			for _, reason := range reasons {
				if !strings.HasPrefix(reason, "invalid_exact_evm_nonce_already_used") {
					t.Errorf("a racing repeat was told %q", reason)
				}
			}
			w.wantBalance(t, w.payee.Address, price)
			var different []object
			for range 3 * parallel { // above the window of 16 in flight
				different = append(different, w.fresh(t))
			}
			if successes, reasons := settleAll(t, d, different); successes != len(different) {
				t.Errorf("%d of %d different payments settled, %q", successes, len(different), reasons)
			}
			w.wantBalance(t, w.payee.Address, price*uint64(1+len(different)))
		})
	}
}

func TestAPendingSettlementIsWaitedForByTheSamePayloadAndGrantedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{BlockTime: 3 * time.Second})
	d := w.open(t, func(c *facilitator.Config) { c.ConfirmTimeout = 50 * time.Millisecond })
	body := w.fresh(t)
	first := d.send(t, "/settle", body)
	if first.Success || first.Reason != "settlement_pending" || len(first.Transaction) != 66 {
		t.Fatalf("first: %+v, want settlement_pending with a transaction", first)
	}
	grants := 0
	for range 200 {
		if v := d.send(t, "/verify", body); v.IsValid == (grants > 0) {
			t.Fatalf("verify after %d grants: %+v", grants, v)
		}
		s := d.send(t, "/settle", body)
		switch {
		case s.Success:
			grants++
			if s.Transaction != first.Transaction {
				t.Errorf("granted for %s, pending was %s", s.Transaction, first.Transaction)
			}
		case grants > 0 && s.Reason != "invalid_exact_evm_nonce_already_used", grants == 0 && s.Reason != "settlement_pending":
			t.Fatalf("after %d grants: %+v", grants, s)
		case grants > 0:
			w.wantBalance(t, w.payee.Address, price)
			return
		}
	}
	t.Fatal("never granted")
}

func TestACrashBetweenJournalAndBroadcastSendsTheSameBytesOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	// The first facilitator dies after the record is durable and before it knows.
	w.journal.afterAttempt = func() error { return errors.New("power cut") }
	d := w.open(t, nil)
	a := w.order(t)
	body := w.request(a, w.signed(t, a))
	if s := d.send(t, "/settle", body); s.Success || s.Reason != "settlement_pending" {
		t.Fatalf("at the power cut: %+v, want settlement_pending: the record may exist", s)
	}
	d.stop()
	w.journal.afterAttempt = nil
	key := w.key(t, a)
	stored, found, err := w.journal.Find(t.Context(), key)
	if err != nil || !found || len(stored.Attempts) != 1 || stored.Result != nil {
		t.Fatalf("journal holds %+v, %t, %v", stored, found, err)
	}
	w.wantBalance(t, w.payee.Address, 0)

	d = w.open(t, nil)
	s := d.send(t, "/settle", body)
	if !s.Success || s.Transaction != stored.Attempts[0].TxHash.String() {
		t.Fatalf("after the restart: %+v, want the recorded transaction %s", s, stored.Attempts[0].TxHash)
	}
	w.wantBalance(t, w.payee.Address, price)
	if s := d.send(t, "/settle", w.fresh(t)); !s.Success {
		t.Errorf("the next payment: %+v", s)
	}
	w.wantBalance(t, w.payee.Address, 2*price)
}

func TestAClaimWithoutTransactionIsForgottenAtTheNextStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	a := w.order(t)
	relayer, err := evm.ParseAddress(w.chain.Relayer().Address)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.journal.Claim(t.Context(), facilitator.Claim{Key: w.key(t, a), Relayer: relayer}); err != nil {
		t.Fatal(err)
	}
	d := w.open(t, nil)
	if s := d.send(t, "/settle", w.request(a, w.signed(t, a))); !s.Success {
		t.Errorf("%+v", s)
	}
}

func TestAFrontRunSettlementNamesTheTransactionThatPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	a := w.order(t)
	signature := w.signed(t, a)
	var theirs string
	w.journal.afterAttempt = func() error { // after our checks and before our broadcast
		receipt := devchaintest.Send(t, w.chain, w.chain.Faucet(), devchain.TokenAddress, devchaintest.TransferData(a, signature))
		theirs = strings.ToLower(receipt.TxHash.Hex())
		return nil
	}
	d := w.open(t, nil)
	body := w.request(a, signature)
	s := d.send(t, "/settle", body)
	if s.Success || s.Reason != "invalid_exact_evm_nonce_already_used" || s.Transaction != theirs {
		t.Errorf("%+v, want nonce_already_used by %s", s, theirs)
	}
	w.wantBalance(t, w.payee.Address, price)
	if again := d.send(t, "/settle", body); again != s {
		t.Errorf("again: %+v, want the same answer", again)
	}
}

func TestAJournalOfAChainThatBeganAnewDoesNotHoldUpTheNewOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	old := w.order(t)
	relayer, err := evm.ParseAddress(w.chain.Relayer().Address)
	if err != nil {
		t.Fatal(err)
	}
	key := w.key(t, old)
	if _, _, err := w.journal.Claim(t.Context(), facilitator.Claim{Key: key, Relayer: relayer, ValidBefore: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.journal.RecordAttempt(t.Context(), key, facilitator.Attempt{RelayerNonce: 5000, Raw: []byte{2}, TxHash: evm.Hash{5}}); err != nil {
		t.Fatal(err)
	}
	d := w.open(t, nil)
	if s := d.send(t, "/settle", w.fresh(t)); !s.Success {
		t.Errorf("%+v", s)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		s, _, err := w.journal.Find(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if s.Result != nil {
			if s.Result.Success {
				t.Errorf("%+v", s.Result)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the old settlement never ended")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func BenchmarkSettle(b *testing.B) {
	w := newWorld(b, devchain.Config{})
	d := w.open(b, func(c *facilitator.Config) { c.PollInterval = 5 * time.Millisecond })
	for b.Loop() {
		b.StopTimer()
		body := w.fresh(b)
		b.StartTimer()
		if s := d.send(b, "/settle", body); !s.Success {
			b.Fatalf("%+v", s)
		}
	}
}

func TestANonceSpentByAStrangerIsReplacedByTheNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	// Another program uses the relayer's key, behind the facilitator's back.
	for range 2 {
		devchaintest.Send(t, w.chain, w.chain.Relayer(), w.payee.Address, nil)
	}
	for i := range 2 {
		if s := d.send(t, "/settle", w.fresh(t)); !s.Success {
			t.Fatalf("payment %d: %+v", i, s)
		}
	}
	w.wantBalance(t, w.payee.Address, 2*price)
}

func TestAGapInTheRelayersNoncesIsFilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	failures := 2
	w.journal.afterAttempt = func() error {
		if failures--; failures >= 0 {
			return errors.New("disk hiccup")
		}
		return nil
	}
	d := w.open(t, nil)
	// Two nonces are recorded and, for all the facilitator knows, lost.
	var lost []object
	for range 2 {
		body := w.fresh(t)
		if s := d.send(t, "/settle", body); s.Success {
			t.Fatalf("%+v", s)
		}
		lost = append(lost, body)
	}
	if s := d.send(t, "/settle", w.fresh(t)); !s.Success {
		t.Fatalf("the payment above the gap: %+v", s)
	}
	for _, body := range lost {
		if s := d.send(t, "/settle", body); !s.Success {
			t.Errorf("a payment whose nonce was filled: %+v", s)
		}
	}
	w.wantBalance(t, w.payee.Address, 3*price)
}

func TestAnOutageIsNotTheBuyersFault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	body := w.fresh(t)
	if err := w.chain.Close(); err != nil {
		t.Fatal(err)
	}
	if v := d.send(t, "/verify", body); v.status != 503 || v.IsValid || v.Invalid != "unexpected_verify_error" {
		t.Errorf("verify: %+v", v)
	}
	if s := d.send(t, "/settle", body); s.status != 503 || s.Success || s.Reason != "unexpected_settle_error" || strings.Contains(s.Message, "127.0.0.1") {
		t.Errorf("settle: %+v", s)
	}
}

func (w *world) key(t *testing.T, a devchaintest.Authorization) facilitator.ClaimKey {
	t.Helper()
	payer, err := evm.ParseAddress(a.From)
	if err != nil {
		t.Fatal(err)
	}
	return facilitator.ClaimKey{Asset: w.chain.Token(), Payer: payer, Nonce: a.Nonce}
}
