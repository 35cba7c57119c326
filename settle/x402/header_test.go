package x402

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
)

func TestHeaderAlphabet(t *testing.T) {
	text := []byte(`{"a":"??>>~~"}`) // its base64 holds both + and /
	std := base64.StdEncoding.EncodeToString(text)
	if !strings.ContainsAny(std, "+/") || !strings.HasSuffix(std, "=") {
		t.Fatalf("the sample %s does not exercise the alphabet", std)
	}
	for _, good := range []string{std, strings.TrimRight(std, "=")} {
		if got, err := DecodeHeader(good); err != nil || string(got) != string(text) {
			t.Errorf("%s: got %s, %v", good, got, err)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "padding only": "=", "URL-safe": base64.URLEncoding.EncodeToString(text), "line break": std[:4] + "\n" + std[4:], "space": " " + std,
		"comma-joined": std + "," + std, "comma and space": std + ", " + std, "padding inside": std + std, "three paddings": "YQ===",
		"illegal": "a*b=", "one letter": "a", "trailing bits": "YR==", "plain JSON": string(text), "too long": strings.Repeat("A", headerInBytesMax+1),
	} {
		if _, err := DecodeHeader(bad); abi.CodeOf(err) != CodeHeader {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOutgoingHeadersArePaddedAndBounded(t *testing.T) {
	if got, err := EncodeHeader([]byte(`{}`)); err != nil || got != "e30=" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := EncodeHeader(make([]byte, headerOutBytesMax)); abi.CodeOf(err) != CodeTooLarge {
		t.Errorf("got %v", err)
	}
}

func TestTwoHeaderLinesAreRefused(t *testing.T) {
	h := http.Header{}
	if _, present, err := OneHeader(h, HeaderSignature); present || err != nil {
		t.Errorf("none: %v, %v", present, err)
	}
	h.Add("payment-signature", "a")
	if value, present, err := OneHeader(h, HeaderSignature); value != "a" || !present || err != nil {
		t.Errorf("one: %q, %v, %v", value, present, err)
	}
	h.Add("Payment-Signature", "a")
	if _, _, err := OneHeader(h, HeaderSignature); abi.CodeOf(err) != CodeHeader {
		t.Errorf("two: %v", err)
	}
}
