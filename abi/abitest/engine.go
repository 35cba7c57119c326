package abitest

import (
	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/toolchain"
)

func sandboxConfig(config GuestConfig) sandbox.Config {
	return sandbox.Config{CacheDir: config.CacheDir, QueueWait: queueWait, Engine: engines[config.Engine]}
}

// ManifestOf reads a module's manifest without installing it. Errors have the codes module_invalid, manifest_invalid
// and abi_unsupported.
func ManifestOf(wasm []byte) (*abi.Manifest, error) {
	outline, err := toolchain.ReadOutline(wasm)
	if err != nil {
		return nil, err
	}
	if outline.Manifest == nil {
		return nil, &abi.Error{
			Code: abi.CodeManifestInvalid, Message: "the module has no manifest", Where: abi.ManifestSection,
			Fix: "build it with purser plugin build",
		}
	}
	return abi.ParseManifest(outline.Manifest)
}

// engines maps the kit's names to the sandbox's, so that neither package's signatures mention the other's.
var engines = map[Engine]sandbox.Engine{"": sandbox.Compiler, Compiler: sandbox.Compiler, Interpreter: sandbox.Interpreter}
