package scaffold

import (
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

// prepare is what a language needs before its first build.
var prepare = map[toolchain.Language]string{
	toolchain.Go:             "Go 1.24 or newer; nothing else.",
	toolchain.Rust:           "Rust 1.63 or newer with the target wasm32-unknown-unknown. Debian: `apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14`.",
	toolchain.AssemblyScript: "Node 20 or newer; run `npm install` here once.",
	toolchain.C:              "clang with lld. Debian: `apt-get install --no-install-recommends clang-14 lld-14`.",
}

// monotonic is the promise that the template of a policy can make.
var monotonic = map[abi.Kind]string{abi.KindPolicy: " --monotonic amount"}

func (p Project) readme() string {
	text := `# NAME

A purser KIND in LANGUAGE.

Needs PREPARE

    purser plugin build
    purser plugin test NAME.wasmMONOTONIC
    purser plugin inspect NAME.wasm

The manifest, manifest.json, says what the plugin is and which settings it takes; its vectors are its tests, and every
host runs them before it uses the plugin. purser-sdk is a copy of the SDK; its README says what a plugin can see and do.
`
	return strings.NewReplacer(
		"NAME", p.Name, "KIND", map[abi.Kind]string{abi.KindPolicy: "policy", abi.KindChain: "chain adapter"}[p.Kind],
		"LANGUAGE", string(p.Language), "PREPARE", prepare[p.Language], "MONOTONIC", monotonic[p.Kind],
	).Replace(text)
}
