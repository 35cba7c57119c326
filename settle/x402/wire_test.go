package x402

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/purserhq/purser/abi"
)

// The texts below are typed from the specification (version 2, EVM examples), in
// the member order of the official packages 2.27.0.
const (
	goldenOffer = `{"scheme":"exact","network":"eip155:84532","amount":"10000",` +
		`"asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","payTo":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C",` +
		`"maxTimeoutSeconds":60,"extra":{"name":"USDC","version":"2"}}`
	goldenRequired = `{"x402Version":2,"error":"Payment required","resource":{"url":"https://api.example.com/premium-data?q=1",` +
		`"description":"Access to premium <market> data","mimeType":"application/json"},"accepts":[` + goldenOffer + `]}`
	goldenExact = `{"signature":"0x2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c",` +
		`"authorization":{"from":"0x857b06519E91e3A54538791bDbb0E22373e36b66","to":"0x209693Bc6afc0C5328bA36FaF03C514EF312287C",` +
		`"value":"10000","validAfter":"0","validBefore":"1740672154","nonce":"0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"}}`
	goldenPayment = `{"x402Version":2,"payload":` + goldenExact + `,"resource":{"url":"https://api.example.com/premium-data?q=1"},"accepted":` + goldenOffer + `}`
	goldenSettle  = `{"success":true,"payer":"0x857b06519E91e3A54538791bDbb0E22373e36b66",` +
		`"transaction":"0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef","network":"eip155:84532"}`
	goldenFailed = `{"success":false,"errorReason":"settlement_pending","transaction":"0x12","network":"eip155:84532"}`
	goldenVerify = `{"isValid":false,"invalidReason":"invalid_exact_evm_signature","payer":"0x857b06519E91e3A54538791bDbb0E22373e36b66"}`
	goldenKinds  = `{"kinds":[{"x402Version":2,"scheme":"exact","network":"eip155:84532"},` +
		`{"x402Version":1,"scheme":"exact","network":"base-sepolia","extra":{"a":1}}],"extensions":["bazaar"],"signers":{"eip155:*":["0x1234"]}}`
)

func offerFixture(t testing.TB) Requirements {
	t.Helper()
	r, err := ParseRequirements([]byte(goldenOffer))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestValuesBuiltInCodeEncodeAsTheOfficialPackagesWrite(t *testing.T) {
	offer := offerFixture(t)
	offer.Raw = nil
	var exact ExactEVMPayload
	exact.Signature = decoded(t, "2d6a7588d6acca505cbf0d9a4a227e0c52c6c34008c8e8986a1283259764173608a2ce6496642e377d6da8dbbf5836e9bd15092f9ecab05ded3d6293af148b571c")
	exact.Authorization = Authorization{
		From: "0x857b06519E91e3A54538791bDbb0E22373e36b66", To: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
		Value: abi.NewAmount(10000), ValidBefore: 1740672154,
	}
	copy(exact.Authorization.Nonce[:], decoded(t, "f3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480"))
	payer, network := exact.Authorization.From, abi.Network("eip155:84532")
	cases := []struct {
		name string
		want string
		text func() ([]byte, error)
	}{
		{"requirements", goldenOffer, func() ([]byte, error) { return EncodeRequirements(offer) }},
		{"payment required", goldenRequired, func() ([]byte, error) {
			return EncodePaymentRequired(PaymentRequired{
				X402Version: 2, Error: "Payment required", Accepts: []Requirements{offer},
				Resource: Resource{"https://api.example.com/premium-data?q=1", "Access to premium <market> data", "application/json"},
			})
		}},
		{"exact payload", goldenExact, func() ([]byte, error) { return EncodeExactEVM(exact) }},
		{"payment", goldenPayment, func() ([]byte, error) {
			return EncodePaymentPayload(PaymentPayload{
				X402Version: 2, Payload: json.RawMessage(goldenExact), Accepted: offer,
				Resource: json.RawMessage(`{"url":"https://api.example.com/premium-data?q=1"}`),
			})
		}},
		{"settled", goldenSettle, func() ([]byte, error) {
			return EncodeSettleResponse(SettleResponse{
				Success: true, Payer: payer, Network: network,
				Transaction: "0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdef",
			})
		}},
		{"pending", goldenFailed, func() ([]byte, error) {
			return EncodeSettleResponse(SettleResponse{ErrorReason: "settlement_pending", Transaction: "0x12", Network: network})
		}},
		{"verify", goldenVerify, func() ([]byte, error) {
			return EncodeVerifyResponse(VerifyResponse{InvalidReason: "invalid_exact_evm_signature", Payer: payer})
		}},
		{"supported", goldenKinds, func() ([]byte, error) {
			return EncodeSupportedResponse(SupportedResponse{
				Extensions: []string{"bazaar"}, Signers: map[string][]string{"eip155:*": {"0x1234"}},
				Kinds: []Kind{{2, "exact", network, nil}, {1, "exact", "base-sepolia", json.RawMessage(`{"a":1}`)}},
			})
		}},
		{"empty supported", `{"kinds":[],"extensions":[],"signers":{}}`, func() ([]byte, error) { return EncodeSupportedResponse(SupportedResponse{}) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.text()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decoded(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnEchoKeepsMembersNobodyHereKnows(t *testing.T) {
	odd := `{"payTo" : "0x209693Bc6afc0C5328bA36FaF03C514EF312287C","scheme":"exact","future":[1,{"x":null}],"network":"eip155:84532",` +
		`"amount":"10000","asset":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","maxTimeoutSeconds":60}`
	required, err := ParsePaymentRequired([]byte(`{"x402Version":2,"resource":{"url":"u"},"accepts":[` + odd + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := EncodePaymentPayload(PaymentPayload{X402Version: 2, Payload: json.RawMessage(goldenExact), Accepted: required.Accepts[0]})
	if err != nil {
		t.Fatal(err)
	}
	payment, err := ParsePaymentPayload(text)
	if err != nil {
		t.Fatal(err)
	}
	if !Matches(required.Accepts[0], payment.Accepted) || !strings.Contains(string(text), `"future":[1,{"x":null}]`) {
		t.Errorf("the echo lost something: %s", text)
	}
}

func TestAChangedMemberBesideItsOldRawIsRefused(t *testing.T) {
	offer := offerFixture(t)
	offer.Amount = abi.NewAmount(1)
	if _, err := EncodeRequirements(offer); abi.CodeOf(err) != CodeStaleRaw {
		t.Errorf("got %v", err)
	}
	if Matches(offerFixture(t), offer) {
		t.Error("a value that contradicts its own bytes matched")
	}
}

func TestMatching(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(goldenOffer, old, new, 1) }
	cases := []struct {
		name string
		echo string
		want bool
	}{
		{"the same text", goldenOffer, true},
		{"another key order and white space", `{ "extra": {"version":"2", "name":"USDC"}, ` + strings.Replace(goldenOffer[1:], `,"extra":{"name":"USDC","version":"2"}`, "", 1), true},
		{"more keys in extra", replace(`"version":"2"`, `"version":"2","assetTransferMethod":"eip3009"`), true},
		{"the same letters escaped", replace("exact", `\u0065xact`), true},
		{"a key of extra lost", replace(`,"version":"2"`, ""), false},
		{"no extra", replace(`,"extra":{"name":"USDC","version":"2"}`, ""), false},
		{"extra null", replace(`{"name":"USDC","version":"2"}`, "null"), false},
		{"a value of extra changed", replace(`"version":"2"`, `"version":"1"`), false},
		{"a number for a string in extra", replace(`"version":"2"`, `"version":2`), false},
		{"an unknown top-level member", replace(`{"scheme"`, `{"x":1,"scheme"`), false},
		{"amount lowered", replace("10000", "9999"), false},
		{"time-out changed", replace(":60", ":61"), false},
		{"another network", replace("84532", "8453"), false},
		{"an address in other letters", replace("0x036CbD", "0x036cbd"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			echo, err := ParseRequirements([]byte(c.echo))
			if err != nil {
				t.Fatal(err)
			}
			if got := Matches(offerFixture(t), echo); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNumbersAreEqualByValueWithoutRounding(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{"60", "60.0", true},
		{"60", "6e1", true},
		{"0", "-0", true},
		{"1.50", "1.5", true},
		{"-5", "5", false},
		{"9007199254740993", "9007199254740992", false},
		{"1", "10", false},
		{"1e400", "1e401", false},
		{"1e99999999999999999999", "1e99999999999999999999", true},
		{`60`, `"60"`, false},
		{"1", "true", false},
		{"[1,2]", "[2,1]", false},
		{"[]", "{}", false},
		{"null", "0", false},
	}
	for _, c := range cases {
		if got := equalJSON([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%s = %s: got %v", c.a, c.b, got)
		}
	}
}

func TestMalformedOffersAreRefusedWithTheirPlace(t *testing.T) {
	cases := []struct{ name, old, new, code, where string }{
		{"amount as a number", `"10000"`, `10000`, CodeRequirements, "accepts[0].amount"},
		{"amount in hex", `"10000"`, `"0x2710"`, CodeRequirements, "accepts[0].amount"},
		{"amount with a leading zero", `"10000"`, `"010000"`, CodeRequirements, "accepts[0].amount"},
		{"amount negative", `"10000"`, `"-1"`, CodeRequirements, "accepts[0].amount"},
		{"amount with a point", `"10000"`, `"10000.0"`, CodeRequirements, "accepts[0].amount"},
		{"amount above 2^256", `"10000"`, `"1` + strings.Repeat("0", 78) + `"`, CodeRequirements, "accepts[0].amount"},
		{"amount empty", `"10000"`, `""`, CodeRequirements, "accepts[0].amount"},
		{"amount missing", `"amount":"10000",`, ``, CodeRequirements, "accepts[0].amount"},
		{"amount under another case", `"amount"`, `"Amount"`, CodeRequirements, "accepts[0].amount"},
		{"amount twice", `"amount":"10000"`, `"amount":"10000","amount":"1"`, CodeJSON, ""},
		{"amount twice, once escaped", `"amount":"10000"`, `"amount":"10000","\u0061mount":"1"`, CodeJSON, ""},
		{"time-out as a string", `:60`, `:"60"`, CodeRequirements, "accepts[0].maxTimeoutSeconds"},
		{"time-out zero", `:60`, `:0`, CodeRequirements, "accepts[0].maxTimeoutSeconds"},
		{"time-out with exponent", `:60`, `:6e1`, CodeRequirements, "accepts[0].maxTimeoutSeconds"},
		{"network of version 1", `"eip155:84532"`, `"base-sepolia"`, CodeRequirements, "accepts[0].network"},
		{"payTo empty", `"0x209693Bc6afc0C5328bA36FaF03C514EF312287C"`, `""`, CodeRequirements, "accepts[0].payTo"},
		{"extra an array", `{"name":"USDC","version":"2"}`, `[]`, CodeRequirements, "accepts[0].extra"},
		{"no offers", `[` + goldenOffer + `]`, `[]`, CodeRequirements, "accepts"},
		{"too many offers", `[` + goldenOffer + `]`, `[` + strings.Repeat(`1,`, 32) + `1]`, CodeRequirements, "accepts"},
		{"version 1", `"x402Version":2`, `"x402Version":1`, CodeVersion, "x402Version"},
		{"version as a string", `"x402Version":2`, `"x402Version":"2"`, CodeVersion, "x402Version"},
		{"no resource", `"resource"`, `"source"`, CodeRequirements, "resource"},
		{"a lone surrogate", `<market>`, `\ud800`, CodeJSON, ""},
		{"not UTF-8", `<market>`, "\xff", CodeJSON, ""},
		{"nested too deeply", `<market> data"`, `","z":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), CodeJSON, ""},
		{"something behind it", `"x402Version":2`, `"x402Version":2}{`, CodeJSON, ""},
		{"too long", `<market>`, strings.Repeat("x", documentBytesMax), CodeTooLarge, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goldenRequired, c.old, c.new, 1)
			if text == goldenRequired {
				t.Fatal("the case changes nothing")
			}
			_, err := ParsePaymentRequired([]byte(text))
			var refused *abi.Error
			if !errors.As(err, &refused) || refused.Code != c.code || refused.Where != c.where {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnUnreadableOfferDoesNotHideTheOthers(t *testing.T) {
	cloudflare := `{"scheme":"exact","network":"cloudflare:402","amount":"1","asset":"USD","payTo":"merchant","maxTimeoutSeconds":60}`
	required, err := ParsePaymentRequired([]byte(strings.Replace(goldenRequired, `"accepts":[`, `"accepts":[`+cloudflare+`,`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if len(required.Accepts) != 1 || len(required.Skipped) != 1 || !strings.Contains(required.Skipped[0].Error(), "accepts[0].network") {
		t.Errorf("accepts %d, skipped %v", len(required.Accepts), required.Skipped)
	}
}

func TestMalformedPaymentsAreRefused(t *testing.T) {
	signature := goldenExact[strings.Index(goldenExact, `"0x2d`):strings.Index(goldenExact, `,"auth`)]
	cases := []struct{ name, old, new, code string }{
		{"value as a number", `"value":"10000"`, `"value":10000`, CodePayload},
		{"value in hex", `"value":"10000"`, `"value":"0x2710"`, CodePayload},
		{"value with a leading zero", `"value":"10000"`, `"value":"010000"`, CodePayload},
		{"value with a point", `"value":"10000"`, `"value":"10000.0"`, CodePayload},
		{"value negative", `"value":"10000"`, `"value":"-10000"`, CodePayload},
		{"validBefore as a number", `"1740672154"`, `1740672154`, CodePayload},
		{"validBefore above 2^64", `"1740672154"`, `"18446744073709551616"`, CodePayload},
		{"nonce of 31 bytes", `13480"`, `134"`, CodePayload},
		{"nonce of 33 bytes", `13480"`, `1348000"`, CodePayload},
		{"nonce not hex", `13480"`, `1348g"`, CodePayload},
		{"from too short", `6b66"`, `6b"`, CodePayload},
		{"from missing", `"from"`, `"form"`, CodePayload},
		{"authorization missing", `"authorization"`, `"authorisation"`, CodePayload},
		{"signature missing", `"signature"`, `"sign"`, CodePayload},
		{"signature a number", signature, `7`, CodePayload},
		{"signature without 0x", `"0x2d`, `"2d`, CodeSignature},
		{"signature of an odd length", `"0x2d`, `"0xd`, CodeSignature},
		{"signature empty", signature, `"0x"`, CodeSignature},
		{"signature not hex", `"0x2d`, `"0x2g`, CodeSignature},
		{"value twice", `"value":"10000"`, `"value":"10000","value":"1"`, CodeJSON},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goldenExact, c.old, c.new, 1)
			if text == goldenExact {
				t.Fatal("the case changes nothing")
			}
			if _, err := ParseExactEVM([]byte(text)); abi.CodeOf(err) != c.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFacilitatorRequests(t *testing.T) {
	good := `{"x402Version":2,"paymentPayload":` + goldenPayment + `,"paymentRequirements":` + goldenOffer + `}`
	request, err := ParseFacilitatorRequest([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	text, err := EncodeFacilitatorRequest(request)
	if err != nil || string(text) != good {
		t.Errorf("round trip: %v\n%s", err, text)
	}
	for _, c := range []struct{ name, text, code string }{
		{"no payload", `{"x402Version":2,"paymentRequirements":` + goldenOffer + `}`, CodeIncomplete},
		{"null requirements", `{"x402Version":2,"paymentPayload":` + goldenPayment + `,"paymentRequirements":null}`, CodeIncomplete},
		{"empty payload", `{"x402Version":2,"paymentPayload":{},"paymentRequirements":` + goldenOffer + `}`, CodeVersion},
		{"accepted missing", strings.Replace(good, `"accepted"`, `"accepting"`, 1), CodeRequirements},
		{"payload a string", strings.Replace(good, `"payload":`+goldenExact, `"payload":"x"`, 1), CodePayload},
		{"version 3", `{"x402Version":3` + good[len(`{"x402Version":2`):], CodeVersion},
		{"an array", `[]`, CodePayload},
		{"nothing", ``, CodeJSON},
	} {
		if _, err := ParseFacilitatorRequest([]byte(c.text)); abi.CodeOf(err) != c.code {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestNullIsAbsentInResponsesAndRequiredMembersAreRequired(t *testing.T) {
	r, err := ParseSettleResponse([]byte(`{"success":true,"errorReason":null,"payer":null,"transaction":"","network":"","amount":null,"extra":null}`))
	if err != nil || !r.Success || r.Extra != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, text := range []string{
		`{"success":true,"network":"eip155:1"}`, `{"success":true,"transaction":""}`, `{"success":"true","transaction":"","network":""}`,
		`{"success":null,"transaction":"","network":""}`, `{"success":true,"transaction":"","network":"base"}`, `{"success":true,"transaction":"","network":"","amount":"1.5"}`, `null`, `[]`, `""`,
	} {
		if _, err := ParseSettleResponse([]byte(text)); abi.CodeOf(err) != CodeResponse {
			t.Errorf("%s: got %v", text, err)
		}
	}
	for _, text := range []string{`{}`, `{"isValid":null}`, `{"isValid":1}`} {
		if _, err := ParseVerifyResponse([]byte(text)); abi.CodeOf(err) != CodeResponse {
			t.Errorf("%s: got %v", text, err)
		}
	}
	supported, err := ParseSupportedResponse([]byte(`{"kinds":[]}`))
	if err != nil || supported.Extensions == nil || supported.Signers == nil {
		t.Errorf("missing lists: %+v, %v", supported, err)
	}
}

func TestIdentifierKeepsWhatTheMerchantSent(t *testing.T) {
	received := json.RawMessage(`{"bazaar":{"info":{"a":1}},"payment-identifier":{"info":{"required":true},"schema":{"type":"object"}}}`)
	got, err := AddIdentifier(received, "pay_0123456789abcdef")
	want := `{"bazaar":{"info":{"a":1}},"payment-identifier":{"info":{"required":true,"id":"pay_0123456789abcdef"},"schema":{"type":"object"}}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if !containsJSON(got, received) || Identifier(got) != "pay_0123456789abcdef" {
		t.Error("the extensions do not contain what was sent, or the id cannot be read back")
	}
	if got, err := AddIdentifier(nil, "pay_0123456789abcdef"); err != nil || Identifier(got) == "" {
		t.Errorf("without extensions: %s, %v", got, err)
	}
	for _, id := range []string{"short", strings.Repeat("a", 129), "sixteen chars !!"} {
		if _, err := AddIdentifier(nil, id); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
}

func TestChoosing(t *testing.T) {
	offer := func(amount, extra string) string {
		return strings.Replace(strings.Replace(goldenOffer, `"10000"`, `"`+amount+`"`, 1), `{"name":"USDC","version":"2"}`, extra, 1)
	}
	all := func(Requirements) bool { return true }
	cases := []struct {
		name      string
		offers    []string
		supported func(Requirements) bool
		want      string
	}{
		{"the first", []string{offer("1", "{}"), offer("2", "{}")}, all, "1"},
		{"authorization before upfront", []string{offer("1", `{"paymentFlow":"upfront"}`), offer("2", `{"paymentFlow":"authorization"}`)}, all, "2"},
		{"upfront when there is nothing else", []string{offer("1", `{"paymentFlow":"upfront"}`)}, all, "1"},
		{"an unknown flow is dropped", []string{offer("1", `{"paymentFlow":"escrow"}`), offer("2", `{"paymentFlow":1}`), offer("3", `{"paymentFlow":null}`)}, all, ""},
		{"nothing supported", []string{offer("1", "{}")}, func(Requirements) bool { return false }, ""},
		{"the first supported", []string{offer("1", "{}"), offer("2", "{}")}, func(r Requirements) bool { return r.Amount == abi.NewAmount(2) }, "2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			required, err := ParsePaymentRequired([]byte(strings.Replace(goldenRequired, goldenOffer, strings.Join(c.offers, ","), 1)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Choose(required, c.supported)
			switch {
			case c.want == "" && abi.CodeOf(err) != "offer_unsupported":
				t.Errorf("got %v, %v", got, err)
			case c.want != "" && (err != nil || got.Amount.String() != c.want):
				t.Errorf("got %s, %v", got.Amount, err)
			}
		})
	}
}
