package x402_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

func TestAnUnpaidRequestGetsTheOfficialOffer(t *testing.T) {
	s := newShop(t, goods, nil)
	got := s.ask(t, "GET", "/data?q=1", "")
	want := `{"x402Version":2,"error":"Payment required","resource":{"url":"https://shop.example/data?q=1","description":"","mimeType":""},"accepts":[` + offerText + `]}`
	if got.status != 402 || got.body != "{}" || got.header.Get("Cache-Control") != "no-store" || string(got.offer.Raw) != want {
		t.Errorf("got %d %q %v\n%s", got.status, got.body, got.header, got.offer.Raw)
	}
}

func TestAPaidRequestIsSoldOnceAndItsAnswerCanBeAskedForAgain(t *testing.T) {
	s := newShop(t, goods, nil)
	for range 2 {
		got := s.ask(t, "GET", "/data", "", good(1))
		if got.status != 200 || got.body != "goods" || got.receipt == nil || !got.receipt.Success ||
			got.header.Get("Cache-Control") != "max-age=60, private" || got.header.Get("Settlement-Overrides") != "" {
			t.Errorf("got %+v", got)
		}
	}
	if s.runs.Load() != 1 || s.facilitator.settles != 1 || s.facilitator.verifies != 1 {
		t.Errorf("%d runs, %d settles, %d verifies", s.runs.Load(), s.facilitator.settles, s.facilitator.verifies)
	}
}

func TestEightIdenticalPaymentsAtOnceRunTheHandlerOnce(t *testing.T) {
	release := make(chan struct{})
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) { <-release; goods(w, r) }, nil)
	var group sync.WaitGroup
	var sold, waiting atomic.Int32
	for range 8 {
		group.Go(func() {
			switch got := s.ask(t, "GET", "/data", "", good(1)); got.status {
			case 200:
				sold.Add(1)
			case 409:
				if got.header.Get("Retry-After") == "" || got.offer != nil {
					t.Errorf("pending without a pause, or with an offer: %v", got.header)
				}
				// The first sale may only end after the others were told to wait.
				if waiting.Add(1) == 7 {
					close(release)
				}
			default:
				t.Errorf("status %d %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	if s.runs.Load() != 1 || sold.Load() != 1 || waiting.Load() != 7 || s.facilitator.settles != 1 {
		t.Errorf("%d runs, %d sold, %d waiting, %d settles", s.runs.Load(), sold.Load(), waiting.Load(), s.facilitator.settles)
	}
	if got := s.ask(t, "GET", "/data", "", good(1)); got.status != 200 || got.body != "goods" {
		t.Errorf("a late repeat: %+v", got)
	}
}

func TestAPaymentBuysOnlyTheRequestItWasFirstPresentedWith(t *testing.T) {
	s := newShop(t, goods, nil)
	if got := s.ask(t, "POST", "/data?a=1", "body", good(1)); got.status != 200 {
		t.Fatalf("got %+v", got)
	}
	other := strings.Replace(paymentText(1, noon.Unix()+60), `{"x402Version":2,`, `{"x402Version":2,"resource":{"url":"u"},`, 1)
	for name, ask := range map[string]func() reply{
		"another method": func() reply { return s.ask(t, "GET", "/data?a=1", "body", good(1)) },
		"another path":   func() reply { return s.ask(t, "POST", "/other?a=1", "body", good(1)) },
		"another query":  func() reply { return s.ask(t, "POST", "/data?a=2", "body", good(1)) },
		"another body":   func() reply { return s.ask(t, "POST", "/data?a=1", "bodY", good(1)) },
		"other bytes":    func() reply { return s.ask(t, "POST", "/data?a=1", "body", header(other)) },
	} {
		got := ask()
		if got.status != 402 || got.offer == nil || got.offer.Error != "invalid_exact_evm_nonce_already_used" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if s.runs.Load() != 1 {
		t.Errorf("%d runs", s.runs.Load())
	}
}

func TestFacilitatorAnswersToVerify(t *testing.T) {
	cases := []struct {
		name   string
		answer x402.VerifyResponse
		err    error
		status int
		reason string
	}{
		{"refused", x402.VerifyResponse{InvalidReason: "invalid_exact_evm_insufficient_balance"}, nil, 402, "invalid_exact_evm_insufficient_balance"},
		{"refused without a reason", x402.VerifyResponse{}, nil, 402, "invalid_payload"},
		{"refused with a novel", x402.VerifyResponse{InvalidReason: strings.Repeat("x", 4000)}, nil, 402, strings.Repeat("x", 200)},
		{"allowance", x402.VerifyResponse{InvalidReason: "permit2_allowance_required"}, nil, 412, "permit2_allowance_required"},
		{"status 500 with a typed body", x402.VerifyResponse{}, &x402.FacilitatorError{Status: 500, Verify: &x402.VerifyResponse{InvalidReason: "r"}}, 402, "r"},
		{"status 500", x402.VerifyResponse{}, &x402.FacilitatorError{Status: 500, Body: "stack trace"}, 402, "Facilitator verify failed (500)"},
		{"not reachable", x402.VerifyResponse{}, errors.New("dial"), 502, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t, goods, nil)
			s.facilitator.verify = func() (x402.VerifyResponse, error) { return c.answer, c.err }
			got := s.ask(t, "GET", "/", "", good(1))
			if got.status != c.status || c.reason != "" && (got.offer == nil || got.offer.Error != c.reason) || strings.Contains(got.body, "dial") {
				t.Errorf("got %d %s %+v", got.status, got.body, got.offer)
			}
			s.facilitator.verify = nil
			if got := s.ask(t, "GET", "/", "", good(1)); s.runs.Load() != 1 || got.status != 200 {
				t.Errorf("a payment that was not claimed cannot be used later: %d", got.status)
			}
		})
	}
}

func TestAHandlerThatFailsIsNotPaidAndNotRunAgain(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"status 500": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Own", "1")
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "sorry")
		},
		"a panic":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too much": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 101)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, handler, func(c *x402.MerchantConfig) { c.AnswerBytesMax = 100 })
			if name == "a panic" { // the connection is cut
				request, err := http.NewRequestWithContext(t.Context(), "GET", s.server.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set(x402.HeaderSignature, good(1))
				if response, err := s.server.Client().Do(request); err == nil {
					_ = response.Body.Close()
				}
			} else {
				s.ask(t, "GET", "/", "", good(1))
			}
			got := s.ask(t, "GET", "/", "", good(1))
			if got.status != 500 || got.receipt != nil || s.facilitator.settles != 0 || s.runs.Load() != 1 {
				t.Errorf("got %d, %d settles, %d runs", got.status, s.facilitator.settles, s.runs.Load())
			}
			if name == "status 500" && (got.body != "sorry" || got.header.Get("X-Own") != "1") {
				t.Errorf("the handler's answer was not passed through: %q", got.body)
			}
		})
	}
}

func TestAStoredAnswerIsNotForSaleForEver(t *testing.T) {
	s := newShop(t, goods, nil)
	s.ask(t, "GET", "/", "", good(1))
	s.now.Add(3600)
	if got := s.ask(t, "GET", "/", "", good(1)); got.status != http.StatusGone || s.runs.Load() != 1 {
		t.Errorf("got %d", got.status)
	}
}

func TestRequestBodiesAreBoundedAndHandedToTheHandler(t *testing.T) {
	s := newShop(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
		func(c *x402.MerchantConfig) { c.RequestBodyBytesMax = 10 })
	if got := s.ask(t, "POST", "/", "0123456789", good(1)); got.status != 200 || got.body != "0123456789" {
		t.Errorf("got %d %q", got.status, got.body)
	}
	if got := s.ask(t, "POST", "/", "0123456789a", good(2)); got.status != 413 || s.runs.Load() != 1 {
		t.Errorf("got %d", got.status)
	}
}

func TestAnAdvertisedExtensionMustBeEchoedWhole(t *testing.T) {
	s := newShop(t, goods, func(c *x402.MerchantConfig) {
		c.Extensions = json.RawMessage(`{"payment-identifier":{"info":{"required":false},"schema":{}}}`)
	})
	send := func(nonce byte, extensions string) reply {
		return s.ask(t, "GET", "/", "", header(strings.Replace(paymentText(nonce, noon.Unix()+60), `"payload"`, `"extensions":`+extensions+`,"payload"`, 1)))
	}
	if got := send(1, `{"payment-identifier":{"info":{"required":true,"id":"pay_0123456789abcdef"}}}`); got.status != 402 || got.offer.Error != "extension_echo_mismatch" {
		t.Errorf("changed: got %+v", got)
	}
	for _, bad := range []string{`{"payment-identifier":{}}`, `{"payment-identifier":7}`} {
		if got := send(1, bad); got.status != 402 || got.offer.Error != "extension_echo_mismatch" {
			t.Errorf("%s: got %d", bad, got.status)
		}
	}
	if got := send(1, `{"payment-identifier":{"info":{"required":false,"id":"pay_0123456789abcdef"}}}`); got.status != 200 {
		t.Errorf("whole: got %+v", got)
	}
}

func TestMerchantsThatCannotSellAreRefused(t *testing.T) {
	valid := newShop(t, goods, nil).config
	for name, change := range map[string]func(*x402.MerchantConfig){
		"no facilitator": func(c *x402.MerchantConfig) { c.Facilitator = nil },
		"no claims":      func(c *x402.MerchantConfig) { c.Claims = nil },
		"no offers":      func(c *x402.MerchantConfig) { c.Offers = nil },
		"origin path":    func(c *x402.MerchantConfig) { c.Origin = "https://shop.example/" },
		"origin scheme":  func(c *x402.MerchantConfig) { c.Origin = "shop.example" },
		"price zero":     func(c *x402.MerchantConfig) { c.Offers[0].Price = abi.Amount{} },
		"payTo":          func(c *x402.MerchantConfig) { c.Offers[0].PayTo = "0x12" },
		"asset":          func(c *x402.MerchantConfig) { c.Offers[0].Asset = "USDC" },
		"network":        func(c *x402.MerchantConfig) { c.Offers[0].Network = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" },
		"domain name":    func(c *x402.MerchantConfig) { c.Offers[0].Name = "" },
		"time-out":       func(c *x402.MerchantConfig) { c.Offers[0].MaxTimeoutSeconds = -1 },
		"limits":         func(c *x402.MerchantConfig) { c.AnswerBytesMax = -1 },
		"extensions":     func(c *x402.MerchantConfig) { c.Extensions = json.RawMessage(`[]`) },
		"too long":       func(c *x402.MerchantConfig) { c.Description = strings.Repeat("x", 4096); c.MimeType = c.Description },
	} {
		config := valid
		config.Offers = append([]x402.Offer(nil), valid.Offers...)
		change(&config)
		if _, err := x402.NewMerchant(config); abi.CodeOf(err) != "merchant_invalid" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	valid.Offers = append([]x402.Offer(nil), valid.Offers...)
	valid.Offers[0].Network = "eip155:8453"
	merchant, err := x402.NewMerchant(valid)
	if err != nil {
		t.Fatal(err)
	}
	if err := merchant.Check(t.Context()); abi.CodeOf(err) != "merchant_unsupported" {
		t.Errorf("got %v", err)
	}
}
