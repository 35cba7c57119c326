#!/bin/sh
# Builds the policy and puts its manifest inside:
#   sh build.sh [OUTPUT.wasm]
# On Debian the compiler comes with: apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14
set -eu

cd "$(dirname "$0")"
out=${1:-dist/ceiling.wasm}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
here=$PWD
cd ../../..
sh sdk/rust/build.sh "$here" "$out"
go run ./internal/gen/manifest -manifest "$here/manifest.json" -wasm "$out" -out "$out"
