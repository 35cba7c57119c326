package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/purserhq/purser/abi"
	"github.com/tetratelabs/wazero"
)

// Plugin is an installed module. It is safe for concurrent use.
type Plugin struct {
	host          *Host
	manifest      *abi.Manifest
	manifestBytes []byte
	identity      Identity
	limits        Limits

	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	// globals are the names of the module's own mutable globals.
	globals []string
	warmUps []Call

	// startFuel is what _initialize took. The state behind it is the same for every configuration: spare is in it until
	// somebody configures it, and starting guards the image that only a second configuration needs.
	startFuel uint64
	spare     atomic.Pointer[instance]
	starting  sync.Mutex
	started   *image

	// use is read-locked by every call and locked by Close: freeing native code under a running guest would end the
	// process.
	use    sync.RWMutex
	closed bool
}

// Manifest returns what the module says about itself. The caller must not change its slices.
func (p *Plugin) Manifest() abi.Manifest { return *p.manifest }

// ManifestBytes returns a copy of the purser.manifest section.
func (p *Plugin) ManifestBytes() []byte { return bytes.Clone(p.manifestBytes) }

// Identity returns what decision records say about the module; Config is zero, see Configured.Identity.
func (p *Plugin) Identity() Identity { return p.identity }

// Limits returns the limits in force: the kind's, narrowed by host, grants and manifest.
func (p *Plugin) Limits() Limits { return p.limits }

// Close waits for running calls and frees the compiled module. Later calls fail with closed. Closing twice is
// harmless.
func (p *Plugin) Close() error {
	p.use.Lock()
	defer p.use.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	p.host.forget(p)
	return p.release()
}

// release frees the runtime and its engine.
func (p *Plugin) release() error {
	ctx := context.Background()
	var errs []error
	if p.compiled != nil {
		errs = append(errs, p.compiled.Close(ctx))
	}
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("free module: %w", err)
	}
	return nil
}

// enter takes a slot and keeps the plugin from being freed. The caller must call leave.
func (p *Plugin) enter(ctx context.Context) (leave func(), err error) {
	if err := p.host.queue.enter(ctx, p.host.running); err != nil {
		return nil, err
	}
	p.use.RLock()
	if p.closed {
		p.use.RUnlock()
		p.host.queue.leave()
		return nil, fault(CodeClosed, p.manifest.Name, "the plugin is closed")
	}
	return func() { p.use.RUnlock(); p.host.queue.leave() }, nil
}

// tell hands the log of a call to the sink.
func (p *Plugin) tell(lines []LogLine) {
	if p.host.config.Log == nil {
		return
	}
	for _, line := range lines {
		p.host.config.Log(LogRecord{Plugin: p.manifest.Name, Module: p.identity.Module, LogLine: line})
	}
}

// takeStarted returns an initialised instance.
func (p *Plugin) takeStarted() (*instance, error) {
	if i := p.spare.Swap(nil); i != nil {
		return i, nil
	}
	p.starting.Lock()
	defer p.starting.Unlock()
	if p.started != nil {
		return p.copyOf(p.started)
	}
	i, err := p.instantiate()
	if err != nil {
		return nil, err
	}
	i.allow(p.limits.StartFuel)
	if _, err = i.introduce(); err == nil {
		p.started, err = i.capture()
	}
	if err != nil {
		return nil, alsoFailed(err, i.close())
	}
	return i, nil
}
