package x402_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/x402"
)

const offerText = `{"scheme":"exact","network":"eip155:84532","amount":"10000",` +
	`"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C",` +
	`"maxTimeoutSeconds":60,"extra":{"name":"USDC","version":"2"}}`

func header(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func requiredHeader() string {
	return header(`{"x402Version":2,"error":"Payment required","resource":{"url":"u","description":"","mimeType":""},"accepts":[` + offerText + `]}`)
}

// exactText is a payment's payload that expires at the given Unix second.
func exactText(nonce byte, validBefore int64) string {
	return fmt.Sprintf(`{"signature":"0x%s","authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66",`+
		`"to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C","value":"10000","validAfter":"0","validBefore":"%d","nonce":"0x%064x"}}`,
		strings.Repeat("1b", 65), validBefore, nonce)
}

func paymentText(nonce byte, validBefore int64) string {
	return `{"x402Version":2,"payload":` + exactText(nonce, validBefore) + `,"accepted":` + offerText + `}`
}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestFetchReturnsTheOfferWithTheMerchantsBytes(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("X-Own") != "1" || len(r.Header.Values(x402.HeaderSignature)) > 0 {
			t.Errorf("request was %s %v", r.Method, r.Header)
		}
		w.Header().Set(x402.HeaderRequired, requiredHeader())
		w.WriteHeader(http.StatusPaymentRequired)
		_, _ = io.WriteString(w, "{}")
	})
	response, required, err := x402.Fetch(t.Context(), server.Client(), x402.Request{
		Method: "POST", URL: server.URL + "/a",
		Header: http.Header{"X-Own": {"1"}}, Body: []byte("b"),
	})
	if err != nil || required == nil || string(required.Accepts[0].Raw) != offerText || response.Origin != server.URL {
		t.Errorf("got %+v, %+v, %v", response, required, err)
	}
}

func TestFetch(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect to another origin") })
	cases := []struct {
		name    string
		handler http.HandlerFunc
		code    string
		status  int
	}{
		{"a free answer", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, "", 201},
		{"402 without a header", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(402) }, "offer_missing", 402},
		{"402 with two headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Payment-Required"] = []string{requiredHeader(), requiredHeader()}
			w.WriteHeader(402)
		}, x402.CodeHeader, 402},
		{"402 with nonsense", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(x402.HeaderRequired, "%%")
			w.WriteHeader(402)
		}, x402.CodeHeader, 402},
		{"a body without end", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, x402.ResourceBodyBytesMax+1))
		}, x402.CodeTooLarge, 200},
		{"a redirect at home", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		}, "", 200},
		{"a redirect elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}, "redirect_refused", 0},
		{"a redirect loop", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusFound)
		}, "redirect_refused", 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.handler)
			response, _, err := x402.Fetch(t.Context(), server.Client(), x402.Request{Method: "GET", URL: server.URL})
			if abi.CodeOf(err) != c.code || response.Status != c.status {
				t.Errorf("got status %d, %v", response.Status, err)
			}
		})
	}
	for _, r := range []x402.Request{
		{Method: "GET", URL: "file:///etc/passwd"},
		{Method: "GET", URL: "http://"},
		{Method: "G T", URL: "http://x"},
		{Method: "GET", URL: "http://user:password@x"},
	} {
		if _, _, err := x402.Fetch(t.Context(), http.DefaultClient, r); abi.CodeOf(err) != "request_invalid" {
			t.Errorf("%+v: got %v", r, err)
		}
	}
	paid := x402.Request{Method: "GET", URL: "http://127.0.0.1:1", Header: http.Header{"X-Payment": {"x"}}}
	if _, _, err := x402.Fetch(t.Context(), http.DefaultClient, paid); abi.CodeOf(err) != "payment_already_attempted" {
		t.Errorf("got %v", err)
	}
}

func TestPresentSendsTheStoredBytesAndReadsTheReceipt(t *testing.T) {
	payment := header(paymentText(1, 100))
	receipt := header(`{"success":false,"errorReason":"settlement_pending","transaction":"0x12","network":"eip155:84532"}`)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(x402.HeaderSignature) != payment {
			t.Error("other bytes arrived")
		}
		w.Header().Set(x402.HeaderResponse, receipt)
		w.WriteHeader(http.StatusPaymentRequired)
	})
	request := x402.Request{Method: "GET", URL: server.URL}
	p, err := x402.Present(t.Context(), server.Client(), request, payment)
	if err != nil || p.Status != 402 || p.Settle == nil || p.Settle.Transaction != "0x12" {
		t.Errorf("got %+v, %v", p, err)
	}
	receipt = "garbage!"
	if p, err = x402.Present(t.Context(), server.Client(), request, payment); err != nil || p.Settle != nil || p.SettleError == nil {
		t.Errorf("an unreadable receipt: %+v, %v", p, err)
	}
	if _, err := x402.Present(t.Context(), server.Client(), request, payment[:40]); err == nil {
		t.Error("half a payment was sent")
	}
}

func TestPresentKeepsTheReceiptWhenTheBodyIsLost(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(x402.HeaderResponse, header(`{"success":true,"transaction":"0x12","network":"eip155:84532"}`))
		_, _ = w.Write(make([]byte, x402.ResourceBodyBytesMax+1))
	})
	p, err := x402.Present(t.Context(), server.Client(), x402.Request{Method: "GET", URL: server.URL}, header(paymentText(1, 100)))
	if err != nil || abi.CodeOf(p.BodyError) != x402.CodeTooLarge || p.Body != nil || p.Settle == nil || !p.Settle.Success {
		t.Errorf("got %v, %+v, %v", p.BodyError, p.Settle, err)
	}
}

func TestTransportPaysOnceAndReplaysTheBody(t *testing.T) {
	var calls atomic.Int32
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "question" {
			t.Errorf("body %q, %v", body, err)
		}
		w.Header().Set(x402.HeaderRequired, requiredHeader())
		if r.Header.Get(x402.HeaderSignature) == "" || r.URL.Path == "/never" {
			w.WriteHeader(http.StatusPaymentRequired)
		}
	})
	signed := 0
	transport := &x402.Transport{Base: server.Client().Transport, Pay: func(_ context.Context, p x402.PaymentRequired, r *http.Request) (string, error) {
		signed++
		return header(paymentText(byte(signed), 100)), nil
	}}
	client := &http.Client{Transport: transport}
	for path, status := range map[string]int{"/good": 200, "/never": 402} {
		calls.Store(0)
		signed = 0
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("question"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if response.StatusCode != status || calls.Load() != 2 || signed != 1 {
			t.Errorf("%s: status %d after %d calls and %d signatures", path, response.StatusCode, calls.Load(), signed)
		}
		if len(request.Header.Values(x402.HeaderSignature)) != 0 {
			t.Error("the caller's request was changed")
		}
	}
}

func TestTransportRefuses(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/plain" {
			w.WriteHeader(http.StatusPaymentRequired)
			return
		}
		w.Header().Set(x402.HeaderRequired, requiredHeader())
		w.WriteHeader(http.StatusPaymentRequired)
	})
	tooExpensive := errors.New("too expensive")
	signed := false
	pay := func(context.Context, x402.PaymentRequired, *http.Request) (string, error) {
		signed = true
		return "", tooExpensive
	}
	do := func(transport *x402.Transport, path string, change func(*http.Request)) (int, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		change(request)
		response, err := transport.RoundTrip(request)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	keep := func(*http.Request) {}
	good := &x402.Transport{Base: server.Client().Transport, Pay: pay}
	if _, err := do(good, "/", keep); !errors.Is(err, tooExpensive) {
		t.Errorf("a refusal to pay: %v", err)
	}
	signed = false
	if _, err := do(good, "/", func(r *http.Request) { r.GetBody = nil }); abi.CodeOf(err) != "body_not_replayable" || signed {
		t.Errorf("a body that cannot be sent again: %v, signed %v", err, signed)
	}
	for _, name := range []string{x402.HeaderSignature, "X-PAYMENT"} {
		_, err := do(good, "/", func(r *http.Request) { r.Header.Set(name, "x") })
		if abi.CodeOf(err) != "payment_already_attempted" || signed {
			t.Errorf("%s: %v, signed %v", name, err, signed)
		}
	}
	if status, err := do(good, "/plain", keep); status != 402 || err != nil || signed {
		t.Errorf("a 402 of another protocol: %d, %v", status, err)
	}
	if _, err := do(&x402.Transport{}, "/", keep); abi.CodeOf(err) != "x402_transport_invalid" {
		t.Errorf("without Pay: %v", err)
	}
	bad := &x402.Transport{Base: server.Client().Transport, Pay: func(context.Context, x402.PaymentRequired, *http.Request) (string, error) { return "bm8=", nil }}
	if _, err := do(bad, "/", keep); abi.CodeOf(err) != x402.CodeJSON {
		t.Errorf("a payment that is none: %v", err)
	}
}
