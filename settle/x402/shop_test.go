package x402_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/journal"
	"github.com/purserhq/purser/settle/x402"
)

var noon = time.Unix(1_740_672_000, 0).UTC()

// fakeFacilitator plays a facilitator in front of a chain where every nonce works once.
type fakeFacilitator struct {
	mu       sync.Mutex
	verify   func() (x402.VerifyResponse, error)
	settle   func() (x402.SettleResponse, error) // nil: settle for real
	settled  map[[32]byte]bool
	settles  int
	verifies int
}

func (f *fakeFacilitator) Verify(_ context.Context, r x402.FacilitatorRequest) (x402.VerifyResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verifies++
	if f.verify != nil {
		return f.verify()
	}
	exact, err := x402.ParseExactEVM(r.PaymentPayload.Payload)
	if err != nil {
		return x402.VerifyResponse{InvalidReason: "invalid_payload"}, nil
	}
	if f.settled[exact.Authorization.Nonce] {
		return x402.VerifyResponse{InvalidReason: "invalid_exact_evm_nonce_already_used"}, nil
	}
	return x402.VerifyResponse{IsValid: true, Payer: exact.Authorization.From}, nil
}

func (f *fakeFacilitator) Settle(_ context.Context, r x402.FacilitatorRequest) (x402.SettleResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settles++
	if f.settle != nil {
		return f.settle()
	}
	exact, err := x402.ParseExactEVM(r.PaymentPayload.Payload)
	if err != nil {
		return x402.SettleResponse{}, err
	}
	if f.settled[exact.Authorization.Nonce] {
		return x402.SettleResponse{ErrorReason: "invalid_exact_evm_nonce_already_used", Network: "eip155:84532"}, nil
	}
	f.settled[exact.Authorization.Nonce] = true
	return x402.SettleResponse{Success: true, Transaction: "0x12", Network: "eip155:84532", Payer: exact.Authorization.From}, nil
}

func (f *fakeFacilitator) Supported(context.Context) (x402.SupportedResponse, error) {
	return x402.SupportedResponse{Kinds: []x402.Kind{{X402Version: 2, Scheme: "exact", Network: "eip155:84532"}}}, nil
}

type shop struct {
	facilitator *fakeFacilitator
	path        string
	config      x402.MerchantConfig
	runs        atomic.Int32
	reports     atomic.Int32
	now         atomic.Int64
	server      *httptest.Server
}

func newShop(t *testing.T, handler http.HandlerFunc, change func(*x402.MerchantConfig)) *shop {
	t.Helper()
	s := &shop{facilitator: &fakeFacilitator{settled: map[[32]byte]bool{}}, path: filepath.Join(t.TempDir(), "claims.db")}
	s.now.Store(noon.Unix())
	s.config = x402.MerchantConfig{
		Facilitator: s.facilitator, Origin: "https://shop.example",
		Offers: []x402.Offer{{
			Network: "eip155:84532", Asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
			PayTo: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", Price: abi.NewAmount(10000), Name: "USDC", Version: "2",
		}},
		Now:    func() time.Time { return time.Unix(s.now.Load(), 0) },
		Report: func(context.Context, error) { s.reports.Add(1) },
	}
	if change != nil {
		change(&s.config)
	}
	s.start(t, handler)
	return s
}

// start opens the claims afresh, as after a crash.
func (s *shop) start(t *testing.T, handler http.HandlerFunc) {
	t.Helper()
	claims, err := journal.OpenClaims(t.Context(), s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := claims.Close(); err != nil {
			t.Error(err)
		}
	})
	if s.config.Claims == nil {
		s.config.Claims = claims
	} else if wrapped, ok := s.config.Claims.(*faultyClaims); ok {
		wrapped.Claims = claims
	} else {
		s.config.Claims = claims
	}
	merchant, err := x402.NewMerchant(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := merchant.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.server = serve(t, merchant.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.runs.Add(1)
		handler(w, r)
	})).ServeHTTP)
}

type reply struct {
	status  int
	header  http.Header
	body    string
	offer   *x402.PaymentRequired
	receipt *x402.SettleResponse
}

func (s *shop) ask(t *testing.T, method, uri, body string, lines ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.server.URL+uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		request.Header.Add(x402.HeaderSignature, line)
	}
	response, err := s.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	got := reply{status: response.StatusCode, header: response.Header, body: string(content)}
	if value := response.Header.Get(x402.HeaderRequired); value != "" {
		offer, err := x402.ParsePaymentRequired(unheader(t, value))
		if err != nil {
			t.Fatal(err)
		}
		got.offer = &offer
	}
	if value := response.Header.Get(x402.HeaderResponse); value != "" {
		receipt, err := x402.ParseSettleResponse(unheader(t, value))
		if err != nil {
			t.Fatal(err)
		}
		got.receipt = &receipt
	}
	return got
}

func unheader(t *testing.T, value string) []byte {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func good(nonce byte) string { return header(paymentText(nonce, noon.Unix()+60)) }

func goods(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Set("Settlement-Overrides", "{}")
	_, _ = io.WriteString(w, "goods")
}
