#!/bin/sh
# Builds every Go plugin into plugins/bundle/dist, so that the binary can embed it, with the sums of what was built, and
# packs the SDKs for `purser plugin new` beside them.
# The same sources and Go release give the same bytes on any machine: no paths, no times, no version control stamps.
# A module is built again only when its sources, the SDK, the Go release or this script changed.
set -eu
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")/.."
dist=plugins/bundle/dist
toolchain=$(go env GOVERSION)

if ! command -v sha256sum >/dev/null; then
	sha256sum() { shasum -a 256 "$@"; }
fi

# inputs prints the sum of everything a module is made of.
inputs() {
	{
		printf '%s\n' "$toolchain"
		find "$1" sdk/go internal/gen/manifest internal/toolchain -type f \
			\( -name '*.go' -o -name go.mod -o -name go.sum -o -name manifest.json \) ! -name '*_test.go' -print |
			sort | while IFS= read -r file; do sha256sum "$file"; done
		sha256sum plugins/build.sh
	} | sha256sum | cut -d ' ' -f 1
}

# A module that lost its plugin must not stay in the binary.
for module in "$dist"/*.wasm; do
	name=$(basename "$module" .wasm)
	if [ -e "$module" ] && [ ! -e "plugins/$name/go.mod" ]; then
		rm -f "$module" "$dist/.$name.inputs"
	fi
done

for mod in plugins/*/go.mod; do
	dir=$(dirname "$mod")
	name=$(basename "$dir")
	stamp="$dist/.$name.inputs"
	sum=$(inputs "$dir")
	if [ -e "$dist/$name.wasm" ] && [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$sum $(sha256sum <"$dist/$name.wasm")" ]; then
		continue
	fi
	echo "building $name"
	scratch=$(mktemp "$dist/.$name.XXXXXX")
	trap 'rm -f "$scratch"' EXIT
	(cd "$dir" && GOWORK=off GOFLAGS='' GOWASM='' GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -buildvcs=false \
		-ldflags '-s -w' -o "../../$scratch" .)
	go run ./internal/gen/manifest -manifest "$dir/manifest.json" -wasm "$scratch" -out "$scratch"
	chmod 644 "$scratch"
	# The rename comes last, so that a build that was stopped leaves no half module behind.
	mv "$scratch" "$dist/$name.wasm"
	printf '%s %s\n' "$sum" "$(sha256sum <"$dist/$name.wasm")" >"$stamp"
	trap - EXIT
done

# What `purser plugin new` starts projects from.
go run ./internal/gen/sdkarchive -out "$dist/sdk.zip"

cd "$dist"
sha256sum -- *.wasm >SHA256SUMS
