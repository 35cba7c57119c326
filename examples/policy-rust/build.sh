#!/bin/sh
# Builds the policy with a plain rustc, without cargo, and embeds its manifest:
#   sh build.sh [OUTPUT]
# The default output is dist/price-sanity-rust.wasm in this folder. On Debian the compiler comes with
#   apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14
# Set RUSTC to use another one.
set -eu

cd "$(dirname "$0")"
out=${1:-dist/price-sanity-rust.wasm}
mkdir -p "$(dirname "$out")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# `command -p` finds the system's compiler behind a rustup shim. 32 KiB of stack keep the host's reset of the guest
# short; --remap-path-prefix keeps this folder's path out of the module.
${RUSTC:-command -p rustc} --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib --crate-name price_sanity \
	-C opt-level=3 -C panic=abort -C lto=fat -C codegen-units=1 -C strip=symbols \
	-C link-arg=-zstack-size=32768 --remap-path-prefix "$PWD=." src/lib.rs -o "$scratch/policy.wasm"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
here=$PWD
cd ../..
go run ./internal/gen/manifest -manifest "$here/manifest.json" -wasm "$scratch/policy.wasm" -out "$out"
