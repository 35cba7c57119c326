// Package journaltest holds the conformance suite of facilitator.Journal. It refuses
// to be an implementation: it only calls one.
package journaltest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
)

const (
	network = abi.Network("eip155:402402")
	token   = abi.Asset("eip155:402402/erc20:0x7573646374657374000000000000000000402402")
	racers  = 16
)

// Exercise runs the suite. open returns a journal on the same storage every time, so
// that calling it again shows what survived; the suite never closes one.
func Exercise(t *testing.T, open func() facilitator.Journal) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, func() facilitator.Journal){
		"a claim is made once":                              claimOnce,
		"of racing claims one wins":                         claimRace,
		"everything recorded is found again":                roundTrip,
		"attempts need an open claim and a free nonce":      attemptRules,
		"a replacement shares the nonce":                    replacement,
		"a result is recorded once":                         resultOnce,
		"success is delivered once":                         deliverOnce,
		"of racing deliveries one is first":                 deliverRace,
		"only claims without transaction can be released":   releaseRules,
		"open claims are listed by relayer nonce":           listOpen,
		"a cancelled context changes nothing":               cancelled,
		"callers may reuse their slices, and change theirs": aliasing,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

var wholeSeconds = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

func claim(t *testing.T) facilitator.Claim {
	t.Helper()
	c := facilitator.Claim{
		Key: facilitator.ClaimKey{Asset: token}, Amount: abi.NewAmount(10_000), ValidBefore: 1 << 40,
		CallData: []byte{0xe3, 0xee, 0x16, 0x0e, 1, 2, 3}, FromBlock: 7, At: wholeSeconds,
	}
	for _, part := range [][]byte{c.Key.Payer[:], c.Key.Nonce[:], c.Fingerprint[:], c.Payee[:], c.Relayer[:]} {
		if _, err := rand.Read(part); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func attempt(nonce uint64, id byte) facilitator.Attempt {
	return facilitator.Attempt{
		RelayerNonce: nonce, Raw: []byte{2, id}, TxHash: evm.Hash{id, byte(nonce & 0xff)}, MaxFeeWei: abi.NewAmount(100),
		TipWei: abi.NewAmount(1), At: wholeSeconds,
	}
}

func success(id byte) facilitator.Result {
	return facilitator.Result{
		Success: true, TxHash: evm.Hash{id}, Block: 9, BlockHash: evm.Hash{8}, GasUsed: 72_260,
		FeeWei: abi.NewAmount(361_300_000_000), At: wholeSeconds,
	}
}

func made(t *testing.T, j facilitator.Journal) facilitator.Claim {
	t.Helper()
	c := claim(t)
	if _, created, err := j.Claim(t.Context(), c); err != nil || !created {
		t.Fatalf("claim: created %t, %v", created, err)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if abi.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func same(t *testing.T, want, got facilitator.Settlement) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b abi.Amount) bool { return a == b }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("settlement (-want +got):\n%s", diff)
	}
}

func find(t *testing.T, j facilitator.Journal, key facilitator.ClaimKey) facilitator.Settlement {
	t.Helper()
	s, found, err := j.Find(t.Context(), key)
	if err != nil || !found {
		t.Fatalf("find: found %t, %v", found, err)
	}
	return s
}

func claimOnce(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := made(t, j)
	again := c
	again.Fingerprint[0]++
	again.Amount = abi.NewAmount(1)
	for _, later := range []facilitator.Journal{j, open()} {
		s, created, err := later.Claim(t.Context(), again)
		if err != nil || created {
			t.Fatalf("second claim: created %t, %v", created, err)
		}
		same(t, facilitator.Settlement{Claim: c}, s)
	}
	if _, found, err := j.Find(t.Context(), claim(t).Key); err != nil || found {
		t.Errorf("a claim nobody made: found %t, %v", found, err)
	}
}

func claimRace(t *testing.T, open func() facilitator.Journal) {
	j, c := open(), claim(t)
	wins := race(t, func() (bool, error) { _, created, err := j.Claim(t.Context(), c); return created, err })
	if wins != 1 {
		t.Errorf("%d of %d racing claims were created", wins, racers)
	}
}

func race(t *testing.T, run func() (bool, error)) int {
	t.Helper()
	won, errs := make([]bool, racers), make([]error, racers)
	var wait sync.WaitGroup
	for i := range racers {
		wait.Go(func() { won[i], errs[i] = run() })
	}
	wait.Wait()
	must(t, errors.Join(errs...))
	wins := 0
	for _, w := range won {
		if w {
			wins++
		}
	}
	return wins
}

func roundTrip(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := claim(t)
	top := [32]byte{}
	for i := range top {
		top[i] = 0xff
	}
	c.Amount, c.ValidBefore = abi.AmountFromWord(top), 1<<63-1
	_, _, err := j.Claim(t.Context(), c)
	must(t, err)
	must(t, j.RecordAttempt(t.Context(), c.Key, attempt(3, 1)))
	must(t, j.RecordAttempt(t.Context(), c.Key, attempt(3, 1))) // repeating changes nothing
	must(t, j.RecordResult(t.Context(), c.Key, success(1)))
	result := success(1)
	same(t, facilitator.Settlement{Claim: c, Attempts: []facilitator.Attempt{attempt(3, 1)}, Result: &result}, find(t, open(), c.Key))
}

func attemptRules(t *testing.T, open func() facilitator.Journal) {
	j := open()
	wantCode(t, "attempt without claim", j.RecordAttempt(t.Context(), claim(t).Key, attempt(1, 1)), facilitator.CodeJournalUnknown)
	first := made(t, j)
	must(t, j.RecordAttempt(t.Context(), first.Key, attempt(5, 1)))
	second := claim(t)
	second.Relayer = first.Relayer
	_, _, err := j.Claim(t.Context(), second)
	must(t, err)
	wantCode(t, "a nonce another open claim holds", j.RecordAttempt(t.Context(), second.Key, attempt(5, 2)), facilitator.CodeJournalConflict)
	must(t, j.RecordAttempt(t.Context(), made(t, j).Key, attempt(5, 3))) // another relayer counts for itself
	must(t, j.RecordResult(t.Context(), first.Key, success(1)))
	must(t, j.RecordAttempt(t.Context(), second.Key, attempt(5, 2))) // the claim that held it has ended
	wantCode(t, "attempt after result", j.RecordAttempt(t.Context(), first.Key, attempt(6, 4)), facilitator.CodeJournalConflict)
}

func replacement(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := made(t, j)
	for id := range byte(3) {
		must(t, j.RecordAttempt(t.Context(), c.Key, attempt(5, id)))
	}
	must(t, j.RecordAttempt(t.Context(), c.Key, attempt(9, 9))) // displaced: a new nonce
	same(t, facilitator.Settlement{Claim: c, Attempts: []facilitator.Attempt{attempt(5, 0), attempt(5, 1), attempt(5, 2), attempt(9, 9)}},
		find(t, open(), c.Key))
}

func resultOnce(t *testing.T, open func() facilitator.Journal) {
	j := open()
	wantCode(t, "result without claim", j.RecordResult(t.Context(), claim(t).Key, success(1)), facilitator.CodeJournalUnknown)
	c := made(t, j)
	must(t, j.RecordAttempt(t.Context(), c.Key, attempt(1, 1)))
	must(t, j.RecordResult(t.Context(), c.Key, success(1)))
	later := success(1)
	later.At = later.At.Add(time.Hour)
	must(t, j.RecordResult(t.Context(), c.Key, later))
	wantCode(t, "another result", j.RecordResult(t.Context(), c.Key, facilitator.Result{Reason: "no"}), facilitator.CodeJournalConflict)
	if s := find(t, open(), c.Key); s.Result == nil || !s.Result.Success {
		t.Errorf("result is %+v, want the first", s.Result)
	}
}

func deliverOnce(t *testing.T, open func() facilitator.Journal) {
	j := open()
	_, err := j.Deliver(t.Context(), claim(t).Key)
	wantCode(t, "deliver without claim", err, facilitator.CodeJournalUnknown)
	c := made(t, j)
	_, err = j.Deliver(t.Context(), c.Key)
	wantCode(t, "deliver without result", err, facilitator.CodeJournalConflict)
	must(t, j.RecordResult(t.Context(), c.Key, success(1)))
	for i, later := range []facilitator.Journal{j, open(), j} {
		first, err := later.Deliver(t.Context(), c.Key)
		if err != nil || first != (i == 0) {
			t.Errorf("delivery %d: first %t, %v", i, first, err)
		}
	}
	if !find(t, open(), c.Key).Delivered {
		t.Error("the delivery was forgotten")
	}
	failed := made(t, j)
	must(t, j.RecordResult(t.Context(), failed.Key, facilitator.Result{Reason: "no", At: wholeSeconds}))
	_, err = j.Deliver(t.Context(), failed.Key)
	wantCode(t, "deliver a failure", err, facilitator.CodeJournalConflict)
}

func deliverRace(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := made(t, j)
	must(t, j.RecordResult(t.Context(), c.Key, success(1)))
	if firsts := race(t, func() (bool, error) { return j.Deliver(t.Context(), c.Key) }); firsts != 1 {
		t.Errorf("%d of %d racing deliveries were first", firsts, racers)
	}
}

func releaseRules(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := made(t, j)
	must(t, j.Release(t.Context(), c.Key))
	if _, found, err := open().Find(t.Context(), c.Key); err != nil || found {
		t.Errorf("released claim: found %t, %v", found, err)
	}
	if _, created, err := j.Claim(t.Context(), c); err != nil || !created {
		t.Errorf("claim after release: created %t, %v", created, err)
	}
	must(t, j.RecordAttempt(t.Context(), c.Key, attempt(1, 1)))
	wantCode(t, "release with a transaction", j.Release(t.Context(), c.Key), facilitator.CodeJournalConflict)
	ended := made(t, j)
	must(t, j.RecordResult(t.Context(), ended.Key, facilitator.Result{Reason: "no", At: wholeSeconds}))
	wantCode(t, "release with a result", j.Release(t.Context(), ended.Key), facilitator.CodeJournalConflict)
}

func listOpen(t *testing.T, open func() facilitator.Journal) {
	j := open()
	relayer := made(t, j).Relayer // and a claim that has no transaction yet
	byNonce := map[uint64]facilitator.ClaimKey{}
	for _, nonce := range []uint64{12, 3, 7, 1 << 40} {
		c := claim(t)
		c.Relayer = relayer
		_, _, err := j.Claim(t.Context(), c)
		must(t, err)
		must(t, j.RecordAttempt(t.Context(), c.Key, attempt(nonce, byte(nonce&0xff))))
		byNonce[nonce] = c.Key
	}
	must(t, j.RecordResult(t.Context(), byNonce[7], success(7)))
	made(t, j) // another relayer's
	list, err := open().ListOpen(t.Context(), network, relayer)
	must(t, err)
	var nonces []uint64
	for i, s := range list {
		if len(s.Attempts) > 0 {
			nonces = append(nonces, s.Attempts[0].RelayerNonce)
		} else if i != len(list)-1 {
			t.Error("the claim without a transaction is not the last")
		}
	}
	if diff := cmp.Diff([]uint64{3, 12, 1 << 40}, nonces); diff != "" || len(list) != 4 {
		t.Errorf("%d open claims with nonces (-want +got):\n%s", len(list), diff)
	}
	if list, err := j.ListOpen(t.Context(), "eip155:1", relayer); err != nil || len(list) != 0 {
		t.Errorf("another network lists %d, %v", len(list), err)
	}
}

func cancelled(t *testing.T, open func() facilitator.Journal) {
	j, c := open(), claim(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, created, err := j.Claim(ctx, c); err == nil || created {
		t.Errorf("claim with a cancelled context: created %t, %v", created, err)
	}
	if _, found, err := j.Find(t.Context(), c.Key); err != nil || found {
		t.Errorf("found %t, %v", found, err)
	}
}

func aliasing(t *testing.T, open func() facilitator.Journal) {
	j := open()
	c := claim(t)
	data := append([]byte(nil), c.CallData...)
	_, _, err := j.Claim(t.Context(), c)
	must(t, err)
	a := attempt(1, 1)
	must(t, j.RecordAttempt(t.Context(), c.Key, a))
	c.CallData[0]++
	a.Raw[0]++
	s := find(t, j, c.Key)
	s.CallData[1]++
	s.Attempts[0].Raw[1]++
	s = find(t, j, c.Key)
	if diff := cmp.Diff([][]byte{data, attempt(1, 1).Raw}, [][]byte{s.CallData, s.Attempts[0].Raw}); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
}
