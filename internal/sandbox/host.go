package sandbox

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
)

// Config configures a Host. The zero value works.
type Config struct {
	// CacheDir keeps metered and compiled modules between runs: a Go guest takes seconds to compile and tens of
	// milliseconds to open. It holds native code that is run as it is, so it must belong to this user alone; Open makes it
	// if it is missing and refuses it if it is not private. Empty meters and compiles every module at every Install.
	CacheDir string
	// Policy and Chain narrow the limits of each kind. Zero fields are the defaults of DefaultLimits.
	Policy, Chain Limits
	// Engine runs the guests. Default Compiler.
	Engine Engine
	// Calls is how many guests run at once. Default GOMAXPROCS.
	Calls int
	// QueueWait is how long a call waits for its turn. Default one second.
	QueueWait time.Duration
	// Log receives what guests say, after the call that said it, on the caller's goroutine and from many at once.
	// Optional; the same lines are in Result.Log.
	Log func(LogRecord)
	// Now is the clock of Result.Elapsed. Default time.Now. Guests never see it.
	Now func() time.Time
}

// Host loads modules and bounds how many guests run at once. It is safe for concurrent use.
type Host struct {
	config Config
	limits map[abi.Kind]Limits
	queue  *queue
	// compiling admits one compilation at a time: each takes a processor and hundreds of megabytes.
	compiling chan struct{}
	// running ends when Close is called: no call begins after that.
	running context.Context
	stop    context.CancelFunc

	mu      sync.Mutex
	plugins map[*Plugin]struct{}

	// afterRestore, if a test sets it before the first Install, sees a memory that was put back, and its image.
	afterRestore func(memory, clean []byte)
}

// Open checks the configuration and the cache directory. Errors have the codes limit_widened, cache_unsafe or
// input_invalid. The caller must Close the Host.
func Open(config Config) (*Host, error) {
	if config.Calls < 0 || config.QueueWait < 0 {
		return nil, fault(CodeInputInvalid, "sandbox", "the number of calls and the queue wait cannot be negative")
	}
	if err := config.Engine.check(); err != nil {
		return nil, err
	}
	if config.Calls == 0 {
		config.Calls = goruntime.GOMAXPROCS(0)
	}
	if config.QueueWait == 0 {
		config.QueueWait = queueWaitDefault
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.CacheDir != "" {
		if _, err := prepareCache(config.CacheDir); err != nil {
			return nil, err
		}
	}
	limits := map[abi.Kind]Limits{}
	for kind, by := range map[abi.Kind]Limits{abi.KindPolicy: config.Policy, abi.KindChain: config.Chain} {
		narrowed, err := DefaultLimits(kind).narrow(by, "sandbox."+string(kind))
		if err != nil {
			return nil, err
		}
		limits[kind] = narrowed
	}
	running, stop := context.WithCancel(context.Background())
	return &Host{
		config: config, limits: limits, queue: newQueue(config.Calls, config.QueueWait),
		compiling: make(chan struct{}, 1), running: running, stop: stop, plugins: map[*Plugin]struct{}{},
	}, nil
}

// Close waits for running calls, which their fuel ends, and frees all plugins. Later calls fail with closed. Closing
// twice is harmless.
func (h *Host) Close() error {
	h.stop()
	h.mu.Lock()
	plugins := make([]*Plugin, 0, len(h.plugins))
	for p := range h.plugins {
		plugins = append(plugins, p)
	}
	h.mu.Unlock()
	var errs []error
	for _, p := range plugins {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// adopt makes p one of h's plugins, unless h was closed while p was installed.
func (h *Host) adopt(p *Plugin) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running.Err() != nil {
		return hostClosed()
	}
	h.plugins[p] = struct{}{}
	return nil
}

func (h *Host) forget(p *Plugin) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.plugins, p)
}

// compileAlone runs f while no other compilation runs.
func (h *Host) compileAlone(ctx context.Context, f func() error) error {
	select {
	case h.compiling <- struct{}{}:
		defer func() { <-h.compiling }()
	case <-ctx.Done():
		return &abi.Error{Code: CodeDeadline, Message: "the caller's time was over while another module was compiled", Where: "install", Retry: abi.RetryLater, Cause: context.Cause(ctx)}
	case <-h.running.Done():
		return hostClosed()
	}
	if err := ctx.Err(); err != nil {
		return &abi.Error{Code: CodeDeadline, Message: "the caller's time was over before the module was compiled", Where: "install", Retry: abi.RetryLater, Cause: fmt.Errorf("install: %w", err)}
	}
	return f()
}
