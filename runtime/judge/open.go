package judge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// Open loads every plugin that the bundle's policies name, each pinned by its digest, and configures it once per use.
// tokens are the assets the bundle pays with, load reads a plugin's module. The plugins belong to host, which closes
// them.
func Open(ctx context.Context, host *sandbox.Host, bundle *rules.Bundle, tokens pinned.Table, load func(rules.Plugin) ([]byte, error)) (*Judge, error) {
	j := &Judge{bundle: bundle, tokens: tokens, guests: make(map[guestKey]*sandbox.Configured)}
	spec, err := bundle.Spec()
	if err != nil {
		return nil, err
	}
	for _, policy := range spec.Policies {
		if policy.Breaker.PaidUndelivered > 0 {
			return nil, &abi.Error{
				Code: "breaker_unavailable", Where: policy.Name + ".breaker", Message: "nothing in this version counts undelivered payments, so the breaker would protect nobody",
				Fix: "remove the breaker; max_transactions_per_hour counts failed deliveries too",
			}
		}
		for _, plugin := range policy.Plugins {
			guest, err := openPlugin(ctx, host, plugin, load)
			if err != nil {
				return nil, fmt.Errorf("plugin %s of policy %s: %w", plugin.Name, policy.Name, err)
			}
			j.guests[guestKey{policy.Name, plugin.Name}] = guest
		}
	}
	return j, nil
}

func openPlugin(ctx context.Context, host *sandbox.Host, plugin rules.Plugin, load func(rules.Plugin) ([]byte, error)) (*sandbox.Configured, error) {
	module, err := load(plugin)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != plugin.SHA256 {
		return nil, &abi.Error{
			Code: "plugin_digest_mismatch", Where: plugin.Path,
			Message: fmt.Sprintf("the module's SHA-256 is %x, the policy pins %s", sum, plugin.SHA256), Fix: "load the pinned module, or review the new one and pin it",
		}
	}
	grants, err := sandbox.ParseGrants([]byte(plugin.Grants))
	if err != nil {
		return nil, err
	}
	return Configure(ctx, host, module, abi.KindPolicy, grants, []byte(plugin.Config))
}

// Configure installs a module and configures it: config is JSON. What the guest objects to is an error with code
// configure_failed that lists every problem.
func Configure(ctx context.Context, host *sandbox.Host, module []byte, kind abi.Kind, grants sandbox.Grants, config []byte) (*sandbox.Configured, error) {
	installed, err := host.Install(ctx, module, kind, grants)
	if err != nil {
		return nil, err
	}
	canonical, entries, err := abi.Flatten(config)
	if err != nil {
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
		return nil, &abi.Error{Code: "configure_failed", Message: "the plugin's answer to its configuration cannot be read", Cause: err}
	}
	if !result.Ok {
		return nil, &abi.Error{
			Code: "configure_failed", Message: fmt.Sprintf("the plugin refuses its configuration: %v", result.Problems),
			Fix: "correct the plugin's config in the policy",
		}
	}
	return guest, nil
}
