package abi

import (
	"strings"
	"testing"
)

func TestJSONViewRefusesWhatIsNotTheView(t *testing.T) {
	deep := strings.Repeat(`[`, JSONDepthMax+1) + strings.Repeat(`]`, JSONDepthMax+1)
	for _, c := range []struct{ name, view, says string }{
		{"an unknown member", `{"outcomes":"allow"}`, "no member"},
		{"a member in other case", `{"Outcome":"allow"}`, "no member"},
		{"a member twice", `{"outcome":"deny","outcome":"allow"}`, "stands twice"},
		{"a member twice, once escaped", `{"outcome":"deny","\u006futcome":"allow"}`, "stands twice"},
		{"null", `{"outcome":null}`, "want '\"'"},
		{"null for the message", `null`, "want '{'"},
		{"an unknown enum name", `{"outcome":"ALLOW"}`, "not one of"},
		{"an enum by number", `{"outcome":2}`, "want"},
		{"something behind", `{} {}`, "behind"},
		{"a trailing comma", `{"outcome":"deny",}`, "want '\"'"},
		{"a list with a trailing comma", `{"reasons":[{},]}`, "want '{'"},
		{"no document", ``, "want '{'"},
		{"half a document", `{"outcome":"allow"`, "want ','"},
		{"deep nesting", `{"reasons":` + deep + `}`, "want '{'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := DecideResult{Outcome: Allow}
			err := r.UnmarshalJSON([]byte(c.view))
			if CodeOf(err) != "json_invalid" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v, want %q", c.view, err, c.says)
			}
			if r.Outcome != Deny {
				t.Error("a refused view left an outcome behind")
			}
		})
	}
	for _, c := range []struct{ name, view string }{
		{"bytes in upper case", `{"requirement":"AB"}`},
		{"half a byte", `{"requirement":"a"}`},
		{"an amount as number", `{"amount":1}`},
		{"an amount with leading zero", `{"amount":"01"}`},
		{"an empty amount", `{"amount":""}`},
		{"a negative number", `{"timeout_s":-1}`},
		{"a number above 2^53-1", `{"timeout_s":9007199254740992}`},
		{"a huge number", `{"timeout_s":99999999999999999999999999999999}`},
		{"a fraction", `{"timeout_s":1.0}`},
		{"an exponent", `{"timeout_s":1e3}`},
		{"a number with leading zero", `{"timeout_s":01}`},
		{"minus zero", `{"timeout_s":-0}`},
		{"a number in a string", `{"timeout_s":"1"}`},
		{"a lone surrogate", `{"payee":"\ud800"}`},
		{"two low surrogates", `{"payee":"\udc00\udc00"}`},
		{"raw bytes that are not UTF-8", "{\"payee\":\"\xff\"}"},
		{"a raw control character", "{\"payee\":\"\n\"}"},
		{"an unknown escape", `{"payee":"\x41"}`},
		{"an escape cut short", `{"payee":"\u00`},
		{"a signed escape", `{"payee":"\u+041"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := new(Quote).UnmarshalJSON([]byte(c.view)); CodeOf(err) != "json_invalid" {
				t.Errorf("%s: %v, want json_invalid", c.view, err)
			}
		})
	}
}

func TestJSONViewTakesWhatPeopleWrite(t *testing.T) {
	var q Quote
	view := " {\n\"timeout_s\" : 0, \"extra\": [ ], \"amount\": \"0\", \"payee\": \"\\ud834\\udd1e\\/\", \"evidence\": \"asserted\" } "
	if err := q.UnmarshalJSON([]byte(view)); err != nil {
		t.Fatal(err)
	}
	if got, err := q.MarshalJSON(); err != nil || string(got) != `{"payee":"𝄞/"}` {
		t.Fatalf("%s, %v", got, err)
	}
}
