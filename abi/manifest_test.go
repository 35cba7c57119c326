package abi

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const goodManifest = `{
	"name": "ceiling", "version": "1.0.0", "kind": "policy", "abi": {"major": 1, "minor": 0},
	"description": "denies payments above one amount", "license": "Apache-2.0", "source": "https://example.com/ceiling",
	"config_schema": {"type": "object", "required": ["ceiling"]},
	"facts": [{"name": "quotes", "provenance": "own"}, {"name": "payee", "provenance": "asserted"}],
	"cosigner_enforced": true,
	"limits": {"fuel": 1000000, "memory_pages": 100, "output_bytes": 1024},
	"vectors": [{"name": "above", "call": "decide", "config": {"ceiling": "5"},
		"request": {"intent": {"amount": "6"}}, "result": {"reasons": [{"code": "ceiling_exceeded"}]}}]
}`

const goodAdapterManifest = `{"name": "evm", "version": "0.1.0-rc.1", "kind": "chain", "abi": {"major": 1},
	"description": "pays on EVM networks", "license": "MIT", "needs": {"rpc": ["eth_call", "eth_chainId"]},
	"vectors": [{"name": "d", "call": "describe", "config": {}, "request": {}, "result": {"networks": ["eip155:*"]}}]}`

func TestManifestIsReadWhole(t *testing.T) {
	m, err := ParseManifest([]byte(goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{
		Name: "ceiling", Version: "1.0.0", Kind: KindPolicy, ABIMajor: 1,
		Description: "denies payments above one amount", License: "Apache-2.0", Source: "https://example.com/ceiling",
		ConfigSchema:     []byte(`{"required":["ceiling"],"type":"object"}`),
		Facts:            []FactWanted{{"quotes", ProvenanceOwn}, {"payee", ProvenanceAsserted}},
		CosignerEnforced: true,
		Limits:           ManifestLimits{1_000_000, 100, 1024},
		Vectors: []ManifestVector{{
			Name: "above", Call: "decide", Config: []byte(`{"ceiling":"5"}`),
			Request: []byte(`{"intent":{"amount":"6"}}`), Result: []byte(`{"reasons":[{"code":"ceiling_exceeded"}]}`),
		}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if got := m.EffectiveLimits(); got != m.Limits {
		t.Errorf("effective limits %+v, want what the manifest asks for", got)
	}
	adapter, err := ParseManifest([]byte(goodAdapterManifest))
	if err != nil {
		t.Fatal(err)
	}
	if got := adapter.EffectiveLimits(); got != (ManifestLimits{ChainFuelMax, ChainMemoryPagesMax, ChainOutputBytesMax}) {
		t.Errorf("effective limits %+v, want the defaults", got)
	}
}

func TestManifestRefusals(t *testing.T) {
	for _, c := range []struct{ name, base, old, new, where string }{
		{"a bad name", goodManifest, `"ceiling", "version"`, `"Ceiling", "version"`, "name"},
		{"a path as name", goodManifest, `"ceiling", "version"`, `"../x", "version"`, "name"},
		{"a bad version", goodManifest, `"1.0.0"`, `"v1"`, "version"},
		{"an unknown kind", goodManifest, `"policy"`, `"both"`, "kind"},
		{"no description", goodManifest, `denies payments above one amount`, ``, "description"},
		{"no licence", goodManifest, `Apache-2.0`, ``, "license"},
		{"an endless description", goodManifest, `denies`, strings.Repeat("x", 600), "description"},
		{"an unknown fact", goodManifest, `"quotes"`, `"secrets"`, "facts"},
		{"a fact without provenance", goodManifest, `, "provenance": "own"`, ``, ""},
		{"a fact of a new provenance", goodManifest, `"own"`, `"guessed"`, ""},
		{"a fact of no name", goodManifest, `"name": "quotes", `, ``, "facts"},
		{"a fact twice", goodManifest, `"quotes"`, `"payee"`, "facts"},
		{"too much fuel", goodManifest, `1000000`, `25000001`, "limits.fuel"},
		{"too much memory", goodManifest, `100,`, `257,`, "limits.memory_pages"},
		{"too much output", goodManifest, `1024`, `65537`, "limits.output_bytes"},
		{"network for a policy", goodManifest, `"cosigner_enforced"`, `"needs": {"rpc": ["eth_call"]}, "cosigner_enforced"`, "needs.rpc"},
		{"another kind's vector", goodManifest, `"call": "decide"`, `"call": "build"`, "vectors[0]"},
		{"a vector with a wrong request", goodManifest, `"intent"`, `"intend"`, "vectors[0].request"},
		{"a vector without result", goodManifest, `, "result": {"reasons": [{"code": "ceiling_exceeded"}]}`, ``, "vectors[0].result"},
		{"an unknown member", goodManifest, `"license"`, `"licence"`, ""},
		{"a member in other case", goodManifest, `"cosigner_enforced"`, `"Cosigner_enforced"`, ""},
		{"a member twice", goodManifest, `"cosigner_enforced": true`, `"cosigner_enforced": true, "cosigner_enforced": false`, ""},
		{"an unknown limit", goodManifest, `"fuel"`, `"time"`, ""},
		{"a member twice by an escape", goodManifest, `"version": "1.0.0"`, `"version": "1.0.0", "versio\u006e": "1.0.1"`, ""},
		{"a member twice deep down", goodManifest, `{"type": "object"`, `{"a": [{"b": 1, "b": 2}], "type": "object"`, ""},
		{"a schema that is a list", goodManifest, `{"type": "object", "required": ["ceiling"]}`, `[]`, "config_schema"},
		{"a schema that is null", goodManifest, `{"type": "object", "required": ["ceiling"]}`, `null`, "config_schema"},
		{"a schema nested too deep", goodManifest, `{"type": "object"`, `{"a": ` + strings.Repeat(`[`, JSONDepthMax) + strings.Repeat(`]`, JSONDepthMax) + `, "type": "object"`, ""},
		{"facts that are null", goodManifest, `[{"name": "quotes", "provenance": "own"}, {"name": "payee", "provenance": "asserted"}]`, `null`, ""},
		{"a kind that is a number", goodManifest, `"policy"`, `1`, ""},
		{"a kind in other case", goodManifest, `"policy"`, `"Policy"`, "kind"},
		{"a name with a line feed", goodManifest, `"ceiling", "version"`, `"ceiling\n", "version"`, "name"},
		{"no name", goodManifest, `"name": "ceiling", `, ``, "name"},
		{"a fraction of a version", goodManifest, `"major": 1`, `"major": 1.5`, ""},
		{"a version below zero", goodManifest, `"minor": 0`, `"minor": -1`, ""},
		{"memory below zero", goodManifest, `100,`, `-1,`, ""},
		{"memory past 32 bits", goodManifest, `100,`, `4294967297,`, "limits.memory_pages"},
		{"fuel past 63 bits", goodManifest, `1000000`, `9223372036854775808`, ""},
		{"a text that is not UTF-8", goodManifest, `denies`, "\xff", ""},
		{"a second document", goodManifest, `exceeded"}]}}]` + "\n}", `exceeded"}]}}]}{}`, ""},
		{"text behind the document", goodManifest, `exceeded"}]}}]` + "\n}", `exceeded"}]}}]} x`, ""},
		{"vectors that are an object", goodAdapterManifest, `[{"name": "d", "call": "describe", "config": {}, "request": {}, "result": {"networks": ["eip155:*"]}}]`, `{}`, ""},
		{"vectors without end", goodAdapterManifest, `"eip155:*"`, `"` + strings.Repeat("x", ManifestBytesMax) + `"`, ""},
		{"a fraction in the schema", goodManifest, `"type": "object"`, `"minimum": 0.5`, ""},
		{"facts for an adapter", goodAdapterManifest, `"needs"`, `"facts": [{"name": "payee", "provenance": "own"}], "needs"`, "facts"},
		{"a co-signer for an adapter", goodAdapterManifest, `"needs"`, `"cosigner_enforced": true, "needs"`, "cosigner_enforced"},
		{"a URL as method", goodAdapterManifest, `"eth_call"`, `"https://evil.example"`, "needs.rpc"},
		{"a method twice", goodAdapterManifest, `"eth_chainId"`, `"eth_call"`, "needs.rpc"},
		{"another need", goodAdapterManifest, `"rpc"`, `"http"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(c.base, c.old) == 0 {
				t.Fatalf("the case changes nothing: %q", c.old)
			}
			m, err := ParseManifest([]byte(strings.Replace(c.base, c.old, c.new, 1)))
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeManifestInvalid || e.Where != c.where || m != nil {
				t.Errorf("%v, want %s at %q", err, CodeManifestInvalid, c.where)
			}
		})
	}
}

func TestOnlyAManifestIsAManifest(t *testing.T) {
	for _, document := range []string{``, `null`, `[]`, `{}x`, `{`, goodManifest[:len(goodManifest)-1]} {
		if m, err := ParseManifest([]byte(document)); CodeOf(err) != CodeManifestInvalid || m != nil {
			t.Errorf("%.20q: %v", document, err)
		}
	}
}

func TestAnotherABIIsUnsupportedAndNotInvalid(t *testing.T) {
	for _, version := range []string{`"abi": {"major": 2, "minor": 0},`, `"abi": {"major": 0, "minor": 0},`, `"abi": {"major": 1, "minor": 1},`, `"abi": {},`, ``} {
		document := strings.Replace(goodManifest, `"abi": {"major": 1, "minor": 0},`, version, 1)
		if document == goodManifest {
			t.Fatalf("%s changes nothing", version)
		}
		if m, err := ParseManifest([]byte(document)); CodeOf(err) != CodeABIUnsupported || m != nil {
			t.Errorf("%s: %v", version, err)
		}
	}
}

func FuzzManifestNeverPanicsAndKeepsItsLimits(f *testing.F) {
	f.Add([]byte(goodManifest))
	f.Add([]byte(goodAdapterManifest))
	f.Add([]byte(`{"vectors":[{"call":"configure","request":{"entries":[{}]}}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := ParseManifest(in)
		if err != nil {
			if code := CodeOf(err); code != CodeManifestInvalid && code != CodeABIUnsupported {
				t.Fatalf("error %v has code %s", err, code)
			}
			return
		}
		most, limits := m.Kind.DefaultLimits(), m.EffectiveLimits()
		if limits.Fuel == 0 || limits.Fuel > most.Fuel || limits.MemoryPages > most.MemoryPages || limits.OutputBytes > most.OutputBytes {
			t.Fatalf("limits %+v are above %+v", limits, most)
		}
	})
}
