package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/runtime/policy"
)

func policyCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "policy", Short: "Work with policy files"}
	var cosigner bool
	validate := &cobra.Command{
		Use: "validate FILE", Short: "Report every problem of a policy file, and which rules survive a compromised runtime", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) error {
			bundle, err := policy.Load(args[0], policy.Options{Cosigner: cosigner})
			if err != nil {
				return err
			}
			out.step("loading plugins")
			if err := tryPlugins(command.Context(), args[0], bundle); err != nil {
				return err
			}
			out.done()
			standings, err := policy.Describe(bundle)
			if err != nil {
				return err
			}
			for _, warning := range bundle.Warnings() {
				out.note("warning[%s]: %s\n  --> %s\n  help: %s", warning.Code, warning.Message, warning.Where, warning.Fix)
			}
			var b strings.Builder
			hash := bundle.Hash()
			fmt.Fprintf(&b, "ok  policy %x\n", hash)
			for _, s := range standings {
				holds := "needs the runtime's word"
				if s.Survives {
					holds = "survives a compromised runtime"
				}
				fmt.Fprintf(&b, "  %-40s %-32s %s\n", s.Policy+"."+s.Rule, holds, s.Because)
			}
			return out.result(map[string]any{"ok": true, "policy_sha256": fmt.Sprintf("%x", hash), "rules": standings, "warnings": bundle.Warnings()}, b.String())
		},
	}
	validate.Flags().BoolVar(&cosigner, "cosigner", false, "check as the co-signer does: tenant ceilings are mandatory")
	command.AddCommand(validate, policyRelease(out))
	return command
}
