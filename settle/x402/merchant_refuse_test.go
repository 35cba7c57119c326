package x402_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/purserhq/purser/settle/x402"
)

func TestMalformedPaymentsGetTheOfficialAnswersAndNever500(t *testing.T) {
	s := newShop(t, goods, nil)
	p := paymentText(1, noon.Unix()+60)
	change := func(old, new string) []string {
		changed := strings.Replace(p, old, new, 1)
		if changed == p {
			t.Fatalf("%s changes nothing", old)
		}
		return []string{header(changed)}
	}
	url := base64.URLEncoding.EncodeToString([]byte(strings.Replace(p, `"payload"`, `"z":"??>>~~>>","payload"`, 1)))
	cases := []struct {
		name   string
		lines  []string
		reason string
	}{
		{"none", nil, "Payment required"},
		{"empty", []string{""}, "Payment required"},
		{"base64 cut in half", []string{good(1)[:len(good(1))/2]}, "Payment required"},
		{"base64url alphabet", []string{url}, "Payment required"},
		{"illegal characters", []string{"!" + good(1)}, "Payment required"},
		{"non-JSON", []string{header("hello")}, "Payment required"},
		{"JSON null", []string{header("null")}, "Payment required"},
		{"JSON array", []string{header("[]")}, "Unsupported x402 version: undefined"},
		{"JSON number", []string{header("7")}, "Unsupported x402 version: undefined"},
		{"plain JSON", []string{p}, "Payment required"},
		{"duplicate with comma", []string{good(1) + ", " + good(1)}, "Payment required"},
		{"two header lines", []string{good(1), good(1)}, "Payment required"},
		{"above 16 KiB", []string{header(p + strings.Repeat(" ", 13<<10))}, "Payment required"},
		{"duplicate keys", change(`"value":"10000"`, `"value":"10000","value":"1"`), "Payment required"},
		{"version 3", change(`"x402Version":2`, `"x402Version":3`), "Unsupported x402 version: 3"},
		{"version as a string", change(`"x402Version":2`, `"x402Version":"2"`), "Unsupported x402 version: 2"},
		{"version missing", change(`"x402Version":2,`, ``), "Unsupported x402 version: undefined"},
		{"version 1", change(`"x402Version":2`, `"x402Version":1`), "No matching payment requirements"},
		{"accepted missing", change(`"accepted"`, `"accepting"`), "No matching payment requirements"},
		{"accepted amount lowered", change(`"amount":"10000"`, `"amount":"9999"`), "No matching payment requirements"},
		{"accepted names another chain", change(`"eip155:84532"`, `"eip155:1"`), "No matching payment requirements"},
		{"accepted names a version 1 network", change(`"eip155:84532"`, `"base-sepolia"`), "No matching payment requirements"},
		{"accepted names another token", change(`0x036CbD`, `0x036CbE`), "No matching payment requirements"},
		{"scheme unknown", change(`"exact"`, `"exacter"`), "No matching payment requirements"},
		{"accepted has an unknown member", change(`{"scheme"`, `{"x":1,"scheme"`), "No matching payment requirements"},
		{"accepted extra lost a key", change(`,"version":"2"`, ``), "No matching payment requirements"},
		{"accepted maxTimeoutSeconds changed", change(`:60,"extra"`, `:600,"extra"`), "No matching payment requirements"},
		{"value as a number", change(`"value":"10000"`, `"value":10000`), "invalid_payload"},
		{"value with a point", change(`"value":"10000"`, `"value":"10000.0"`), "invalid_payload"},
		{"value above uint256", change(`"value":"10000"`, `"value":"1`+strings.Repeat("0", 78)+`"`), "invalid_payload"},
		{"signature missing", change(`"signature"`, `"sign"`), "invalid_payload"},
		{"signature without 0x", change(`"0x1b`, `"1b`), "invalid_exact_evm_signature"},
		{"nonce of 31 bytes", change(`"nonce":"0x00`, `"nonce":"0x`), "invalid_payload"},
		{"validBefore ten years ahead", []string{header(paymentText(1, noon.Unix()+315_360_000))}, "invalid_exact_evm_payload_authorization_valid_before"},
		{"validBefore one second beyond the skew", []string{header(paymentText(1, noon.Unix()+91))}, "invalid_exact_evm_payload_authorization_valid_before"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := s.ask(t, "GET", "/data", "", c.lines...)
			if got.status != 402 || got.offer == nil || got.offer.Error != c.reason {
				t.Errorf("got %d %s", got.status, unheader(t, got.header.Get(x402.HeaderRequired)))
			}
		})
	}
	if s.facilitator.verifies != 0 || s.runs.Load() != 0 {
		t.Errorf("%d verifies, %d runs for malformed payments", s.facilitator.verifies, s.runs.Load())
	}
	for name, line := range map[string]string{
		"base64 minus padding":     strings.TrimRight(good(2), "="),
		"accepted extra has more":  header(strings.Replace(paymentText(3, noon.Unix()+60), `"version":"2"`, `"version":"2","more":1`, 1)),
		"echo of what nobody sent": header(strings.Replace(paymentText(4, noon.Unix()+60), `"payload"`, `"extensions":{"x":{"info":{}}},"payload"`, 1)),
		"12 kB of padding inside":  header(strings.Replace(paymentText(5, noon.Unix()+60), `"payload"`, strings.Repeat(" ", 9_000)+`"payload"`, 1)),
	} {
		if got := s.ask(t, "GET", "/data", "", line); got.status != 200 {
			t.Errorf("%s: got %d %+v", name, got.status, got.offer)
		}
	}
}
