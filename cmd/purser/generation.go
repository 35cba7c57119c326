package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/sandbox"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// generation is what one reading of the files gave. It takes effect whole or not at all.
type generation struct {
	runtime  runtime.Rules
	cosigner *judge.Judge
	// reachable are the host:port addresses off the public internet that the runtime's operator names.
	reachable map[string]bool
}

// load compiles both sides' policies and loads their plugins and the adapter. It changes nothing.
func (s *stack) load(ctx context.Context) (generation, error) {
	first, err := s.loadJudge(ctx, s.config.policy, policy.Options{})
	if err != nil {
		return generation{}, err
	}
	path := s.config.cosignerPolicy
	if path == "" {
		path = s.config.policy
	}
	second, err := s.loadJudge(ctx, path, policy.Options{Cosigner: true})
	if err != nil {
		return generation{}, fmt.Errorf("co-signer: %w", err)
	}
	adapter, err := s.loadAdapter(ctx)
	if err != nil {
		return generation{}, fmt.Errorf("chain adapter: %w", err)
	}
	reachable, err := s.reachable(first)
	return generation{runtime.Rules{Judge: first, Adapters: []*runtime.Adapter{adapter}}, second, reachable}, err
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

func (s *stack) loadJudge(ctx context.Context, path string, options policy.Options) (*judge.Judge, error) {
	compiled, err := policy.Load(path, options)
	if err != nil {
		return nil, err
	}
	return judge.Open(ctx, s.sandbox, compiled.Bundle, compiled.Tokens(), func(plugin rules.Plugin) ([]byte, error) {
		name := plugin.Path
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(path), name)
		}
		return os.ReadFile(name)
	})
}

func (s *stack) loadAdapter(ctx context.Context) (*runtime.Adapter, error) {
	module, err := bundledOrFile(s.config.adapter)
	if err != nil {
		return nil, err
	}
	guest, err := judge.Configure(ctx, s.sandbox, module, abi.KindChain, sandbox.Grants{RPCMethods: adapterMethods}, []byte("{}"))
	if err != nil {
		return nil, err
	}
	return runtime.NewAdapter(ctx, guest, adapterMethods)
}

func bundledOrFile(path string) ([]byte, error) {
	if path == "" {
		return bundle.Module(defaultAdapter)
	}
	return os.ReadFile(path)
}

// reload reads the policies, plugins and adapter again and swaps them in. On error the old ones keep serving.
func (s *stack) reload(ctx context.Context) error {
	next, err := s.load(ctx)
	if err != nil {
		return err
	}
	if err := s.runtime.Reload(next.runtime); err != nil {
		return err
	}
	s.cosigner.Reload(next.cosigner)
	s.allowed.replace(next.reachable)
	return nil
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
