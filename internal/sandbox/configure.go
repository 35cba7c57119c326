package sandbox

import (
	"bytes"
	"context"
	"crypto/sha256"

	"github.com/purserhq/purser/abi"
)

// ConfigureResult is what purser_configure returned: the encoded message, unread. It may say that the configuration
// is wrong; a caller that calls a Configured whose result was not ok is wrong.
type ConfigureResult []byte

// Configured is a plugin with a configuration. It is safe for concurrent use: every call has its own instance.
type Configured struct {
	plugin   *Plugin
	identity Identity
	config   []byte
	// answer is the hash of the configure result, which every later instance must repeat.
	answer Digest
}

// Configure runs the guest's purser_configure once and returns its raw result for the caller to decode. config is the
// encoded message of the ABI; it is copied. The guest sees no time (its clock stands at one nanosecond).
//
// A guest that fails is configure_failed, with the failure as its cause; other codes are input_too_large, deadline
// and closed.
func (p *Plugin) Configure(ctx context.Context, config []byte) (*Configured, ConfigureResult, error) {
	if err := p.checkInput(abi.ExportConfigure, config); err != nil {
		return nil, nil, err
	}
	config = bytes.Clone(config)
	state := p.newState(config)
	defer p.tell(&state.log)
	leave, err := p.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	i, answer, err := p.configured(ctx, state, config)
	if err != nil {
		return nil, nil, err
	}
	if err := i.close(); err != nil {
		return nil, nil, err
	}
	identity := p.identity
	identity.Config = Digest(sha256.Sum256(config))
	return &Configured{plugin: p, identity: identity, config: config, answer: Digest(sha256.Sum256(answer))}, answer, nil
}

// Identity returns what decision records say about the module and its configuration.
func (c *Configured) Identity() Identity { return c.identity }

// configured makes an instance, initialises and configures it. The caller closes the instance.
func (p *Plugin) configured(ctx context.Context, state *callState, config []byte) (*instance, []byte, error) {
	allowed, cancel := p.allowed(ctx, state, p.limits.StartTime)
	defer cancel()
	i, err := p.start(ctx, allowed, state)
	if err != nil {
		return nil, nil, notConfigured(err)
	}
	answer, err := i.send(ctx, allowed, abi.ExportConfigure, config)
	if err != nil {
		return nil, nil, alsoFailed(notConfigured(err), i.close())
	}
	return i, answer, nil
}

func (p *Plugin) checkInput(export string, message []byte) error {
	if uint64(len(message)) > uint64(p.limits.InputBytes) {
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
