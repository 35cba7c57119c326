package sandbox

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox/meter"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// guestFeatures is WebAssembly 2.0 without SIMD. Threads, exceptions and tail calls are off unless asked for.
const guestFeatures = api.CoreFeaturesV2 &^ api.CoreFeatureSIMD

// Install checks a module against the contract of kind and the operator's grants, compiles it, and asks it for its
// ABI version. Nothing of the module runs before all static checks have passed.
//
// Errors have the codes install_refused, abi_unsupported, manifest_invalid, grant_missing, limit_widened,
// cache_unsafe, deadline or closed, and name the offending item. A guest that fails while it is asked for its version
// is install_refused too. Compilation itself is not interrupted by ctx: wazero's interruptible mode compiles on
// goroutines whose panics nobody can recover. The caller closes the Plugin, or the Host does.
func (h *Host) Install(ctx context.Context, wasm []byte, kind abi.Kind, grants Grants) (*Plugin, error) {
	if _, known := h.limits[kind]; !known {
		return nil, fault(CodeInputInvalid, "kind", "%q is no kind of module", kind)
	}
	module, err := scan(wasm)
	if err != nil {
		return nil, err
	}
	p := &Plugin{host: h}
	if err := p.admit(module, kind, grants); err != nil {
		return nil, err
	}
	p.identity.Module = Digest(sha256.Sum256(wasm))
	metered, recalled := h.recallMetered(p.identity.Module)
	if !recalled {
		if metered, err = meter.Rewrite(wasm); err != nil {
			return nil, err
		}
	}
	p.globals = metered.Globals
	if err := h.compileAlone(ctx, func() error { return p.compile(ctx, metered.Wasm) }); err != nil {
		return nil, alsoFailed(err, p.release())
	}
	if err := p.checkCompiled(ctx); err != nil {
		return nil, alsoFailed(err, p.release())
	}
	if err := h.adopt(p); err != nil {
		return nil, alsoFailed(err, p.release())
	}
	if !recalled {
		// A folder that cannot be written to, or is full, makes the next open slower and nothing else.
		_ = h.keepMetered(p.identity.Module, metered) //nolint:errcheck // see above
	}
	return p, nil
}

// admit judges what can be judged without wazero: the manifest, the grants and the memory.
func (p *Plugin) admit(module *scanned, kind abi.Kind, grants Grants) error {
	if module.manifest == nil {
		return &abi.Error{
			Code: CodeManifestInvalid, Message: "the module has no purser.manifest section", Where: abi.ManifestSection,
			Fix: "embed the manifest with purser plugin build",
		}
	}
	manifest, err := abi.ParseManifest(module.manifest)
	if err != nil {
		return err
	}
	if manifest.Kind != kind {
		return refuse(abi.ManifestSection, "", "the manifest says %s, the module is installed as a %s", manifest.Kind, kind)
	}
	if err := grants.check(manifest); err != nil {
		return err
	}
	limits, err := p.host.limits[kind].narrow(grants.Limits, "grants.limits")
	if err != nil {
		return err
	}
	// What the manifest wants is a wish, and ParseManifest bounds it by the kind; the operator's narrower limit stands.
	limits = limits.stricter(manifest.Limits)
	if memory := module.memory; uint64(memory.min) > limits.MemoryPages {
		return refuse(abi.ExportMemory, "", "the memory starts with %d pages, at most %d", memory.min, limits.MemoryPages)
	} else if memory.hasMax && uint64(memory.max) > DefaultLimits(kind).MemoryPages {
		return refuse(abi.ExportMemory, "declare a smaller maximum, or none", "the memory may grow to %d pages, at most %d", memory.max, DefaultLimits(kind).MemoryPages)
	}
	hash, err := grants.hash()
	if err != nil {
		return err
	}
	if p.warmUps, err = warmUpCalls(manifest, limits); err != nil {
		return err
	}
	p.manifest, p.manifestBytes, p.limits = manifest, module.manifest, limits
	p.identity = Identity{Engine: wazeroVersion(), Meter: meter.Version, ABIMinor: manifest.ABIMinor, Kind: kind, Grants: hash}
	return nil
}

// compile builds the plugin's own engine and runtime, so that closing the plugin frees all of it.
func (p *Plugin) compile(ctx context.Context, core []byte) error {
	config := p.host.config.Engine.config().
		WithCoreFeatures(guestFeatures).
		WithMemoryLimitPages(uint32(p.limits.MemoryPages)). // #nosec G115 -- at most the kind's
		WithDebugInfoEnabled(false)
	if dir := p.host.config.CacheDir; dir != "" {
		// Checked again: the directory may have changed hands since Open.
		folder, err := prepareCache(dir)
		if err != nil {
			return err
		}
		p.cache, err = wazero.NewCompilationCacheWithDir(folder)
		if err != nil {
			return &abi.Error{Code: CodeCacheUnsafe, Message: "the compilation cache cannot be opened", Where: folder, Cause: err}
		}
		config = config.WithCompilationCache(p.cache)
	}
	return protect("compile", func() error {
		p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
		if err := p.buildHostModules(ctx); err != nil {
			return err
		}
		compiled, err := p.runtime.CompileModule(ctx, core)
		if err == nil {
			p.compiled = compiled
			return nil
		}
		if strings.HasPrefix(err.Error(), "compilationcache:") {
			return &abi.Error{Code: CodeCacheUnsafe, Message: "an entry of the compilation cache is damaged", Where: p.host.config.CacheDir, Fix: "delete the directory", Cause: err}
		}
		return &abi.Error{Code: CodeInstallRefused, Message: "the module is not valid WebAssembly 2.0 without SIMD", Where: "module", Cause: err}
	})
}

func (p *Plugin) buildHostModules(ctx context.Context) error {
	for _, name := range []string{abi.ImportModule, abi.WASIModule} {
		builder := p.runtime.NewHostModuleBuilder(name)
		for _, f := range hostFunctions {
			if f.module == name {
				builder = builder.NewFunctionBuilder().WithGoModuleFunction(charged(f.call), f.params, f.results).Export(f.name)
			}
		}
		if _, err := builder.Instantiate(ctx); err != nil {
			return &abi.Error{Code: CodeInstallRefused, Message: "the host functions could not be built", Where: name, Cause: err}
		}
	}
	return nil
}

// charged makes a host function cost what a call of any of them takes.
func charged(call api.GoModuleFunc) api.GoModuleFunc {
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		stateOf(ctx).charge(hostCallFuel)
		call(ctx, mod, stack)
	}
}

// checkCompiled judges what wazero decoded, which is what will run, and then asks the guest for its ABI version.
func (p *Plugin) checkCompiled(ctx context.Context) error {
	if err := checkImports(p.compiled.ImportedFunctions()); err != nil {
		return err
	}
	if err := checkExports(p.compiled, p.identity.Kind); err != nil {
		return err
	}
	minor, err := p.start(ctx)
	if err != nil {
		return err
	}
	// The manifest's minor is one that this host speaks: ParseManifest refuses newer ones.
	if minor != p.manifest.ABIMinor {
		return &abi.Error{
			Code: CodeABIUnsupported, Where: abi.ExportVersion, Fix: "build the guest and its manifest with the same SDK",
			Message: "purser_abi_1 and the manifest name different minor versions",
		}
	}
	return nil
}

// start runs _initialize, asks the guest for its ABI version (a Go guest traps before it is initialised), and keeps the
// instance for the first configuration.
func (p *Plugin) start(ctx context.Context) (minor uint64, err error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	i, err := p.instantiate()
	if err != nil {
		return 0, refusedBy(err)
	}
	i.allow(p.limits.StartFuel)
	minor, err = i.introduce()
	p.tell(i.state.log.lines)
	if err != nil {
		return 0, alsoFailed(refusedBy(err), i.close())
	}
	p.startFuel = i.used()
	p.spare.Store(i)
	return minor, nil
}

func (i *instance) introduce() (minor uint64, err error) {
	if i.module.ExportedFunction(abi.ExportInitialize) != nil {
		if err := i.call(abi.ExportInitialize); err != nil {
			return 0, err
		}
	}
	if err := i.call(abi.ExportVersion); err != nil {
		return 0, err
	}
	if i.tainted() {
		return 0, fault(CodeInstallRefused, abi.ExportInitialize, "the guest changes its tables, or drops a segment, while it starts")
	}
	return uint64(api.DecodeU32(i.words[0])), nil
}

// refusedBy makes a guest's failure during install a refusal; deadline and closed are not the guest's failures.
func refusedBy(err error) error {
	if code := abi.CodeOf(err); code == CodeDeadline || code == CodeClosed {
		return err
	}
	return &abi.Error{Code: CodeInstallRefused, Message: "the module failed while it was started", Where: abi.ExportVersion, Cause: err}
}
