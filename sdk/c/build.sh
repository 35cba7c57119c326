#!/bin/sh
# Compiles a plugin with the SDK beside this script:
#   sh build.sh OUTPUT.wasm SOURCE.c…
# Set CLANG to use another clang than Debian's clang-14; its version of lld must be installed too.
set -eu

sdk=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
clang=${CLANG:-$(command -v clang-14 || echo clang)}
# -mcpu=mvp and what follows it are the same instructions with every clang: newer ones would turn on more. The stack lies
# first, so that overflowing it traps instead of overwriting data; it is small because the host copies it at each reset.
# No path of this machine gets into the module.
exec "$clang" --target=wasm32 -mcpu=mvp -mbulk-memory -msign-ext -std=c11 -O2 -ffreestanding -fvisibility=hidden \
	-nostdlib -Wall -Wextra -ffile-prefix-map="$PWD=." -ffile-prefix-map="$sdk=sdk" -I "$sdk/include" \
	-Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=16384 -Wl,--strip-all -o "$out" "$@" "$sdk"/src/*.c
