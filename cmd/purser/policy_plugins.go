package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/runtime/policy/rules"
)

// pluginQueueWait is how long a plugin's call waits for its turn: loading proves vectors, many at once.
const pluginQueueWait = 10 * time.Second

// tryPlugins loads every plugin of a policy as a start or a reload does, and lets them go again. It reports all that do
// not load, each at its place in the file: what is found here, no reload refuses later.
func tryPlugins(ctx context.Context, path string, compiled *policy.Bundle) (err error) {
	spec, err := compiled.Spec()
	if err != nil {
		return err
	}
	host, err := judge.OpenHost(judge.HostConfig{CacheDir: pluginCache(), QueueWait: pluginQueueWait})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	var problems policy.Problems
	for _, p := range spec.Policies {
		for _, plugin := range p.Plugins {
			loaded, err := tryPlugin(ctx, host, path, plugin)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed := &judge.StageError{Policy: p.Name, Plugin: plugin.Name, Stage: judge.StageRead, Err: err}
				errors.As(err, &failed)
				failed.Policy, failed.Plugin = p.Name, plugin.Name
				problem := problemAt(compiled.PluginPlace(p.Name, plugin.Name), failed.Err)
				problem.Message = fmt.Sprintf("plugin %s of policy %s: %s: %s", plugin.Name, p.Name, failed.Stage, problem.Message)
				problems = append(problems, problem)
				continue
			}
			// Held until the end: the same plugin in another policy is proven once.
			defer func() { err = errors.Join(err, loaded.Close()) }()
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func tryPlugin(ctx context.Context, host *judge.Host, path string, plugin rules.Plugin) (*judge.Plugin, error) {
	module, err := readModule(besidePolicy(path, plugin.Path))
	if err != nil {
		return nil, err
	}
	return host.Load(ctx, judge.Use{Module: module, Kind: abi.KindPolicy, Grants: []byte(plugin.Grants), Config: []byte(plugin.Config)})
}

// placed gives a plugin's failure to load its place in the policy file.
func placed(compiled *policy.Bundle, err error) error {
	var failed *judge.StageError
	if !errors.As(err, &failed) || failed.Plugin == "" {
		return err
	}
	at := *failed
	at.Err = problemAt(compiled.PluginPlace(failed.Policy, failed.Plugin), failed.Err)
	return &at
}

// problemAt is an error with another place. Its own, inside the module or the configuration, becomes part of the
// message.
func problemAt(place string, err error) *abi.Error {
	problem := &abi.Error{Code: abi.CodeOf(err), Where: place, Message: err.Error()}
	var coded *abi.Error
	if !errors.As(err, &coded) {
		return problem
	}
	problem.Message, problem.Fix, problem.Retry, problem.Cause = coded.Message, coded.Fix, coded.Retry, coded.Cause
	if coded.Where != "" {
		problem.Message += " (at " + coded.Where + ")"
	}
	return problem
}
