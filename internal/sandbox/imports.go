package sandbox

import (
	"slices"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero/api"
)

const importKindFunction = 0

// hostFunction is one function a guest may import. The same table builds the host modules and judges imports, so
// what is allowed and what exists cannot drift apart.
type hostFunction struct {
	module, name    string
	params, results []api.ValueType
	call            api.GoModuleFunc
}

// importAllowed judges one import by name. Signatures are checked after wazero has decoded the module.
func importAllowed(module, name string, kind byte) error {
	item := module + "." + name
	if kind != importKindFunction {
		what := map[byte]string{1: "table", 2: "memory", 3: "global"}[kind]
		if what == "" {
			what = "item of an unknown kind"
		}
		return refuse(item, "define it in the module", "the module imports the %s %q; only functions can be imported", what, item)
	}
	if findHostFunction(module, name) == nil {
		return refuse(item, importFix(module),
			"the module imports %q, which the host does not have", item)
	}
	return nil
}

// importFix says what to do about an import. A Go author meets it through a package: os, and whatever imports os, pulls
// in files.
func importFix(module string) string {
	if module == abi.WASIModule {
		return "a Go guest must not import os, nor time, fmt, math/big or encoding/json, which import files with it"
	}
	return "a guest may import purser_host_1.log, and a Go guest ten functions of WASI"
}

func checkImports(imported []api.FunctionDefinition) error {
	for _, f := range imported {
		module, name, _ := f.Import()
		want := findHostFunction(module, name)
		if want == nil {
			return importAllowed(module, name, importKindFunction)
		}
		if !slices.Equal(f.ParamTypes(), want.params) || !slices.Equal(f.ResultTypes(), want.results) {
			return refuse(module+"."+name, "", "import %s.%s has the signature %s, not %s", module, name,
				signature(f.ParamTypes(), f.ResultTypes()), signature(want.params, want.results))
		}
	}
	return nil
}

func findHostFunction(module, name string) *hostFunction {
	for i := range hostFunctions {
		if f := &hostFunctions[i]; f.module == module && f.name == name {
			return f
		}
	}
	return nil
}
