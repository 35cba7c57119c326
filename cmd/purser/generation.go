package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/trust"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// generation is what one reading of the files gave. It takes effect whole or not at all.
type generation struct {
	runtime  *judge.Judge
	cosigner *judge.Judge
	adapter  *runtime.Adapter
	plugin   *judge.Plugin // the adapter's
	// reachable are the host:port addresses off the public internet that the runtime's operator names.
	reachable map[string]bool
	steps     []sideStep

	// sides counts those that still use the generation, and left is closed when none does.
	sides atomic.Int64
	left  chan struct{}
}

// sideStep is one stage of loading, and on which side.
type sideStep struct {
	Side string `json:"side"`
	judge.Step
}

// load compiles both sides' policies and loads their plugins and the adapter. It changes nothing, and what it loaded
// before it failed is let go.
func (s *stack) load(ctx context.Context) (_ *generation, err error) {
	g := &generation{left: make(chan struct{})}
	for _, role := range roles {
		if s.plays(role) {
			g.sides.Add(1)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close(roleRuntime), g.close(roleCosigner))
		}
	}()
	if s.plays(roleRuntime) {
		if g.runtime, err = s.loadJudge(ctx, g, roleRuntime, s.config.policy, policy.Options{}); err != nil {
			return nil, err
		}
	}
	if s.plays(roleCosigner) {
		path := s.config.cosignerPolicy
		if path == "" {
			path = s.config.policy
		}
		if g.cosigner, err = s.loadJudge(ctx, g, roleCosigner, path, policy.Options{Cosigner: true}); err != nil {
			return nil, fmt.Errorf("co-signer: %w", err)
		}
	}
	if !s.plays(roleRuntime) {
		return g, nil
	}
	if err := s.loadAdapter(ctx, g); err != nil {
		return nil, fmt.Errorf("chain adapter: %w", err)
	}
	g.reachable, err = s.reachable(g.runtime)
	return g, err
}

// judges are the judges of the roles that this process plays.
func (g *generation) judges() map[string]*judge.Judge {
	all := map[string]*judge.Judge{}
	if g.runtime != nil {
		all[roleRuntime] = g.runtime
	}
	if g.cosigner != nil {
		all[roleCosigner] = g.cosigner
	}
	return all
}

// close lets one side's part of the generation go.
func (g *generation) close(role string) error {
	var all []error
	switch role {
	case roleRuntime:
		if g.runtime != nil {
			all = append(all, g.runtime.Close())
		}
		if g.plugin != nil {
			all = append(all, g.plugin.Close())
		}
	case roleCosigner:
		if g.cosigner != nil {
			all = append(all, g.cosigner.Close())
		}
	}
	return errors.Join(all...)
}

// drained is what a side calls when its last decision under this generation is recorded.
func (s *stack) drained(g *generation, role string) func() {
	return func() {
		if err := g.close(role); err != nil {
			s.config.log.Error("a replaced plugin was not freed", "side", role, "error", err.Error())
		}
		if g.sides.Add(-1) == 0 {
			close(g.left)
		}
	}
}

// rules is the runtime's part of the generation.
func (s *stack) rules(g *generation) runtime.Rules {
	return runtime.Rules{Judge: g.runtime, Adapters: []*runtime.Adapter{g.adapter}, Drained: s.drained(g, roleRuntime)}
}

// reachable are the merchants' addresses of the runtime's own policy, and what the configuration adds.
func (s *stack) reachable(j *judge.Judge) (map[string]bool, error) {
	spec, err := j.Bundle().Spec()
	if err != nil {
		return nil, err
	}
	hosts := make(map[string]bool, len(spec.Merchants)+len(s.config.private))
	for _, merchant := range spec.Merchants {
		if host, ok := originHost(merchant.Origin); ok {
			hosts[host] = true
		}
	}
	for _, address := range s.config.private {
		hosts[address] = true
	}
	return hosts, nil
}

func (s *stack) loadJudge(ctx context.Context, g *generation, role, path string, options policy.Options) (*judge.Judge, error) {
	begin := time.Now()
	compiled, err := policy.Load(path, options)
	if err != nil {
		return nil, err
	}
	g.note(role, judge.Step{Stage: judge.StagePolicy, Took: time.Since(begin)})
	var modules [][]byte
	j, err := judge.Open(ctx, s.plugins, judge.Source{
		Bundle: compiled.Bundle, Tokens: compiled.Tokens(),
		Read: func(plugin rules.Plugin) ([]byte, error) {
			module, err := readModule(besidePolicy(path, plugin.Path))
			modules = append(modules, module)
			return module, err
		},
		Verify: func(_ context.Context, plugin rules.Plugin, module []byte) error {
			return trust.Require(module, trust.Demand{Signers: plugin.Signers}, func() ([]byte, error) { return readSignature(besidePolicy(path, plugin.Path) + trust.SignatureEnding) })
		},
	})
	if err != nil {
		return nil, placed(compiled, err)
	}
	if err := keep(s.config.data, compiled.Bundle, modules); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	g.note(role, j.Steps()...)
	return j, nil
}

func (g *generation) note(role string, steps ...judge.Step) {
	for _, step := range steps {
		g.steps = append(g.steps, sideStep{role, step})
	}
}

func (s *stack) loadAdapter(ctx context.Context, g *generation) error {
	module, err := bundledOrFile(s.config.adapter)
	if err != nil {
		return err
	}
	for role, j := range g.judges() {
		if err := s.checkAdapter(module, j); err != nil {
			return fmt.Errorf("the %s's policy: %w", role, err)
		}
	}
	grants, err := json.Marshal(map[string]any{"rpc_methods": adapterMethods})
	if err != nil {
		return err
	}
	if g.plugin, err = s.plugins.Load(ctx, judge.Use{Module: module, Kind: abi.KindChain, Grants: grants}); err != nil {
		return err
	}
	for _, step := range g.plugin.Steps() {
		step.Plugin = "adapter"
		g.note(roleRuntime, step)
	}
	g.adapter, err = runtime.NewAdapter(ctx, g.plugin, adapterMethods)
	return err
}

func bundledOrFile(path string) ([]byte, error) {
	if path == "" {
		return bundle.Module(defaultAdapter)
	}
	return readModule(path)
}

// originHost is the host:port of an origin, with the scheme's port when it names none.
func originHost(origin string) (string, bool) {
	target, err := url.Parse(origin)
	if err != nil || target.Hostname() == "" {
		return "", false
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	return target.Hostname() + ":" + port, true
}

// besidePolicy is a plugin's path: relative ones are from the policy's folder.
func besidePolicy(policy, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(policy), name)
}

// checkAdapter asks of the chain adapter what one side's policy demands. The bundled one is part of the binary:
// whoever could change it could change this check.
func (s *stack) checkAdapter(module []byte, j *judge.Judge) error {
	spec, err := j.Bundle().Spec()
	if err != nil {
		return err
	}
	demand := trust.Demand(spec.ChainTrust)
	if s.config.adapter == "" {
		demand.Signers = nil
	}
	return trust.Require(module, demand, func() ([]byte, error) { return readSignature(s.config.adapter + trust.SignatureEnding) })
}
