package sandbox

import (
	"maps"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const (
	// exportStart is what a command exports.
	exportStart = "_start"
	// exportPrefix is reserved: any export that starts with it and is not of the kind is refused.
	exportPrefix = "purser_"
)

type exportRule struct {
	name            string
	params, results []api.ValueType
	optional        bool
}

var (
	i32 = api.ValueTypeI32
	i64 = api.ValueTypeI64
)

// exportRules returns the exports of a kind, each with its exact signature. Signatures are checked at install, so
// that a wrong one is a message to an author and not a denial at the first payment.
func exportRules(kind abi.Kind) []exportRule {
	rules := []exportRule{
		{name: abi.ExportInitialize, optional: true},
		{name: abi.ExportVersion, results: []api.ValueType{i32}},
		{name: abi.ExportAlloc, params: []api.ValueType{i32}, results: []api.ValueType{i32}},
	}
	for _, call := range kind.Calls() {
		rules = append(rules, exportRule{name: call.Export, params: []api.ValueType{i32, i32}, results: []api.ValueType{i64}})
	}
	return rules
}

func checkExports(compiled wazero.CompiledModule, kind abi.Kind) error {
	memories := slices.Sorted(maps.Keys(compiled.ExportedMemories()))
	if len(memories) != 1 || memories[0] != abi.ExportMemory {
		return refuse(abi.ExportMemory, "export the memory once, as \"memory\"", "the module exports the memories %q, not exactly one named \"memory\"", memories)
	}
	exported := compiled.ExportedFunctions()
	rules := exportRules(kind)
	for _, rule := range rules {
		f, ok := exported[rule.name]
		switch {
		case !ok && rule.optional:
			continue
		case !ok && rule.name == abi.ExportVersion:
			return &abi.Error{
				Code: CodeABIUnsupported, Where: abi.ExportVersion, Fix: "build the guest with an SDK for ABI major 1",
				Message: "the module does not export purser_abi_1, so it is not built for ABI major 1",
			}
		case !ok:
			return refuse(rule.name, "", "the module does not export %s, which a %s must", rule.name, kind)
		}
		if !slices.Equal(f.ParamTypes(), rule.params) || !slices.Equal(f.ResultTypes(), rule.results) {
			return refuse(rule.name, "", "export %s has the signature %s, not %s", rule.name,
				signature(f.ParamTypes(), f.ResultTypes()), signature(rule.params, rule.results))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exported)) {
		known := slices.ContainsFunc(rules, func(r exportRule) bool { return r.name == name })
		if strings.HasPrefix(name, exportPrefix) && !known {
			return refuse(name, "build one module for each kind", "the module exports %s, which is no part of a %s", name, kind)
		}
		if name == exportStart {
			return refuse(name, "build a reactor (Go: -buildmode=c-shared)", "the module is a command: it exports _start")
		}
	}
	return nil
}

// callable reports whether Configured.Call may name that export. Configuring is no such call: it would answer outside
// of the identity it belongs to.
func callable(kind abi.Kind, export string) bool {
	return export != abi.ExportConfigure && slices.ContainsFunc(kind.Calls(), func(c abi.Call) bool { return c.Export == export })
}

func signature(params, results []api.ValueType) string {
	list := func(types []api.ValueType) string {
		names := make([]string, len(types))
		for i, t := range types {
			names[i] = api.ValueTypeName(t)
		}
		return "(" + strings.Join(names, ", ") + ")"
	}
	return list(params) + " -> " + list(results)
}
