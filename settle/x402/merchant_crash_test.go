package x402_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/settle/x402"
)

func TestARefusedSettlementReleasesNothing(t *testing.T) {
	s := newShop(t, goods, nil)
	s.facilitator.settle = func() (x402.SettleResponse, error) {
		return x402.SettleResponse{ErrorReason: "invalid_exact_evm_insufficient_balance", Network: "eip155:84532"}, nil
	}
	for range 2 {
		got := s.ask(t, "GET", "/", "", good(1))
		if got.status != 402 || got.body != "{}" || got.offer != nil || got.receipt == nil || got.receipt.Success ||
			got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %+v", got)
		}
	}
	if s.runs.Load() != 1 || s.facilitator.settles != 1 {
		t.Errorf("%d runs, %d settles", s.runs.Load(), s.facilitator.settles)
	}
}

func TestAnUnknownSettlementIsTriedAgainWithoutTheHandler(t *testing.T) {
	cases := []struct {
		name   string
		answer x402.SettleResponse
		err    error
		status int
	}{
		{"pending", x402.SettleResponse{ErrorReason: "settlement_pending", Transaction: "0x12", Network: "eip155:84532"}, nil, 402},
		{"no answer", x402.SettleResponse{}, errors.New("time-out"), 502},
		{"success on another network", x402.SettleResponse{Success: true, Transaction: "0x12", Network: "eip155:1"}, nil, 502},
		{"success without a transaction", x402.SettleResponse{Success: true, Network: "eip155:84532"}, nil, 502},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, goods, nil)
			s.facilitator.settle = func() (x402.SettleResponse, error) { return c.answer, c.err }
			got := s.ask(t, "GET", "/", "", good(1))
			if got.status != c.status || got.receipt == nil || got.receipt.ErrorReason != "settlement_pending" || strings.Contains(got.body, "goods") {
				t.Errorf("got %+v", got)
			}
			s.facilitator.settle = nil
			s.start(t, goods) // also across a restart
			if got := s.ask(t, "GET", "/", "", good(1)); got.status != 200 || got.body != "goods" || s.runs.Load() != 1 {
				t.Errorf("the repeat got %d %s after %d runs", got.status, got.body, s.runs.Load())
			}
		})
	}
}

func TestANonceUsedAfterAnEarlierAttemptIsNeitherSuccessNorFailure(t *testing.T) {
	s := newShop(t, goods, nil)
	s.facilitator.settle = func() (x402.SettleResponse, error) { return x402.SettleResponse{}, errors.New("time-out") }
	s.ask(t, "GET", "/", "", good(1))
	s.facilitator.settle = func() (x402.SettleResponse, error) {
		return x402.SettleResponse{ErrorReason: "invalid_exact_evm_nonce_already_used", Network: "eip155:84532"}, nil
	}
	for range 2 {
		got := s.ask(t, "GET", "/", "", good(1))
		if got.status != 402 || got.offer != nil || got.receipt.ErrorReason != "settlement_pending" {
			t.Errorf("got %+v", got)
		}
	}
	s.facilitator.settle = func() (x402.SettleResponse, error) {
		return x402.SettleResponse{Success: true, Transaction: "0x12", Network: "eip155:84532"}, nil
	}
	if got := s.ask(t, "GET", "/", "", good(1)); got.status != 200 {
		t.Errorf("got %d", got.status)
	}
}

// faultyClaims stops working after a given call, like a process that dies there.
type faultyClaims struct {
	x402.Claims
	failing string
}

var errCrash = errors.New("crash")

func (c *faultyClaims) Answered(ctx context.Context, key x402.ClaimKey, a x402.Answer, until time.Time) error {
	if c.failing == "answered" {
		return errCrash
	}
	return c.Claims.Answered(ctx, key, a, until)
}

func (c *faultyClaims) Finish(ctx context.Context, key x402.ClaimKey, a x402.Answer) error {
	if c.failing == "finish" {
		return errCrash
	}
	return c.Claims.Finish(ctx, key, a)
}

func (c *faultyClaims) Find(ctx context.Context, key x402.ClaimKey) (x402.ClaimRecord, bool, error) {
	if c.failing == "find" {
		return x402.ClaimRecord{}, false, errCrash
	}
	return c.Claims.Find(ctx, key)
}

func TestCrashesBetweenClaimAndSettlement(t *testing.T) {
	cases := []struct {
		name                  string
		failing               string
		first, second, later  int
		settlesAfterTheRepeat int
	}{
		// The handler ran and its answer is lost: never again, never charged.
		{"before the answer was kept", "answered", 503, 409, 409, 0},
		// The money moved and the answer was delivered; the repeat waits for the lease
		// and then finds the nonce used, which it must not take for a failure.
		{"before the final answer was kept", "finish", 200, 409, 402, 2},
		{"before anything", "find", 503, 200, 200, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			faulty := &faultyClaims{failing: c.failing}
			s := newShop(t, goods, func(config *x402.MerchantConfig) { config.Claims = faulty })
			if got := s.ask(t, "GET", "/", "", good(1)); got.status != c.first {
				t.Errorf("first: got %d %s", got.status, got.body)
			}
			if s.reports.Load() == 0 {
				t.Error("the fault was not reported")
			}
			faulty.failing = ""
			s.start(t, goods)
			if got := s.ask(t, "GET", "/", "", good(1)); got.status != c.second || got.status == 402 {
				t.Errorf("after the restart: got %d %s", got.status, got.body)
			}
			s.now.Add(300)
			if got := s.ask(t, "GET", "/", "", good(1)); got.status != c.later || got.offer != nil {
				t.Errorf("later: got %d %s %+v", got.status, got.body, got.offer)
			}
			if s.runs.Load() != 1 || s.facilitator.settles != c.settlesAfterTheRepeat {
				t.Errorf("%d runs, %d settles", s.runs.Load(), s.facilitator.settles)
			}
		})
	}
}
