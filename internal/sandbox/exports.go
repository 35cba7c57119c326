package sandbox

import (
	"maps"
	"slices"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
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
func exportRules(kind Kind) []exportRule {
	rules := []exportRule{
		{name: exportInitialize, optional: true},
		{name: exportABI, results: []api.ValueType{i32}},
		{name: exportAlloc, params: []api.ValueType{i32}, results: []api.ValueType{i32}},
		{name: exportConfigure, params: []api.ValueType{i32, i32}, results: []api.ValueType{i64}},
	}
	for _, name := range callExports[kind] {
		rules = append(rules, exportRule{name: name, params: []api.ValueType{i32, i32}, results: []api.ValueType{i64}})
	}
	return rules
}

func checkExports(compiled wazero.CompiledModule, kind Kind) error {
	memories := slices.Sorted(maps.Keys(compiled.ExportedMemories()))
	if len(memories) != 1 || memories[0] != exportMemory {
		return refuse(exportMemory, "export the memory once, as \"memory\"", "the module exports the memories %q, not exactly one named \"memory\"", memories)
	}
	exported := compiled.ExportedFunctions()
	rules := exportRules(kind)
	for _, rule := range rules {
		f, ok := exported[rule.name]
		switch {
		case !ok && rule.optional:
			continue
		case !ok && rule.name == exportABI:
			return &abi.Error{Code: CodeABIUnsupported, Where: exportABI, Fix: "build the guest with an SDK for ABI major 1",
				Message: "the module does not export purser_abi_1, so it is not built for ABI major 1"}
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
