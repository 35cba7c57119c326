package sandbox

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/purserhq/purser/abi"
)

func TestTheHostHasTheImportsOfTheABIAndNoOthers(t *testing.T) {
	wasi := []string{}
	for _, f := range hostFunctions {
		if f.module == abi.WASIModule {
			wasi = append(wasi, f.name)
		} else if f.module != abi.ImportModule || f.name != abi.ImportLog {
			t.Errorf("the host has %s.%s", f.module, f.name)
		}
	}
	slices.Sort(wasi)
	if diff := cmp.Diff(abi.WASIImports(), wasi); diff != "" {
		t.Error(diff)
	}
	if findHostFunction(abi.ImportModule, abi.ImportLog) == nil {
		t.Error("the host has no log")
	}
}

func TestTheDefaultLimitsAreThoseOfTheABI(t *testing.T) {
	for _, kind := range []abi.Kind{abi.KindPolicy, abi.KindChain, "wallet"} {
		want, got := kind.DefaultLimits(), DefaultLimits(kind)
		if got.Fuel != want.Fuel || got.MemoryPages != want.MemoryPages || got.OutputBytes != want.OutputBytes {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}

// TestAHostileManifestNeverInstalls holds what package abi refuses against the way in: the codes reach the installer
// and no plugin is left behind. What is refused is tested beside abi.ParseManifest.
func TestAHostileManifestNeverInstalls(t *testing.T) {
	h := openHost(t, Config{})
	const base = `"name":"a","version":"1.0.0","kind":"policy","description":"d","license":"MIT"`
	const spoken = `,"abi":{"major":1,"minor":0}`
	for name, c := range map[string]struct{ manifest, code string }{
		"empty":               {``, CodeManifestInvalid},
		"repeated member":     {`{` + base + spoken + `,"kind":"chain"}`, CodeManifestInvalid},
		"other spelling":      {`{` + base + spoken + `,"Kind":"chain"}`, CodeManifestInvalid},
		"unknown member":      {`{` + base + spoken + `,"trusted":true}`, CodeManifestInvalid},
		"policy with needs":   {`{` + base + spoken + `,"needs":{"rpc":["eth_call"]}}`, CodeManifestInvalid},
		"memory past 32 bits": {`{` + base + spoken + `,"limits":{"memory_pages":4294967297}}`, CodeManifestInvalid},
		"a fact of no origin": {`{` + base + spoken + `,"facts":[{"name":"quotes"}]}`, CodeManifestInvalid},
		"no ABI":              {`{` + base + `}`, CodeABIUnsupported},
		"a newer ABI":         {`{` + base + `,"abi":{"major":1,"minor":1}}`, CodeABIUnsupported},
		"an ungranted fact":   {`{` + base + spoken + `,"facts":[{"name":"payee","provenance":"own"}]}`, CodeGrantMissing},
		"another kind":        {`{"name":"a","version":"1.0.0","kind":"chain","description":"d","license":"MIT"` + spoken + `}`, CodeInstallRefused},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := h.Install(t.Context(), withManifest(withoutManifest(t, "echo_policy"), c.manifest), abi.KindPolicy, everything)
			wantCode(t, err, c.code)
			if p != nil || len(h.plugins) != 0 {
				t.Error("a plugin is left behind")
			}
		})
	}
}
