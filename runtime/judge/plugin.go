package judge

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/internal/schema"
)

// Use is a module as somebody wants to use it.
type Use struct {
	Module []byte
	Kind   abi.Kind
	// Grants and Config are JSON objects: what the operator lets the module have, and its configuration. Empty is {}.
	Grants, Config []byte
}

// Plugin is one holder's use of a loaded module. It is safe for concurrent use.
type Plugin struct {
	host   *Host
	module *module
	config string
	guest  *sandbox.Configured
	steps  []Step
	close  func() error
}

// Load makes a use ready: installed, configured and, when the module is new to the host, proven by the vectors of its
// manifest. The error is a *StageError that names the step; nothing stays loaded. The caller closes the Plugin.
func (h *Host) Load(ctx context.Context, use Use) (*Plugin, error) {
	steps := stages{now: h.now}
	grants, config, key, err := use.read()
	if err != nil {
		return nil, steps.failed(StageInstall, err)
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return nil, steps.failed(StageInstall, err)
	}
	defer leave()
	m := h.hold(key)
	fresh := m == nil
	if err := steps.take(StageInstall, !fresh, func() error {
		if !fresh {
			return nil
		}
		installed, err := h.sandbox.Install(ctx, use.Module, use.Kind, grants)
		if err == nil {
			m = h.adopt(key, installed)
		}
		return err
	}); err != nil {
		return nil, err
	}
	p := &Plugin{host: h, module: m, config: string(config)}
	if err := p.configure(ctx, &steps, fresh); err != nil {
		return nil, alsoFailed(err, h.drop(m))
	}
	p.steps = steps.done
	p.close = sync.OnceValue(func() error { return h.give(m, p.config) })
	return p, h.drop(m) // the configuration holds the module from here on
}

// configure finishes a use: its own configuration, and the vectors of a module that is new.
func (p *Plugin) configure(ctx context.Context, steps *stages, fresh bool) error {
	p.guest = p.host.take(p.module, p.config)
	shared := p.guest != nil
	if err := steps.take(StageConfigure, shared, func() (err error) {
		if !shared {
			p.guest, err = configure(ctx, p.module.plugin, []byte(p.config))
		}
		return err
	}); err != nil {
		return err
	}
	if err := steps.take(StageVectors, !fresh, func() error {
		if !fresh {
			return nil
		}
		return proveVectors(ctx, p.module.plugin)
	}); err != nil {
		return alsoFailed(err, p.guest.Close()) // a new module's configuration is shared with nobody
	}
	if !shared {
		p.host.put(p.module, p.config, p.guest)
	}
	return nil
}

// read checks the texts of a use and says what it is the same by.
func (u Use) read() (sandbox.Grants, []byte, moduleKey, error) {
	grantsText, err := object(u.Grants)
	if err != nil {
		return sandbox.Grants{}, nil, moduleKey{}, err
	}
	grants, err := sandbox.ParseGrants(grantsText)
	if err != nil {
		return sandbox.Grants{}, nil, moduleKey{}, err
	}
	config, err := object(u.Config)
	return grants, config, moduleKey{sha256: sha256.Sum256(u.Module), kind: u.Kind, grants: string(grantsText)}, err
}

func object(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return []byte("{}"), nil
	}
	return abi.CanonicalJSON(text)
}

// Close lets the plugin go; the last holder's Close frees it, after the calls that are running. Closing twice is
// harmless.
func (p *Plugin) Close() error { return p.close() }

// Steps say how the plugin was loaded.
func (p *Plugin) Steps() []Step { return append([]Step(nil), p.steps...) }

// Module is the SHA-256 of the module's bytes.
func (p *Plugin) Module() [sha256.Size]byte { return p.guest.Identity().Module }

// Config is the SHA-256 of the configuration as the guest received it.
func (p *Plugin) Config() [sha256.Size]byte { return p.guest.Identity().Config }

// same reports whether two uses are one: equal requests get equal answers.
func (p *Plugin) same(other *Plugin) bool {
	return p != nil && other != nil && p.guest.Identity() == other.guest.Identity()
}

// Call calls one export with an encoded message and returns the encoded answer. now is in unix seconds, the only time
// that the guest sees. Every error means that there is no answer.
func (p *Plugin) Call(ctx context.Context, export string, request []byte, now uint64) ([]byte, error) {
	answer, err := p.guest.Call(ctx, sandbox.Call{Export: export, Request: request, Now: now})
	if err != nil {
		p.host.tellFault(p.module, err, answer.Log)
	}
	return answer.Bytes, err
}

// configure makes a configuration of an installed module; config is JSON. What the guest objects to is an error with code
// configure_failed that lists every problem.
func configure(ctx context.Context, installed *sandbox.Plugin, config []byte) (*sandbox.Configured, error) {
	canonical, entries, err := abi.Flatten(config)
	if err != nil {
		return nil, err
	}
	if err := schema.Check(installed.Manifest().ConfigSchema, canonical); err != nil {
		return nil, err
	}
	request, err := (&abi.ConfigureRequest{Config: canonical, Entries: entries}).Marshal()
	if err != nil {
		return nil, err
	}
	guest, answer, err := installed.Configure(ctx, request)
	if err != nil {
		return nil, err
	}
	var result abi.ConfigureResult
	if err := result.Unmarshal(answer); err != nil {
		return nil, alsoFailed(&abi.Error{Code: abi.ReasonConfigureFailed, Message: "the plugin's answer to its configuration cannot be read", Cause: err}, guest.Close())
	}
	if !result.Ok {
		return nil, alsoFailed(&abi.Error{
			Code: abi.ReasonConfigureFailed, Message: "the plugin refuses its configuration: " + said(result.Problems),
			Fix: "correct the plugin's config in the policy",
		}, guest.Close())
	}
	return guest, nil
}

// said lists a plugin's objections. They are a guest's text, so that nothing of it but plain characters is repeated.
func said(problems []abi.ConfigProblem) string {
	if len(problems) == 0 {
		return "it gives no reason"
	}
	lines := make([]string, 0, len(problems))
	for _, problem := range problems {
		lines = append(lines, fmt.Sprintf("%q: %q", problem.Pointer, problem.Message))
	}
	return strings.Join(lines, "; ")
}

// alsoFailed adds an error of cleaning up to the error that made it necessary.
func alsoFailed(err, cleanup error) error {
	if cleanup == nil {
		return err
	}
	return errors.Join(err, cleanup)
}
