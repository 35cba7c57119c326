package judge

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
)

// HostConfig configures a Host. The zero value works.
type HostConfig struct {
	// CacheDir keeps compiled modules between runs. It holds native code that is run as it is, so it must belong to
	// this user alone; it is made if it is missing and refused if it is not private. Empty compiles every module anew.
	CacheDir string
	// Calls is how many guests run at once. Default GOMAXPROCS.
	Calls int
	// QueueWait is how long a call waits for its turn. Default one second.
	QueueWait time.Duration
	// Now is the clock of the times that a Step took. Default time.Now. Guests never see it.
	Now func() time.Time
	// Log hears what plugins say and why their calls fail, on the caller's goroutine and from many at once. The limits
	// of a call bound how much that is. Optional.
	Log func(LogRecord)
}

// Host keeps plugins loaded. The same module with the same grants is installed once and the same configuration of it
// made once, however many policies, generations and sides use it; what nobody uses any more is freed at once, so that
// a process can reload for years. It is safe for concurrent use.
type Host struct {
	sandbox *sandbox.Host
	now     func() time.Time
	log     func(LogRecord) // or nil
	// loading admits one Load at a time, so that two of one module install it once.
	loading chan struct{}

	mu      sync.Mutex
	modules map[moduleKey]*module
}

// moduleKey is what an installed module is the same by. Grants are canonical JSON.
type moduleKey struct {
	sha256 [sha256.Size]byte
	kind   abi.Kind
	grants string
}

// module is an installed module and its configurations, by their canonical JSON. Under Host.mu.
type module struct {
	key     moduleKey
	plugin  *sandbox.Plugin
	configs map[string]*configured
	// holds counts configurations and loads under way.
	holds int
}

// configured is one configuration and how many Plugins hold it.
type configured struct {
	guest *sandbox.Configured
	holds int
}

// OpenHost checks the configuration and the cache directory. Errors have the codes cache_unsafe and input_invalid.
// Close the host when done.
func OpenHost(config HostConfig) (*Host, error) {
	box, err := sandbox.Open(sandbox.Config{CacheDir: config.CacheDir, Calls: config.Calls, QueueWait: config.QueueWait, Log: listener(config.Log)})
	if err != nil {
		return nil, err
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Host{sandbox: box, now: config.Now, log: config.Log, loading: make(chan struct{}, 1), modules: make(map[moduleKey]*module)}, nil
}

// Close ends every running call with the code closed, waits for them and frees all plugins, whoever holds them.
func (h *Host) Close() error { return h.sandbox.Close() }

// Loaded is how many modules and how many configurations of them are in memory now.
func (h *Host) Loaded() (modules, configurations int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.modules {
		configurations += len(m.configs)
	}
	return len(h.modules), configurations
}

// enter waits for the only place in which modules are loaded.
func (h *Host) enter(ctx context.Context) (leave func(), err error) {
	select {
	case h.loading <- struct{}{}:
		return func() { <-h.loading }, nil
	case <-ctx.Done():
		return nil, &abi.Error{Code: abi.ReasonDeadline, Where: "load", Message: "the caller's time was over while another plugin was loaded", Retry: abi.RetryLater, Cause: context.Cause(ctx)}
	}
}

// hold finds a module that is in memory and keeps it there.
func (h *Host) hold(key moduleKey) *module {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.modules[key]
	if m != nil {
		m.holds++
	}
	return m
}

// adopt keeps a new module with one hold.
func (h *Host) adopt(key moduleKey, plugin *sandbox.Plugin) *module {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &module{key: key, plugin: plugin, configs: make(map[string]*configured), holds: 1}
	h.modules[key] = m
	return m
}

// drop gives one hold on a module back and frees the module with the last.
func (h *Host) drop(m *module) error {
	h.mu.Lock()
	m.holds--
	last := m.holds == 0
	if last {
		delete(h.modules, m.key)
	}
	h.mu.Unlock()
	if last {
		return m.plugin.Close()
	}
	return nil
}

// take returns the guest of a configuration that is in memory, held once more.
func (h *Host) take(m *module, config string) *sandbox.Configured {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := m.configs[config]
	if c == nil {
		return nil
	}
	c.holds++
	return c.guest
}

// put keeps a new configuration, held once. It has a hold on its module.
func (h *Host) put(m *module, config string, guest *sandbox.Configured) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.configs[config] = &configured{guest: guest, holds: 1}
	m.holds++
}

// give returns one hold on a configuration and frees it with the last.
func (h *Host) give(m *module, config string) error {
	h.mu.Lock()
	c := m.configs[config]
	c.holds--
	last := c.holds == 0
	if last {
		delete(m.configs, config)
	}
	h.mu.Unlock()
	if !last {
		return nil
	}
	return alsoFailed(c.guest.Close(), h.drop(m))
}
