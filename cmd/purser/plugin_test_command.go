package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
)

func pluginTestCommand(out *console) *cobra.Command {
	var options abitest.Options
	var junit string
	command := &cobra.Command{
		Use: "test FILE", Short: "Run every check on a module: vectors, determinism, hostile configurations and requests, headroom", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			for name, value := range map[string]int{"runs": options.Runs, "configs": options.Configs, "requests": options.Requests} {
				if value < 1 {
					return usageError{fmt.Errorf("--%s is %d, want at least 1", name, value)}
				}
			}
			if manifest, err := abitest.ManifestOf(module); err == nil && len(options.Monotonic) > 0 && manifest.Kind != abi.KindPolicy {
				return usageError{fmt.Errorf("--monotonic is about policies, and the module is a %s", kindName(manifest.Kind))}
			}
			options.CacheDir, options.File = pluginCache(), args[0]
			options.Progress = func(what string) { out.step("%s", what) }
			report, err := abitest.Check(command.Context(), module, options)
			if err != nil {
				return err
			}
			out.done()
			if junit != "" {
				encoded, err := report.JUnit()
				if err != nil {
					return err
				}
				if err := writeFile(junit, encoded); err != nil {
					return err
				}
			}
			return out.report(report)
		},
	}
	command.Flags().StringVar(&junit, "junit", "", "also write the report as JUnit XML to this file")
	command.Flags().StringSliceVar(&options.Monotonic, "monotonic", nil, "a property the author promises; `amount`: more money never turns deny into allow")
	command.Flags().Uint64Var(&options.Seed, "seed", 1, "start of the pseudo-random inputs; a report names its seed")
	command.Flags().IntVar(&options.Runs, "runs", 20, "how often each vector runs on each engine")
	command.Flags().IntVar(&options.Configs, "configs", 40, "how many valid and how many invalid configurations are tried")
	command.Flags().IntVar(&options.Requests, "requests", 60, "how many damaged requests are made of each vector")
	return command
}

// report prints a report; a failed one ends the command with exit code 1 and nothing more to say.
func (c *console) report(report *abitest.Report) error {
	if !c.json {
		if err := c.result(nil, report.Table()); err != nil {
			return err
		}
	} else {
		for _, row := range report.Rows {
			if err := c.line(row); err != nil {
				return err
			}
		}
		summary := map[string]any{
			"report": report, "passed": report.Count(abitest.Pass), "warnings": report.Count(abitest.Warn), "failed": report.Count(abitest.Fail),
		}
		if err := c.line(map[string]any{"summary": summary}); err != nil {
			return err
		}
	}
	if report.Failed() {
		return exitError{exitFailed}
	}
	return nil
}
