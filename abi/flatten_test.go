package abi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCanonicalJSONIsRFC8785(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"white space goes", " { \"a\" : [ 1 , true , null ] } ", `{"a":[1,true,null]}`},
		{"members are sorted", `{"b":1,"a":2,"":3,"aa":4}`, `{"":3,"a":2,"aa":4,"b":1}`},
		// RFC 8785 section 3.2.3: by UTF-16 units, so that U+1F600 (d83d de00) stands
		// before U+FB33, unlike in UTF-8.
		{
			"members are sorted by UTF-16", `{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}`,
			"{\"\\r\":2,\"1\":4,\"\u0080\":6,\"\u00f6\":7,\"\u20ac\":1,\"\U0001f600\":5,\"\ufb33\":3}",
		},
		{"strings have one spelling", `"\u0041\/\u001f\b\t\n\f\r\"\\\u20ac\u007f"`, "\"A/\\u001f\\b\\t\\n\\f\\r\\\"\\\\\u20ac\x7f\""},
		{"HTML is not escaped", `"<&>\u2028"`, "\"<&>\u2028\""},
		{"the largest integers", `[9007199254740991,-9007199254740991,0]`, `[9007199254740991,-9007199254740991,0]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := CanonicalJSON([]byte(c.in))
			if err != nil || string(got) != c.want {
				t.Errorf("%s became %s, %v, want %s", c.in, got, err, c.want)
			}
		})
	}
}

func TestCanonicalJSONRefusesWhatTwoReadersMayReadDifferently(t *testing.T) {
	for name, in := range map[string]string{
		"a member twice":         `{"a":1,"a":1}`,
		"a member twice, hidden": `{"a":1,"\u0061":1}`,
		"a fraction":             `0.5`,
		"a whole fraction":       `1.0`,
		"an exponent":            `1E2`,
		"2^53":                   `9007199254740992`,
		"minus 2^53":             `-9007199254740992`,
		"minus zero":             `-0`,
		"a plus":                 `+1`,
		"a lone minus":           `-`,
		"a lone surrogate":       `"\udead"`,
		"a word cut short":       `tru`,
		"two documents":          `1 1`,
		"a byte order mark":      "\ufeff{}",
		"a NUL behind":           "{}\x00",
		"nothing":                ``,
		"depth":                  strings.Repeat("[", JSONDepthMax+1) + strings.Repeat("]", JSONDepthMax+1),
		"size":                   `"` + strings.Repeat("a", ConfigBytesMax) + `"`,
		"values":                 `[` + strings.Repeat("[0],", JSONEntriesMax/2) + `0]`,
	} {
		if got, err := CanonicalJSON([]byte(in)); CodeOf(err) != "json_invalid" {
			t.Errorf("%s: %.80s, %v, want json_invalid", name, got, err)
		}
	}
}

func TestFlattenListsEveryValueDepthFirst(t *testing.T) {
	canonical, entries, err := Flatten([]byte(`{"z":{"~/":"x"},"list":["a",-1,{"b":false},[],null]}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"list":["a",-1,{"b":false},[],null],"z":{"~/":"x"}}`; string(canonical) != want {
		t.Errorf("canonical form %s, want %s", canonical, want)
	}
	want := []JSONEntry{
		{"", "object", ""},
		{"/list", "array", ""},
		{"/list/0", "string", "a"},
		{"/list/1", "number", "-1"},
		{"/list/2", "object", ""},
		{"/list/2/b", "bool", "false"},
		{"/list/3", "array", ""},
		{"/list/4", "null", ""},
		{"/z", "object", ""},
		{"/z/~0~1", "string", "x"},
	}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Error(diff)
	}
}

// FuzzCanonicalJSON: the canonical form is a fixed point, means the same to
// encoding/json, and its entries fit into a ConfigureRequest.
func FuzzCanonicalJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, `"\ud834\udd1e"`, `-12`, `{"\u0000":""}`, `[[],{}]`, `1e1`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		canonical, entries, err := Flatten(in)
		if err != nil {
			if CodeOf(err) != "json_invalid" {
				t.Fatalf("error %v has no code json_invalid", err)
			}
			return
		}
		if again, err := CanonicalJSON(canonical); err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%s is not a fixed point: %s, %v", canonical, again, err)
		}
		if before, after := decodeAny(t, in), decodeAny(t, canonical); !cmp.Equal(before, after) {
			t.Fatalf("%s means something else than %s", canonical, in)
		}
		request := ConfigureRequest{Config: canonical, Entries: entries}
		if _, err := request.Marshal(); err != nil {
			t.Fatalf("entries do not fit into a request: %v", err)
		}
	})
}

func decodeAny(t *testing.T, doc []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %s: %v", doc, err)
	}
	return v
}

func TestFlattenBoundsWhatLongNamesDeepDownBecome(t *testing.T) {
	name := strings.Repeat("n", 2000)
	var b strings.Builder
	for range JSONDepthMax - 2 {
		fmt.Fprintf(&b, `{%q:`, name)
	}
	b.WriteString("[" + strings.Repeat("0,", 10_000) + "0]" + strings.Repeat("}", JSONDepthMax-2))
	document := []byte(b.String())
	if _, err := CanonicalJSON(document); err != nil {
		t.Fatalf("the document itself is fine, but: %v", err)
	}
	if _, entries, err := Flatten(document); CodeOf(err) != "json_invalid" || entries != nil {
		t.Fatalf("%d entries of 60 kB pointers each, %v", len(entries), err)
	}
}
