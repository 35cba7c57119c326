package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/purserhq/purser/abi"
)

// warmUpCallsMax bounds the calls a guest is warmed up with before its image is taken.
const warmUpCallsMax = 4

// ConfigureResult is what purser_configure returned: the encoded message, unread. It may say that the configuration
// is wrong; a caller that calls a Configured whose result was not ok is wrong.
type ConfigureResult []byte

// Configured is a plugin with a configuration. It is safe for concurrent use: every call has its own instance.
type Configured struct {
	plugin   *Plugin
	identity Identity
	pool     *pool
	// startFuel is what being started, configured and warmed up used.
	startFuel uint64

	// use is read-locked by every call and locked by Close.
	use    sync.RWMutex
	closed bool
}

// Configure runs the guest's purser_configure and returns its raw result for the caller to decode. config is the
// encoded message of the ABI; it is copied. The guest sees no time (its clock stands at one nanosecond). Then the
// guest is warmed up with the vectors of its manifest, and the state it is in is the one every call begins in.
//
// A guest that fails is configure_failed, with the failure as its cause; other codes are input_too_large, deadline
// and closed. The caller closes the Configured, or its plugin does.
func (p *Plugin) Configure(ctx context.Context, config []byte) (*Configured, ConfigureResult, error) {
	if err := p.checkInput(abi.ExportConfigure, config); err != nil {
		return nil, nil, err
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	i, err := p.takeStarted()
	if err != nil {
		return nil, nil, notConfigured(err)
	}
	answer, err := i.configure(config)
	p.tell(i.state.log.lines)
	if err != nil {
		return nil, nil, alsoFailed(notConfigured(WithLastWords(err, i.state.log.lines)), i.close())
	}
	startFuel := p.startFuel + i.used()
	pool, warmFuel, err := i.settle(config)
	if err != nil {
		return nil, nil, notConfigured(err)
	}
	identity := p.identity
	identity.Config = Digest(sha256.Sum256(config))
	return &Configured{plugin: p, identity: identity, pool: pool, startFuel: startFuel + warmFuel}, answer, nil
}

// StartFuel is the metered work of starting, configuring and warming up, in the units of package meter.
func (c *Configured) StartFuel() uint64 { return c.startFuel }

// Identity returns what decision records say about the module and its configuration.
func (c *Configured) Identity() Identity { return c.identity }

// Close waits for running calls and frees the instances. Later calls fail with closed. Closing twice is harmless.
func (c *Configured) Close() error {
	c.use.Lock()
	defer c.use.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.pool.drain()
}

// enter takes a turn and keeps the plugin and the instances from being freed. The caller must call leave.
func (c *Configured) enter(ctx context.Context) (leave func(), err error) {
	leavePlugin, err := c.plugin.enter(ctx)
	if err != nil {
		return nil, err
	}
	c.use.RLock()
	if c.closed {
		c.use.RUnlock()
		leavePlugin()
		return nil, fault(CodeClosed, c.plugin.manifest.Name, "the configured plugin is closed")
	}
	return func() { c.use.RUnlock(); leavePlugin() }, nil
}

// configure hands the guest its configuration, with what is left of its start-up fuel.
func (i *instance) configure(config []byte) ([]byte, error) {
	p := i.plugin
	i.state.begin(0, p.limits)
	i.allow(p.limits.StartFuel - min(p.limits.StartFuel, p.startFuel))
	answer, err := i.send(abi.ExportConfigure, config)
	if err != nil {
		return nil, err
	}
	if i.tainted() {
		return nil, fault(CodeConfigureFailed, abi.ExportConfigure, "the guest changed its tables, or dropped a segment, before its first call")
	}
	return answer, nil
}

// settle warms a configured instance up and makes it the first of a pool. A guest that fails its warm-up, which one
// that refused its configuration may, stays cold: it is configured once more, rather than every other be copied before
// its warm-up. The instance is closed after an error.
func (i *instance) settle(config []byte) (_ *pool, fuel uint64, err error) {
	p := i.plugin
	for _, call := range p.warmUps {
		result, err := i.serve(call)
		fuel += result.Fuel
		if err == nil && !i.tainted() {
			continue
		}
		if err := i.close(); err != nil {
			return nil, fuel, err
		}
		if i, err = p.takeStarted(); err != nil {
			return nil, fuel, err
		}
		if _, err := i.configure(config); err != nil {
			return nil, fuel, alsoFailed(err, i.close())
		}
		break
	}
	image, err := i.capture()
	if err != nil {
		return nil, fuel, alsoFailed(err, i.close())
	}
	return newPool(p, image, i), fuel, nil
}

// warmUpCalls are the first of a manifest's vectors: they are part of the module, so that the state they leave behind
// is too. A Go guest's first calls grow its heap; without these, every call would do so again.
func warmUpCalls(m *abi.Manifest, limits Limits) ([]Call, error) {
	var calls []Call
	for _, vector := range m.Vectors {
		of, known := m.Kind.Call(vector.Call)
		if !known || !callable(m.Kind, of.Export) {
			continue
		}
		request := abi.NewMessage(of.Request)
		if err := request.UnmarshalJSON(vector.Request); err != nil {
			return nil, fmt.Errorf("vector %s: %w", vector.Name, err)
		}
		encoded, err := request.Marshal()
		if err != nil {
			return nil, fmt.Errorf("vector %s: %w", vector.Name, err)
		}
		if uint64(len(encoded)) > limits.InputBytes {
			continue
		}
		if calls = append(calls, Call{Export: of.Export, Request: bytes.Clone(encoded)}); len(calls) == warmUpCallsMax {
			break
		}
	}
	return calls, nil
}

func (p *Plugin) checkInput(export string, message []byte) error {
	if uint64(len(message)) > p.limits.InputBytes {
		return fault(CodeInputTooLarge, export, "the message has %d bytes, at most %d", len(message), p.limits.InputBytes)
	}
	return nil
}

// notConfigured gives a guest's failure before its call the code of the phase; deadline and closed are not the
// guest's failures.
func notConfigured(err error) error {
	if code := abi.CodeOf(err); code == CodeDeadline || code == CodeClosed {
		return err
	}
	return &abi.Error{Code: CodeConfigureFailed, Message: "the guest failed while it was configured", Where: abi.ExportConfigure, Cause: err}
}
