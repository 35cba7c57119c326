// Package claimstest is the conformance suite of x402.Claims. It refuses a store
// that lets one payment be claimed twice, changes a final answer, or forgets on
// reopening.
package claimstest

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

const racers = 8

var start = time.UnixMilli(1_700_000_000_123).UTC()

// Exercise runs the suite. open must return handles on one and the same durable
// store, empty at first: every call is a restart or a second process. The suite
// does not close them.
func Exercise(t *testing.T, open func(t *testing.T) x402.Claims) {
	t.Helper()
	t.Run("of racing claims one creates", func(t *testing.T) { oneCreates(t, open) })
	t.Run("a claim keeps everything across a reopening", func(t *testing.T) { survives(t, open) })
	t.Run("keys differ by asset, payer and nonce", func(t *testing.T) { keysDiffer(t, open) })
	t.Run("of racing leases one is taken, after the last has ended", func(t *testing.T) { oneLeases(t, open) })
	t.Run("the first final answer stays", func(t *testing.T) { finalStays(t, open) })
	t.Run("changes in the wrong state are refused and change nothing", func(t *testing.T) { wrongState(t, open) })
	t.Run("what is unknown is said to be unknown", func(t *testing.T) { unknown(t, open) })
	t.Run("an ended context changes nothing", func(t *testing.T) { endedContext(t, open) })
}

func claim(seed byte) x402.Claim {
	c := x402.Claim{
		Key: x402.ClaimKey{
			Asset: "eip155:84532/erc20:0x036cbd53842c5426634e7929541ec2318f3dcf7e",
			Payer: "0x857b06519e91e3a54538791bdbb0e22373e36b66",
		},
		ValidBefore: 1_700_000_060, At: start,
	}
	c.Key.Nonce[0], c.Key.Nonce[31] = seed, 0xff
	c.Request[1], c.Payment[2] = seed, seed
	return c
}

func answer(body string) x402.Answer {
	return x402.Answer{
		Status: http.StatusOK, Body: []byte(body),
		Header: http.Header{"Content-Type": {"text/plain"}, "X-Two": {"a", "b"}},
	}
}

func same(t *testing.T, what string, want, got x402.ClaimRecord) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func find(t *testing.T, s x402.Claims, key x402.ClaimKey) x402.ClaimRecord {
	t.Helper()
	record, found, err := s.Find(t.Context(), key)
	if err != nil || !found {
		t.Fatalf("find: found %v, %v", found, err)
	}
	return record
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	if got := abi.CodeOf(err); got != code {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, code)
	}
}

func oneCreates(t *testing.T, open func(*testing.T) x402.Claims) {
	stores := [2]x402.Claims{open(t), open(t)}
	var creations atomic.Int32
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			record, created, err := stores[i%2].Claim(t.Context(), claim(1))
			if err != nil {
				t.Errorf("claim: %v", err)
			}
			if created {
				creations.Add(1)
			}
			if record.State != x402.ClaimRunning {
				t.Errorf("state %d after a claim", record.State)
			}
		})
	}
	group.Wait()
	if n := creations.Load(); n != 1 {
		t.Errorf("%d of %d racing claims created", n, racers)
	}
}

func survives(t *testing.T, open func(*testing.T) x402.Claims) {
	want := x402.ClaimRecord{Claim: claim(2), State: x402.ClaimRunning}
	record, created, err := open(t).Claim(t.Context(), claim(2))
	must(t, err)
	if !created {
		t.Error("a new key did not create")
	}
	same(t, "new record", want, record)

	other := claim(2)
	other.Request[5], other.Payment[5], other.ValidBefore, other.At = 9, 9, 9, start.Add(time.Hour)
	record, created, err = open(t).Claim(t.Context(), other)
	must(t, err)
	if created {
		t.Error("a known key created again")
	}
	same(t, "a repeat must return the first record", want, record)

	given := answer("held back")
	lease := start.Add(time.Minute)
	must(t, open(t).Answered(t.Context(), want.Key, given, lease))
	given.Body[0], given.Header["X-Two"][0] = '#', "#" // the store must have copied
	kept := answer("held back")
	want.State, want.Answer, want.LeaseUntil, want.Attempts = x402.ClaimAnswered, &kept, lease, 1
	same(t, "answered", want, find(t, open(t), want.Key))

	final := x402.Answer{Status: http.StatusNoContent}
	must(t, open(t).Finish(t.Context(), want.Key, final))
	got := find(t, open(t), want.Key)
	if got.State != x402.ClaimFinished || got.Answer == nil || got.Answer.Status != http.StatusNoContent || len(got.Answer.Body) != 0 {
		t.Errorf("finished record is %+v", got)
	}
}

func keysDiffer(t *testing.T, open func(*testing.T) x402.Claims) {
	s := open(t)
	payer, asset, nonce := claim(3), claim(3), claim(3)
	payer.Key.Payer = "0x0000000000000000000000000000000000000001"
	asset.Key.Asset = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
	nonce.Key.Nonce[31] = 0
	for _, c := range []x402.Claim{claim(3), payer, asset, nonce} {
		_, created, err := s.Claim(t.Context(), c)
		must(t, err)
		if !created {
			t.Errorf("key %+v counted as known", c.Key)
		}
	}
}

func oneLeases(t *testing.T, open func(*testing.T) x402.Claims) {
	s, key := open(t), claim(4).Key
	_, _, err := s.Claim(t.Context(), claim(4))
	must(t, err)
	if _, taken, err := s.Lease(t.Context(), key, start, start.Add(time.Hour)); err != nil || taken {
		t.Errorf("leased while the handler runs: %v, %v", taken, err)
	}
	lease := start.Add(time.Minute)
	must(t, s.Answered(t.Context(), key, answer("x"), lease))
	if _, taken, err := s.Lease(t.Context(), key, lease.Add(-time.Millisecond), lease.Add(time.Hour)); err != nil || taken {
		t.Errorf("leased before the lease ended: %v, %v", taken, err)
	}
	stores := [2]x402.Claims{s, open(t)}
	var taken atomic.Int32
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			record, ok, err := stores[i%2].Lease(t.Context(), key, lease, lease.Add(time.Hour))
			if err != nil {
				t.Errorf("lease: %v", err)
			}
			if ok {
				taken.Add(1)
				if record.Attempts != 2 || record.Answer == nil || string(record.Answer.Body) != "x" {
					t.Errorf("leased record is %+v", record)
				}
			}
		})
	}
	group.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d of %d racing leases were taken", n, racers)
	}
	must(t, s.Unlease(t.Context(), key))
	if _, ok, err := s.Lease(t.Context(), key, start, start.Add(time.Hour)); err != nil || !ok {
		t.Errorf("lease after it was given back: %v, %v", ok, err)
	}
}

func finalStays(t *testing.T, open func(*testing.T) x402.Claims) {
	stores := [2]x402.Claims{open(t), open(t)}
	_, _, err := stores[0].Claim(t.Context(), claim(5))
	must(t, err)
	var finished atomic.Int32
	var winner atomic.Value
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			body := string(rune('a' + i))
			switch err := stores[i%2].Finish(t.Context(), claim(5).Key, answer(body)); {
			case err == nil:
				finished.Add(1)
				winner.Store(body)
			default:
				wantCode(t, "second finish", err, x402.CodeClaimConflict)
			}
		})
	}
	group.Wait()
	if n := finished.Load(); n != 1 {
		t.Fatalf("%d final answers", n)
	}
	if got := string(find(t, open(t), claim(5).Key).Answer.Body); got != winner.Load() {
		t.Errorf("kept %q, the winner was %q", got, winner.Load())
	}
}

func wrongState(t *testing.T, open func(*testing.T) x402.Claims) {
	s, key := open(t), claim(6).Key
	_, _, err := s.Claim(t.Context(), claim(6))
	must(t, err)
	wantCode(t, "unlease while running", s.Unlease(t.Context(), key), x402.CodeClaimConflict)
	must(t, s.Answered(t.Context(), key, answer("first"), start))
	wantCode(t, "answered twice", s.Answered(t.Context(), key, answer("second"), start), x402.CodeClaimConflict)
	must(t, s.Finish(t.Context(), key, answer("final")))
	wantCode(t, "answered after the end", s.Answered(t.Context(), key, answer("late"), start), x402.CodeClaimConflict)
	wantCode(t, "unlease after the end", s.Unlease(t.Context(), key), x402.CodeClaimConflict)
	if _, taken, err := s.Lease(t.Context(), key, start.Add(time.Hour), start.Add(2*time.Hour)); err != nil || taken {
		t.Errorf("leased after the end: %v, %v", taken, err)
	}
	if got := find(t, s, key); got.State != x402.ClaimFinished || string(got.Answer.Body) != "final" {
		t.Errorf("record changed: %+v", got)
	}
}

func unknown(t *testing.T, open func(*testing.T) x402.Claims) {
	s, key := open(t), claim(7).Key
	if _, found, err := s.Find(t.Context(), key); err != nil || found {
		t.Errorf("find: %v, %v", found, err)
	}
	wantCode(t, "answered", s.Answered(t.Context(), key, answer("x"), start), x402.CodeClaimUnknown)
	wantCode(t, "unlease", s.Unlease(t.Context(), key), x402.CodeClaimUnknown)
	wantCode(t, "finish", s.Finish(t.Context(), key, answer("x")), x402.CodeClaimUnknown)
	_, taken, err := s.Lease(t.Context(), key, start, start)
	wantCode(t, "lease", err, x402.CodeClaimUnknown)
	if taken {
		t.Error("an unknown claim was leased")
	}
}

func endedContext(t *testing.T, open func(*testing.T) x402.Claims) {
	s := open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, created, err := s.Claim(ended, claim(8)); err == nil || created {
		t.Errorf("claimed with an ended context: %v, %v", created, err)
	}
	if _, found, err := s.Find(t.Context(), claim(8).Key); err != nil || found {
		t.Errorf("the claim is there: %v, %v", found, err)
	}
}
