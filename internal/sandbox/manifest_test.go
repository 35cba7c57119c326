package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

func TestAFullManifestIsRead(t *testing.T) {
	got, err := ParseManifest([]byte(`{
		"name": "price-sanity", "version": "1.2.3-rc.1", "kind": "policy", "abi": {"major": 1, "minor": 0},
		"description": "d", "license": "Apache-2.0", "source": "https://example.org",
		"config_schema": {"type": "object"}, "vectors": [],
		"facts": [{"name": "spent.day", "provenance": "own"}, {"name": "price", "provenance": "proven"}],
		"needs": {}, "cosigner_enforced": true, "limits": {"fuel": 1000, "memory_pages": 8, "output_bytes": 4096}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Manifest{
		Name: "price-sanity", Version: "1.2.3-rc.1", Kind: Policy, Description: "d", License: "Apache-2.0",
		Source: "https://example.org", ConfigSchema: []byte(`{"type": "object"}`), Vectors: []byte("[]"),
		Facts:            []FactWanted{{"spent.day", Own}, {"price", Proven}},
		CosignerEnforced: true, Limits: Limits{MemoryPages: 8, OutputBytes: 4096},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAManifestThatCouldBeReadTwoWaysIsInvalid(t *testing.T) {
	const base = `"name":"a","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0}`
	const chain = `"name":"a","version":"1.0.0","kind":"chain","abi":{"major":1,"minor":0}`
	cases := map[string]string{
		"empty":                  ``,
		"null":                   `null`,
		"a list":                 `[]`,
		"cut off":                `{` + base,
		"two values":             `{` + base + `}{}`,
		"trailing text":          `{` + base + `} x`,
		"repeated member":        `{` + base + `,"kind":"chain"}`,
		"repeated deep down":     `{` + base + `,"config_schema":{"a":[{"b":1,"b":2}]}}`,
		"repeated by escape":     `{` + base + `,"\u006bind":"chain"}`,
		"other spelling":         `{` + base + `,"Kind":"chain"}`,
		"unknown member":         `{` + base + `,"trusted":true}`,
		"not UTF-8":              `{` + base + `,"description":"` + "\xff" + `"}`,
		"too deep":               `{` + base + `,"config_schema":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`,
		"too long":               `{` + base + `,"vectors":["` + strings.Repeat("x", manifestBytesMax) + `"]}`,
		"no name":                `{"version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0}}`,
		"name with a path":       `{"name":"../a","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0}}`,
		"name with a newline":    `{"name":"a\n","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":0}}`,
		"bad version":            `{"name":"a","version":"1.0","kind":"policy","abi":{"major":1,"minor":0}}`,
		"bad kind":               `{"name":"a","version":"1.0.0","kind":"Policy","abi":{"major":1,"minor":0}}`,
		"kind is a number":       `{"name":"a","version":"1.0.0","kind":1,"abi":{"major":1,"minor":0}}`,
		"no abi":                 `{"name":"a","version":"1.0.0","kind":"policy"}`,
		"abi with a fraction":    `{"name":"a","version":"1.0.0","kind":"policy","abi":{"major":1.5,"minor":0}}`,
		"abi is negative":        `{"name":"a","version":"1.0.0","kind":"policy","abi":{"major":1,"minor":-1}}`,
		"null facts":             `{` + base + `,"facts":null}`,
		"fact with no origin":    `{` + base + `,"facts":[{"name":"x"}]}`,
		"fact with a new origin": `{` + base + `,"facts":[{"name":"x","provenance":"guessed"}]}`,
		"fact twice":             `{` + base + `,"facts":[{"name":"x","provenance":"own"},{"name":"x","provenance":"asserted"}]}`,
		"fact with odd name":     `{` + base + `,"facts":[{"name":"x y","provenance":"own"}]}`,
		"policy with needs":      `{` + base + `,"needs":{"rpc":["eth_call"]}}`,
		"unknown need":           `{` + chain + `,"needs":{"http":["x"]}}`,
		"need twice":             `{` + chain + `,"needs":{"rpc":["x","x"]}}`,
		"chain with facts":       `{` + chain + `,"facts":[{"name":"x","provenance":"own"}]}`,
		"unknown limit":          `{` + base + `,"limits":{"time":1}}`,
		"limit below zero":       `{` + base + `,"limits":{"memory_pages":-1}}`,
		"limit past 32 bits":     `{` + base + `,"limits":{"memory_pages":4294967297}}`,
		"fuel past 63 bits":      `{` + base + `,"limits":{"fuel":9223372036854775808}}`,
		"schema is a list":       `{` + base + `,"config_schema":[]}`,
		"vectors are an object":  `{` + base + `,"vectors":{}}`,
	}
	for name, manifest := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseManifest([]byte(manifest))
			wantCode(t, err, CodeManifestInvalid)
		})
	}
}

func TestAnotherABIIsUnsupportedNotInvalid(t *testing.T) {
	for _, version := range []string{`{"major":2,"minor":0}`, `{"major":0,"minor":0}`, `{"major":1,"minor":1}`, `{}`} {
		_, err := ParseManifest(fmt.Appendf(nil, `{"name":"a","version":"1.0.0","kind":"policy","abi":%s}`, version))
		wantCode(t, err, CodeABIUnsupported)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(goGuestManifest))
	f.Add([]byte(`{"name":"a","version":"1.0.0","kind":"chain","abi":{"major":1,"minor":0},"needs":{"rpc":["eth_call"]},"limits":{"fuel":1}}`))
	f.Add([]byte(`{"a":[{"b":1,"b":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseManifest(data)
		if err != nil {
			if code := abi.CodeOf(err); code != CodeManifestInvalid && code != CodeABIUnsupported {
				t.Errorf("code %s: %v", code, err)
			}
			return
		}
		if !m.Kind.valid() || m.Name == "" || m.ABIMinor > abiMinor || len(m.Facts) > manifestFactsMax || len(m.RPCMethods) > manifestNeedsMax {
			t.Errorf("accepted %+v", m)
		}
	})
}
