#!/bin/sh
# Builds the policy and puts its manifest inside:
#   sh build.sh [OUTPUT.wasm]
# The default output is dist/price-sanity-rust.wasm in this folder. RUSTC names another compiler; see sdk/rust/build.sh.
set -eu

cd "$(dirname "$0")"
out=${1:-dist/price-sanity-rust.wasm}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
here=$PWD
cd ../..
sh sdk/rust/build.sh "$here" "$out"
go run ./internal/gen/manifest -manifest "$here/manifest.json" -wasm "$out" -out "$out"
