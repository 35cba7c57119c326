#!/bin/sh
# Compiles a plugin with rustc alone, without cargo and without a network:
#   sh build.sh PLUGIN_FOLDER OUTPUT.wasm
# The plugin's crate is PLUGIN_FOLDER/src/lib.rs, the SDK the folder of this script. The output has no manifest yet.
# RUSTC names another compiler than the one found here; it needs the target wasm32-unknown-unknown.
set -eu

plugin=$(cd "$1" && pwd)
out=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
sdk=$(cd "$(dirname "$0")" && pwd)
target=wasm32-unknown-unknown

# rustc names the folder of a target's libraries whether or not they are installed. Behind a rustup toolchain without
# the target there may be a system's compiler that has it (Debian: rustc libstd-rust-dev-wasm32 lld-14).
has_target() {
	libraries=$("$@" --print target-libdir --target $target 2>/dev/null) && [ -d "$libraries" ]
}
compile() {
	if [ -n "${RUSTC:-}" ]; then
		"$RUSTC" "$@"
	elif has_target rustc; then
		rustc "$@"
	else
		command -p rustc "$@"
	fi
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Each crate is compiled from its own folder, and paths are cut down to it, so that the same sources give the same bytes
# anywhere. 32 KiB of stack keep the host's reset of a guest short.
common="--edition 2021 --target $target -C opt-level=3 -C panic=abort -C codegen-units=1 -C target-feature=+bulk-memory"
cd "$sdk"
# shellcheck disable=SC2086 # the options are words
compile $common --crate-type rlib --crate-name purser_sdk --cap-lints allow \
	--remap-path-prefix "$sdk=purser-sdk" src/lib.rs -o "$scratch/libpurser_sdk.rlib"
cd "$plugin"
# shellcheck disable=SC2086
compile $common --crate-type cdylib --crate-name plugin -C lto=fat -C strip=symbols -C link-arg=-zstack-size=32768 \
	--remap-path-prefix "$plugin=." --extern "purser_sdk=$scratch/libpurser_sdk.rlib" src/lib.rs -o "$scratch/plugin.wasm"
cp "$scratch/plugin.wasm" "$out"
