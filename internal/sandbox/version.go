package sandbox

import "runtime/debug"

const wazeroPath = "github.com/tetratelabs/wazero"

// wazeroVersionBuilt is the version this package was written against. It is used where the binary carries no
// module list, as test binaries may; a test compares it with go.mod.
const wazeroVersionBuilt = "v1.12.0"

// wazeroVersion is the engine's version, part of every identity and of the cache key. An embedder may have raised
// it, so the binary's own module list wins over the constant.
func wazeroVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return wazeroVersionBuilt
	}
	for _, dep := range info.Deps {
		if dep.Path != wazeroPath {
			continue
		}
		if dep.Replace != nil {
			return dep.Replace.Path + "@" + dep.Replace.Version
		}
		return dep.Version
	}
	return wazeroVersionBuilt
}
