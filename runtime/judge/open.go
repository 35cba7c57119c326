package judge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// Source is what a judge is opened from.
type Source struct {
	Bundle *rules.Bundle
	// Tokens are the assets the bundle pays with.
	Tokens pinned.Table
	// Read returns a plugin's module.
	Read func(rules.Plugin) ([]byte, error)
	// Verify, when set, has the last word on a module whose digest is the pinned one: a signature, an allow list.
	Verify func(ctx context.Context, plugin rules.Plugin, module []byte) error
}

// Open loads every plugin that the bundle's policies name, each pinned by its digest, and configures it once per use;
// what the host holds already is shared. host may be nil when no policy names a plugin. A plugin's failure is a
// *StageError, and nothing stays loaded. Close the judge when no decision uses it any more.
func Open(ctx context.Context, host *Host, source Source) (_ *Judge, err error) {
	j := &Judge{bundle: source.Bundle, tokens: source.Tokens, guests: make(map[guestKey]*guest)}
	defer func() {
		if err != nil {
			err = alsoFailed(err, j.Close())
		}
	}()
	spec, err := source.Bundle.Spec()
	if err != nil {
		return nil, err
	}
	for _, policy := range spec.Policies {
		if host == nil && len(policy.Plugins) > 0 {
			return nil, fmt.Errorf("open judge: policy %s names plugins, and there is no host for them", policy.Name)
		}
		for _, plugin := range policy.Plugins {
			steps := stages{policy: policy.Name, plugin: plugin.Name, now: host.now}
			loaded, err := host.open(ctx, &steps, source, plugin)
			j.steps = append(j.steps, steps.done...)
			if err != nil {
				return nil, err
			}
			j.guests[guestKey{policy.Name, plugin.Name}] = newGuest(loaded)
		}
	}
	return j, nil
}

// open takes one plugin through all its stages.
func (h *Host) open(ctx context.Context, steps *stages, source Source, plugin rules.Plugin) (*Plugin, error) {
	var module []byte
	if err := steps.take(StageRead, false, func() (err error) {
		module, err = source.Read(plugin)
		return err
	}); err != nil {
		return nil, err
	}
	if err := steps.take(StageVerify, false, func() error { return verify(ctx, source, plugin, module) }); err != nil {
		return nil, err
	}
	loaded, err := h.Load(ctx, Use{Module: module, Kind: abi.KindPolicy, Grants: []byte(plugin.Grants), Config: []byte(plugin.Config)})
	var failed *StageError
	if errors.As(err, &failed) {
		failed.Policy, failed.Plugin = steps.policy, steps.plugin
	}
	if err != nil {
		return nil, err
	}
	for _, step := range loaded.steps {
		step.Policy, step.Plugin = steps.policy, steps.plugin
		steps.done = append(steps.done, step)
	}
	return loaded, nil
}

func verify(ctx context.Context, source Source, plugin rules.Plugin, module []byte) error {
	if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != plugin.SHA256 {
		return &abi.Error{
			Code: "plugin_digest_mismatch", Where: plugin.Path,
			Message: fmt.Sprintf("the module's SHA-256 is %x, the policy pins %s", sum, plugin.SHA256), Fix: "load the pinned module, or review the new one and pin it",
		}
	}
	if source.Verify == nil && len(plugin.Signers) > 0 {
		return &abi.Error{
			Code: "signature_missing", Where: plugin.Path, Message: "the policy demands a signature on this plugin, and nothing here can check one",
			Fix: "open the judge with a Verify",
		}
	}
	if source.Verify == nil {
		return nil
	}
	return source.Verify(ctx, plugin, module)
}

// Steps say how each plugin was loaded, in the order in which it was.
func (j *Judge) Steps() []Step { return append([]Step(nil), j.steps...) }

// Close lets the judge's plugins go. No decision may use the judge any more. Closing twice is harmless.
func (j *Judge) Close() error {
	var all []error
	for _, guest := range j.guests {
		all = append(all, guest.plugin.Close())
	}
	return errors.Join(all...)
}
