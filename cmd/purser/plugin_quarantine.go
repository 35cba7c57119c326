package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

// pluginQuarantineCommand is about plugins that kept failing and are not called any more.
func pluginQuarantineCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "quarantine", Short: "List and clear plugins that are not called any more"}
	command.AddCommand(pluginQuarantineList(out), pluginQuarantineClear(out))
	return command
}

func pluginQuarantineList(out *console) *cobra.Command {
	var where remote
	return where.asOperator("list", "List what is quarantined, for whom and why", exactly(0, "none"), func(ctx context.Context, operator *client.Client, _ []string) error {
		all, err := operator.Quarantines(ctx)
		if err != nil {
			return err
		}
		text := ""
		for _, q := range all {
			text += fmt.Sprintf("%s/%s for %s since %s: %s, last by %q (module %.12s)\n  clear it: %s\n", q.Policy, q.Plugin, forWhom(q.Agent), q.Since.UTC().Format(time.RFC3339), q.Code, q.By, q.Module, clearLine(q))
		}
		return out.result(map[string]any{"quarantine": all}, text)
	})
}

func pluginQuarantineClear(out *console) *cobra.Command {
	var where remote
	var agent string
	command := where.asOperator("clear POLICY/PLUGIN", "Have a plugin called again", exactly(1, "POLICY/PLUGIN"), func(ctx context.Context, operator *client.Client, args []string) error {
		policy, plugin, ok := strings.Cut(args[0], "/")
		if !ok {
			return &abi.Error{Code: "request_invalid", Where: "POLICY/PLUGIN", Message: fmt.Sprintf("%.150q is not a policy's plugin", args[0]), Fix: "copy it from: purser plugin quarantine list"}
		}
		all, err := operator.Quarantines(ctx)
		if err != nil {
			return err
		}
		cleared, text := []api.QuarantineView{}, ""
		for _, q := range all {
			if q.Policy != policy || q.Plugin != plugin || agent != "" && q.Agent != agent {
				continue
			}
			done, err := operator.ClearQuarantine(ctx, api.QuarantineParams{Policy: policy, Plugin: plugin, Agent: q.Agent})
			if err != nil {
				return err
			}
			cleared = append(cleared, done)
			text += fmt.Sprintf("%s/%s is called again for %s\n", done.Policy, done.Plugin, forWhom(done.Agent))
		}
		if len(cleared) == 0 {
			return nothingToClear(all, args[0], agent)
		}
		return out.result(map[string]any{"cleared": cleared}, text)
	})
	command.Flags().StringVar(&agent, "agent", "", "clear only for this agent; none: every quarantine of the plugin")
	return command
}

// nothingToClear says why: a quarantine for everybody cannot be lifted for one.
func nothingToClear(all []api.QuarantineView, name, agent string) error {
	for _, q := range all {
		if q.Policy+"/"+q.Plugin == name && q.Agent == "" {
			return &abi.Error{
				Code: "not_found", Where: name, Message: fmt.Sprintf("the plugin is quarantined for everybody, and not for the agent %q alone", agent),
				Fix: "clear it for everybody: " + clearLine(q),
			}
		}
	}
	return &abi.Error{Code: "not_found", Where: name, Message: "the plugin is not quarantined for " + forWhom(agent), Fix: "list what is with: purser plugin quarantine list"}
}

// clearLine is the command that lifts a quarantine.
func clearLine(q api.QuarantineView) string {
	line := "purser plugin quarantine clear " + q.Policy + "/" + q.Plugin
	if q.Agent != "" {
		line += " --agent " + q.Agent
	}
	return line
}

func forWhom(agent string) string {
	if agent == "" {
		return "everybody"
	}
	return fmt.Sprintf("the agent %q", agent)
}
