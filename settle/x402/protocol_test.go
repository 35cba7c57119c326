package x402

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle"
)

const protocolOffer = `{"scheme":"exact","network":"eip155:402402","amount":"10000","asset":"0x7573646374657374000000000000000000000001",` +
	`"payTo":"0x6D65726368616E74000000000000000000000001","maxTimeoutSeconds":60,"extra":%s}`

// priced serves one 402 with the offer's extra and the extensions given.
func priced(t *testing.T, extra, extensions string) (settle.Quoted, error) {
	t.Helper()
	header, err := EncodeHeader(fmt.Appendf(nil, `{"x402Version":2,"error":"Payment required","resource":{"url":"http://a/b","description":"","mimeType":""},"accepts":[`+protocolOffer+`]%s}`, extra, extensions))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(HeaderRequired, header)
		w.WriteHeader(http.StatusPaymentRequired)
	}))
	t.Cleanup(server.Close)
	return NewProtocol(server.Client()).Quote(context.Background(), settle.Resource{Method: http.MethodGet, URL: server.URL})
}

func TestAnOfferIsEchoedWithThePaymentsIdentifier(t *testing.T) {
	quoted, err := priced(t, `{"name":"USDC","version":"2"}`, `,"extensions":{"payment-identifier":{"info":{"required":false},"schema":{}}}`)
	if err != nil || len(quoted.Offers) != 1 {
		t.Fatalf("%+v, %v", quoted, err)
	}
	offer := quoted.Offers[0]
	if offer.Quote.Payee != "0x6d65726368616e74000000000000000000000001" || offer.Quote.Amount != abi.NewAmount(10_000) {
		t.Errorf("quote %+v", offer.Quote)
	}
	header, err := NewProtocol(http.DefaultClient).Payment("pay_0123456789abcdef", offer, []byte(`{"signature":"0x00"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := DecodeHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	payment, err := ParsePaymentPayload(text)
	if err != nil || payment.Accepted.PayTo != "0x6D65726368616E74000000000000000000000001" || Identifier(payment.Extensions) != "pay_0123456789abcdef" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAnOfferThatCouldNotBeCarriedToTheEndIsRefusedAtOnce(t *testing.T) {
	many := map[string]string{}
	for i := range 40 {
		many[fmt.Sprint("k", i)] = "v"
	}
	manyKeys, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	for name, extra := range map[string]string{
		"a long extra": `{"name":"` + strings.Repeat("n", 3000) + `"}`,
		"many members": string(manyKeys),
	} {
		quoted, err := priced(t, extra, "")
		if abi.CodeOf(err) != CodeTooLarge || len(quoted.Offers) != 0 {
			t.Errorf("%s: %d offers, %v", name, len(quoted.Offers), err)
		}
	}
	quoted, err := priced(t, `{"name":"USDC","version":"2"}`, `,"extensions":{"bazaar":{"info":{"text":"`+strings.Repeat("x", 5000)+`"},"schema":{}}}`)
	if err != nil || len(quoted.Offers) != 1 || quoted.Offers[0].Extensions != nil {
		t.Errorf("large extensions: %+v, %v", quoted, err)
	}
}

func TestOnlyASuccessIsFree(t *testing.T) {
	for status, free := range map[int]bool{200: true, 204: true, 301: false, 404: false, 429: false, 500: false, 503: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		quoted, err := NewProtocol(server.Client()).Quote(t.Context(), settle.Resource{Method: http.MethodGet, URL: server.URL})
		server.Close()
		if (err == nil && quoted.Free != nil) != free {
			t.Errorf("%d: %+v, %v", status, quoted, err)
		}
	}
}
