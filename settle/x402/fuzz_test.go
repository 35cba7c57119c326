package x402

import (
	"bytes"
	"reflect"
	"testing"
)

// stable holds of every codec: what can be read can be written, and what was
// written reads back as the same value.
func stable[T any](t *testing.T, text []byte, parse func([]byte) (T, error), encode func(T) ([]byte, error)) {
	t.Helper()
	value, err := parse(text)
	if err != nil {
		return
	}
	written, err := encode(value)
	if err != nil {
		t.Fatalf("read %q but cannot write it: %v", text, err)
	}
	again, err := parse(written)
	if err != nil {
		t.Fatalf("wrote %q and cannot read it: %v", written, err)
	}
	twice, err := encode(again)
	if err != nil || !bytes.Equal(written, twice) {
		t.Fatalf("unstable: %q then %q (%v)", written, twice, err)
	}
	if !equalJSON(text, text) || !reflect.DeepEqual(value, again) && !equalJSON(written, text) {
		t.Fatalf("%q became %q", text, written)
	}
}

func seeds(f *testing.F, texts ...string) {
	for _, text := range append(texts, `{}`, `[]`, `null`, `{"a":1,"a":2}`, `{"\u0061":[[[]]]}`, "\xff", `{"x402Version":2}`, `"\ud800"`) {
		f.Add([]byte(text))
	}
}

func FuzzRequirements(f *testing.F) {
	seeds(f, goldenOffer)
	f.Fuzz(func(t *testing.T, text []byte) {
		stable(t, text, ParseRequirements, EncodeRequirements)
		if r, err := ParseRequirements(text); err == nil && !Matches(r, r) {
			t.Fatalf("%q does not match itself", text)
		}
	})
}

func FuzzPaymentRequired(f *testing.F) {
	seeds(f, goldenRequired)
	f.Fuzz(func(t *testing.T, text []byte) {
		stable(t, text, ParsePaymentRequired, EncodePaymentRequired)
		if p, err := ParsePaymentRequired(text); err == nil {
			_, _ = Choose(p, func(Requirements) bool { return true })
		}
	})
}

func FuzzPaymentPayload(f *testing.F) {
	seeds(f, goldenPayment)
	f.Fuzz(func(t *testing.T, text []byte) { stable(t, text, ParsePaymentPayload, EncodePaymentPayload) })
}

func FuzzExactEVM(f *testing.F) {
	seeds(f, goldenExact)
	f.Fuzz(func(t *testing.T, text []byte) {
		stable(t, text, func(b []byte) (ExactEVMPayload, error) { return ParseExactEVM(b) },
			func(p ExactEVMPayload) ([]byte, error) { return EncodeExactEVM(p) })
	})
}

func FuzzFacilitatorRequest(f *testing.F) {
	seeds(f, `{"x402Version":2,"paymentPayload":`+goldenPayment+`,"paymentRequirements":`+goldenOffer+`}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := ParseFacilitatorRequest(text); err == nil && len(r.PaymentPayload.Raw) > documentBytesMax {
			return // a facilitator reads larger bodies than a header can carry
		}
		stable(t, text, ParseFacilitatorRequest, EncodeFacilitatorRequest)
	})
}

func FuzzResponses(f *testing.F) {
	seeds(f, goldenSettle, goldenFailed, goldenVerify, goldenKinds)
	f.Fuzz(func(t *testing.T, text []byte) {
		stable(t, text, ParseSettleResponse, EncodeSettleResponse)
		stable(t, text, ParseVerifyResponse, EncodeVerifyResponse)
		stable(t, text, ParseSupportedResponse, EncodeSupportedResponse)
	})
}

func FuzzHeader(f *testing.F) {
	for _, seed := range []string{"e30=", "e30", "YR==", "a,b", "====", "=", "_-_-", "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		text, err := DecodeHeader(value)
		if err != nil || len(text) > headerOutBytesMax/4*3 {
			return
		}
		again, err := EncodeHeader(text)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := DecodeHeader(again); err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%q decoded to %q, then to %q (%v)", value, text, back, err)
		}
	})
}

func FuzzIdentifier(f *testing.F) {
	seeds(f, `{"payment-identifier":{"info":{"required":true}}}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := AddIdentifier(text, "pay_0123456789abcdef")
		if err != nil {
			return
		}
		if Identifier(got) != "pay_0123456789abcdef" {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
