package journal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/purserhq/purser/settle/journal"
	"github.com/purserhq/purser/settle/x402"
	"github.com/purserhq/purser/settle/x402/claimstest"
)

func openClaims(t *testing.T, path string) *journal.Claims {
	t.Helper()
	claims, err := journal.OpenClaims(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := claims.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return claims
}

func TestClaimsConform(t *testing.T) {
	path := filepath.Join(t.TempDir(), "claims.db")
	claimstest.Exercise(t, func(t *testing.T) x402.Claims { return openClaims(t, path) })
}

func TestPruningDropsAnswersAndKeepsKeys(t *testing.T) {
	claims := openClaims(t, filepath.Join(t.TempDir(), "claims.db"))
	for seed := range byte(2) {
		c := x402.Claim{
			Key:         x402.ClaimKey{Asset: "eip155:1/erc20:0x00", Payer: "0x00", Nonce: [32]byte{seed}},
			ValidBefore: 1000 + uint64(seed)*1000, At: time.UnixMilli(5),
		}
		if _, _, err := claims.Claim(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := claims.Finish(t.Context(), c.Key, x402.Answer{Status: 200, Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := claims.Prune(t.Context(), time.Unix(1500, 0)); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	for seed, wantAnswer := range []bool{false, true} {
		key := x402.ClaimKey{Asset: "eip155:1/erc20:0x00", Payer: "0x00", Nonce: [32]byte{byte(seed)}}
		record, found, err := claims.Find(t.Context(), key)
		if err != nil || !found || record.State != x402.ClaimFinished || (record.Answer != nil) != wantAnswer {
			t.Errorf("claim %d: %+v, %v, %v", seed, record, found, err)
		}
	}
}
