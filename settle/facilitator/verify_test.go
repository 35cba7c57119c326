//go:build !nodevchain

package facilitator_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/devchain/devchaintest"
	"github.com/purserhq/purser/settle/facilitator"
)

// The cases are those measured against the official packages; "" means valid. Where
// the expectation differs from them, the comment says why.
func TestEveryBadPaymentIsRefusedWithTheOfficialReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	now := uint64(time.Now().Unix())
	stranger, poor := devchaintest.NewPayer(t), devchaintest.NewPayer(t)
	domain := devchaintest.TokenDomain(w.chain)

	signed := func(change func(*devchaintest.Authorization)) object {
		a := w.order(t)
		change(&a)
		return w.request(a, w.signed(t, a))
	}
	inDomain := func(change func(*devchaintest.Domain)) object {
		a, d := w.order(t), domain
		change(&d)
		return w.request(a, w.payer.SignTransfer(t, d, a))
	}
	mangled := func(change func([]byte) []byte) object {
		a := w.order(t)
		return w.request(a, change(w.signed(t, a)))
	}
	edited := func(change func(object)) object {
		r := w.fresh(t)
		change(r)
		return r
	}
	authorization := func(key string, value any) object {
		return edited(func(r object) { at(r, "paymentPayload", "payload", "authorization")[key] = value })
	}
	payload := func(key string, value any) object {
		return edited(func(r object) { at(r, "paymentPayload", "payload")[key] = value })
	}
	both := func(key string, value any) object {
		return edited(func(r object) {
			at(r, "paymentRequirements")[key] = value
			at(r, "paymentPayload", "accepted")[key] = value
		})
	}
	none := func(*devchaintest.Authorization) {}
	foreign := w.order(t)
	broke := w.order(t)
	broke.From = poor.Address

	cases := []struct {
		name string
		body object
		want string
	}{
		{"control: valid payment", signed(none), ""},
		{"control: upper-case addresses", edited(func(r object) {
			at(r, "paymentRequirements")["payTo"] = "0x" + strings.ToUpper(w.payee.Address[2:])
		}), ""},
		{"amount: one unit short", signed(func(a *devchaintest.Authorization) { a.Value = abi.NewAmount(price - 1) }), "invalid_exact_evm_payload_authorization_value_mismatch"},
		{"amount: one unit over", signed(func(a *devchaintest.Authorization) { a.Value = abi.NewAmount(price + 1) }), "invalid_exact_evm_payload_authorization_value_mismatch"},
		{"amount: zero", signed(func(a *devchaintest.Authorization) { a.Value = abi.Amount{} }), "invalid_exact_evm_payload_authorization_value_mismatch"},
		{"amount: accepted.amount lowered to match", edited(func(r object) { at(r, "paymentPayload", "accepted")["amount"] = "1" }), ""}, // the merchant's to notice
		{"amount: JSON number", authorization("value", price), "invalid_payload"},                                                        // officially valid; numbers do not survive JSON libraries
		{"amount: hex string", authorization("value", "0x2710"), "invalid_payload"},
		{"amount: leading zero", authorization("value", "010000"), "invalid_payload"},
		{"amount: decimal point", authorization("value", "10000.0"), "invalid_payload"}, // officially a 500
		{"amount: negative", authorization("value", "-1"), "invalid_payload"},
		{"amount: above uint256", authorization("value", "1"+strings.Repeat("0", 78)), "invalid_payload"},
		{"time: validBefore in the past", signed(func(a *devchaintest.Authorization) { a.ValidBefore = now - 10 }), "invalid_exact_evm_payload_authorization_valid_before"},
		{"time: validBefore 3 s ahead", signed(func(a *devchaintest.Authorization) { a.ValidBefore = now + 3 }), "invalid_exact_evm_payload_authorization_valid_before"},
		{"time: validAfter in the future", signed(func(a *devchaintest.Authorization) { a.ValidAfter = now + 60 }), "invalid_exact_evm_payload_authorization_valid_after"},
		{"time: validBefore far beyond maxTimeoutSeconds", signed(func(a *devchaintest.Authorization) { a.ValidBefore = now + 315_360_000 }), ""}, // the merchant's to refuse
		{"time: validBefore at the end of time", signed(func(a *devchaintest.Authorization) { a.ValidBefore = 1<<64 - 1 }), "invalid_exact_evm_payload_authorization_valid_before"},
		{"payTo: signed to somebody else", signed(func(a *devchaintest.Authorization) { a.To = stranger.Address }), "invalid_exact_evm_recipient_mismatch"},
		{"domain: wrong name", inDomain(func(d *devchaintest.Domain) { d.Name = "USD Coin" }), "invalid_exact_evm_signature"},
		{"domain: wrong version", inDomain(func(d *devchaintest.Domain) { d.Version = "1" }), "invalid_exact_evm_signature"},
		{"domain: wrong chain id", inDomain(func(d *devchaintest.Domain) { d.ChainID = 8453 }), "invalid_exact_evm_signature"},
		{"domain: wrong contract", inDomain(func(d *devchaintest.Domain) { d.Contract = stranger.Address }), "invalid_exact_evm_signature"},
		{"signature: by another key", w.request(foreign, stranger.SignTransfer(t, domain, foreign)), "invalid_exact_evm_signature"},
		{"signature: high-s twin", mangled(devchaintest.HighS), "invalid_exact_evm_signature"},                           // officially found by simulation only
		{"signature: v as 0/1", mangled(func(s []byte) []byte { s[64] -= 27; return s }), "invalid_exact_evm_signature"}, // officially found by simulation only
		{"signature: 64-byte compact", mangled(func(s []byte) []byte { return s[:64] }), "invalid_exact_evm_signature"},
		{"signature: one byte too many", mangled(func(s []byte) []byte { return append(s, 0) }), "invalid_exact_evm_signature"},
		{"signature: no 0x prefix", payload("signature", strings.Repeat("ab", 65)), "invalid_exact_evm_signature"},
		{"signature: all zero", mangled(func([]byte) []byte { return make([]byte, 65) }), "invalid_exact_evm_signature"},
		{"signature: missing", edited(func(r object) { delete(at(r, "paymentPayload", "payload"), "signature") }), "invalid_payload"}, // officially a 500
		{"signature: unknown ERC-6492 factory", mangled(func(s []byte) []byte { return append(s, []byte(strings.Repeat("\x64\x92", 16))...) }), "eip6492_factory_not_allowed"},
		{"payer: no tokens", w.request(broke, poor.SignTransfer(t, domain, broke)), "invalid_exact_evm_insufficient_balance"},
		{"nonce: 31 bytes", authorization("nonce", "0x"+strings.Repeat("ab", 31)), "invalid_payload"},
		{"network: accepted names another chain", edited(func(r object) { at(r, "paymentPayload", "accepted")["network"] = "eip155:8453" }), "invalid_exact_evm_network_mismatch"},
		{"network: facilitator does not support it", both("network", "eip155:1"), "invalid_network"}, // officially a 500
		{"network: v1 name in a v2 payload", edited(func(r object) { at(r, "paymentPayload", "accepted")["network"] = "base" }), "invalid_exact_evm_network_mismatch"},
		{"asset: address without code", both("asset", stranger.Address), "asset_not_deployed_contract"},
		{"asset: a contract that is not settled here", both("asset", devchain.GasPriceOracleAddress), "invalid_payment_requirements"},
		{"scheme: unknown", both("scheme", "upto"), "invalid_exact_evm_scheme"},
		{"requirements: extra.name missing", edited(func(r object) { delete(at(r, "paymentRequirements", "extra"), "name") }), "invalid_exact_evm_missing_eip712_domain"},
		{"requirements: extra missing", edited(func(r object) { delete(at(r, "paymentRequirements"), "extra") }), "invalid_exact_evm_missing_eip712_domain"},
		{"requirements: permit2", edited(func(r object) { at(r, "paymentRequirements", "extra")["assetTransferMethod"] = "permit2" }), "unsupported_payload_type"},
		{"requirements: extra.name differs from token", func() object {
			r := inDomain(func(d *devchaintest.Domain) { d.Name = "USD Coin" })
			at(r, "paymentRequirements", "extra")["name"] = "USD Coin"
			return r
		}(), "invalid_exact_evm_token_name_mismatch"},
		{"requirements: extra.version differs from token", func() object {
			r := inDomain(func(d *devchaintest.Domain) { d.Version = "1" })
			at(r, "paymentRequirements", "extra")["version"] = "1"
			return r
		}(), "invalid_exact_evm_token_version_mismatch"},
		{"requirements: amount malformed", edited(func(r object) { at(r, "paymentRequirements")["amount"] = "1e4" }), "invalid_payment_requirements"},
		{"accepted: missing", edited(func(r object) { delete(at(r, "paymentPayload"), "accepted") }), "invalid_payload"}, // officially a 500
		{"body: empty payload object", edited(func(r object) { at(r, "paymentPayload")["payload"] = object{} }), "invalid_payload"},
		{"version: 3", edited(func(r object) { r["x402Version"], at(r, "paymentPayload")["x402Version"] = 3, 3 }), "invalid_x402_version"},
		{"version: 1", edited(func(r object) { r["x402Version"], at(r, "paymentPayload")["x402Version"] = 1, 1 }), "invalid_x402_version"},
		{"version: string", edited(func(r object) { at(r, "paymentPayload")["x402Version"] = "2" }), "invalid_x402_version"},
	}
	for _, tc := range cases {
		got := d.send(t, "/verify", tc.body)
		if got.status != http.StatusOK || got.Invalid != tc.want || got.IsValid != (tc.want == "") {
			t.Errorf("verify, %s: %+v, want %q", tc.name, got, tc.want)
		}
		if tc.want == "" {
			continue
		}
		settled := d.send(t, "/settle", tc.body)
		if settled.status != http.StatusOK || settled.Success || settled.Reason != tc.want || settled.Transaction != "" {
			t.Errorf("settle, %s: %+v, want %q", tc.name, settled, tc.want)
		}
	}
	w.wantBalance(t, w.payee.Address, 0)
	w.wantBalance(t, w.payer.Address, endowment)
}

func TestWhatIsNoFacilitatorRequestIsA400WithoutInternals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	for _, body := range []string{
		"", "{", "null", "[]", "7", `"x"`, "{}", `{"x402Version":2}`, `{"paymentPayload":{},"paymentRequirements":null}`,
		`{"x402Version":2,"x402Version":2}`, strings.Repeat("[", 10_000),
	} {
		for _, path := range []string{"/verify", "/settle"} {
			if a := d.send(t, path, body); a.status != http.StatusBadRequest || a.Error == "" {
				t.Errorf("%s %.40q: %+v, want 400 with an error", path, body, a)
			}
		}
	}
	if a := d.send(t, "/settle", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a megabyte: %+v, want 413", a)
	}
	if a, err := get(t, d.url+"/settle"); err != nil || a != http.StatusMethodNotAllowed {
		t.Errorf("GET /settle: %d %v", a, err)
	}
}

func TestTokenStateStopsAPaymentWithItsReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	body := w.fresh(t)
	must(w.chain.SetPaused(t.Context(), true))
	if a := d.send(t, "/verify", body); a.Invalid != "invalid_exact_evm_transaction_simulation_failed" {
		t.Errorf("paused: %+v", a)
	}
	must(w.chain.SetPaused(t.Context(), false))
	must(w.chain.SetBlacklisted(t.Context(), w.payer.Address, true))
	if a := d.send(t, "/verify", body); a.Invalid != "invalid_exact_evm_transaction_simulation_failed" {
		t.Errorf("blacklisted: %+v", a)
	}
	must(w.chain.SetBlacklisted(t.Context(), w.payer.Address, false))
	if a := d.send(t, "/verify", body); !a.IsValid {
		t.Errorf("neither: %+v", a)
	}
	a := w.order(t)
	cancelled := w.request(a, w.signed(t, a))
	if v := d.send(t, "/verify", cancelled); !v.IsValid {
		t.Errorf("before it is cancelled: %+v", v)
	}
	receipt := devchaintest.Send(t, w.chain, w.chain.Faucet(), devchain.TokenAddress,
		devchaintest.CancelData(a.From, a.Nonce, w.payer.SignCancel(t, devchaintest.TokenDomain(w.chain), a.Nonce)))
	if receipt.Status != 1 {
		t.Fatal("cancel reverted")
	}
	if s := d.send(t, "/settle", cancelled); s.Reason != "invalid_exact_evm_nonce_already_used" {
		t.Errorf("cancelled between verify and settle: %+v", s)
	}
}

func TestSupportedAndHealthSayWhoAndWhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, devchain.Config{})
	d := w.open(t, nil)
	for path, want := range map[string]string{
		"/supported": fmt.Sprintf(`{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:402402"}],"extensions":[],"signers":{"eip155:*":[%q]}}`, d.f.Relayer()),
		"/healthz":   fmt.Sprintf(`{"status":"ok","network":"eip155:402402","relayer":%q,"inFlight":0}`, d.f.Relayer()),
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(text) != want || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s, %v\nwant %s", path, text, err, want)
		}
	}
}

func TestTheRelayerKeyNeverPrints(t *testing.T) {
	t.Parallel()
	const secret = "4646464646464646464646464646464646464646464646464646464646464646"
	key, err := facilitator.ParseKey("0x" + secret + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v", key, struct{ K facilitator.Key }{key}), key.LogValue().String()} {
		if strings.Contains(text, secret) || !strings.Contains(text, "[redacted]") {
			t.Errorf("a key printed as %s", text)
		}
	}
	if _, err := facilitator.ParseKey("0x" + secret[:62] + "zz"); abi.CodeOf(err) != "key_invalid" || strings.Contains(err.Error(), secret[:10]) {
		t.Errorf("a bad key: %v", err)
	}
}

func get(t *testing.T, url string) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
