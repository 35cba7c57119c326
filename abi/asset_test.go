package abi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestAssetsHaveOneSpelling(t *testing.T) {
	mixed := "eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	a, err := ParseAsset(mixed)
	if err != nil || string(a) != strings.ToLower(mixed) {
		t.Fatalf("%s, %v", a, err)
	}
	if a.Network() != "eip155:8453" || a.Reference() != "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913" {
		t.Fatalf("taken apart as %s and %s", a.Network(), a.Reference())
	}
	if again, err := ERC20(a.Network(), a.Reference()); err != nil || again != a {
		t.Fatalf("put together as %s, %v", again, err)
	}
	if id, ok := a.Network().EIP155(); !ok || id != 8453 {
		t.Fatalf("chain id %d, %t", id, ok)
	}
	for _, s := range []string{
		"", "eip155:8453", "eip155:8453/erc20:", "eip155:8453/erc20:0x12", "eip155/erc20:x",
		"eip155:8453/erc721:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", mixed + "/1", mixed + " ",
		"EIP155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "ab:1/erc20:x", strings.Repeat("a", 300),
	} {
		if a, err := ParseAsset(s); err == nil {
			t.Errorf("%q reads as %s", s, a)
		}
	}
	longest := "namespac:" + strings.Repeat("r", 32) + "/assetnam:" + strings.Repeat("x", 128)
	if a, err := ParseAsset(longest); err != nil || len(a) != assetBytesMax {
		t.Errorf("the longest CAIP-19 id has %d bytes and is refused: %v", len(longest), err)
	}
	for _, n := range []Network{"solana:x", "eip155:0", "eip155:01", "eip155:x", "eip155:9223372036854775808"} {
		if id, ok := n.EIP155(); ok {
			t.Errorf("%s has the chain id %d", n, id)
		}
	}
}

func FuzzParseAssetIsAFixedPoint(f *testing.F) {
	f.Add("eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913")
	f.Add("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAsset(s)
		if err != nil {
			return
		}
		if again, err := ParseAsset(string(a)); err != nil || again != a {
			t.Fatalf("%q reads as %s, and that as %s, %v", s, a, again, err)
		}
		if _, err := ParseNetwork(string(a.Network())); err != nil {
			t.Fatalf("%q has the network %s: %v", s, a.Network(), err)
		}
	})
}

func TestOutcomesFailClosed(t *testing.T) {
	var o Outcome
	if o != Deny || Outcome(7).String() != "deny" {
		t.Error("the zero or an unknown outcome does not read as deny")
	}
	for _, s := range []string{"", "ALLOW", "allow ", "2", "yes"} {
		o = Allow
		if err := o.UnmarshalText([]byte(s)); err == nil || o != Deny {
			t.Errorf("%q reads as %s, %v", s, o, err)
		}
	}
}

func TestErrorsKeepTheirCauseToThemselves(t *testing.T) {
	cause := errors.New("a peer's text")
	e := &Error{Code: "not_found", Message: "no such payment", Where: "pay_1", Cause: cause}
	text, err := json.Marshal(e)
	if err != nil || strings.Contains(string(text), "peer") || !strings.Contains(string(text), `"retryable":"never"`) {
		t.Fatalf("%s, %v", text, err)
	}
	if !errors.Is(e, cause) || !errors.Is(e, &Error{Code: "not_found"}) || errors.Is(e, &Error{Code: "other"}) {
		t.Error("errors.Is does not go by cause and code")
	}
	if CodeOf(nil) != "" || CodeOf(cause) != "internal" || CodeOf(errors.Join(cause, e)) != "not_found" {
		t.Error("CodeOf reads the wrong error")
	}
}
