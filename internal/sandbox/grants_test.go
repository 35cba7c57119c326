package sandbox

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

// fullGrants sets every field, so that a field the reader forgets is missed.
func fullGrants(t testing.TB) Grants {
	t.Helper()
	full := Grants{Facts: []string{"quotes", "payee"}, RPCMethods: []string{"eth_call"}}
	limits := reflect.ValueOf(&full.Limits).Elem()
	for i := range limits.NumField() {
		limits.Field(i).SetUint(uint64(i) + 1)
	}
	return full
}

func TestGrantsAreReadAsTheyAreWritten(t *testing.T) {
	for _, want := range []Grants{fullGrants(t), {Facts: []string{"quotes"}}, {}} {
		document, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseGrants(document)
		if err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", document, diff)
		}
	}
}

func TestGrantsThatCouldBeReadTwoWaysAreInvalid(t *testing.T) {
	for name, document := range map[string]string{
		"empty":                 ``,
		"null":                  `null`,
		"a list":                `[]`,
		"cut off":               `{"facts":["quotes"]`,
		"two documents":         `{}{}`,
		"other spelling":        `{"Facts":["quotes"]}`,
		"Go's name":             `{"RPCMethods":["eth_call"]}`,
		"repeated member":       `{"facts":["quotes"],"facts":["payee"]}`,
		"repeated by an escape": `{"facts":["quotes"],"fact\u0073":["payee"]}`,
		"unknown member":        `{"fact":["quotes"]}`,
		"empty member":          `{"":["quotes"]}`,
		"member with a slash":   `{"facts/0":"quotes"}`,
		"null facts":            `{"facts":null}`,
		"facts that are one":    `{"facts":"quotes"}`,
		"facts by number":       `{"facts":{"0":"quotes"}}`,
		"a fact in a list":      `{"facts":[["quotes"]]}`,
		"a fact that is a word": `{"facts":[true]}`,
		"methods by name":       `{"rpc_methods":{"eth_call":true}}`,
		"limits in a list":      `{"limits":[]}`,
		"unknown limit":         `{"limits":{"time":1}}`,
		"limit in other case":   `{"limits":{"Memory_pages":1}}`,
		"limit of zero":         `{"limits":{"memory_pages":0}}`,
		"limit below zero":      `{"limits":{"memory_pages":-1}}`,
		"limit past 53 bits":    `{"limits":{"memory_pages":9007199254740992}}`,
		"limit as text":         `{"limits":{"memory_pages":"1"}}`,
		"fuel with a fraction":  `{"limits":{"fuel":0.5}}`,
		"too long":              `{"facts":["` + strings.Repeat("x", abi.ConfigBytesMax) + `"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseGrants([]byte(document))
			wantCode(t, err, CodeGrantsInvalid)
			if diff := cmp.Diff(Grants{}, got); diff != "" {
				t.Errorf("refused, but returned: %s", diff)
			}
		})
	}
}

// FuzzParseGrants: what is read says the same when it is written and read again.
func FuzzParseGrants(f *testing.F) {
	full, err := json.Marshal(fullGrants(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add([]byte(`{"facts":["quotes"],"Facts":[]}`))
	f.Add([]byte(`{"limits":{"memory_pages":1,"fuel":9007199254740991}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		g, err := ParseGrants(document)
		if err != nil {
			wantCode(t, err, CodeGrantsInvalid)
			return
		}
		written, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseGrants(written)
		if err != nil || !cmp.Equal(g, again) {
			t.Errorf("%q was read as %+v and, written as %s, as %+v: %v", document, g, written, again, err)
		}
	})
}
