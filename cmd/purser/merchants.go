package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/runtime/client"
)

// merchantsCommand is about merchants that took payments and did not deliver.
func merchantsCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "merchants", Short: "List and reset merchants that were paid and did not deliver"}
	command.AddCommand(merchantsList(out), merchantsReset(out))
	return command
}

func merchantsList(out *console) *cobra.Command {
	var where remote
	return where.asOperator("list", "List merchants that were paid and did not deliver", exactly(0, "none"), func(ctx context.Context, operator *client.Client, _ []string) error {
		all, err := operator.Merchants(ctx)
		if err != nil {
			return err
		}
		text := ""
		for _, m := range all {
			text += fmt.Sprintf("%s: %d undelivered in a row", m.Origin, m.Undelivered)
			if m.LatchedBy != "" {
				text += fmt.Sprintf(", shut out by policy %s since %s\n  let it be paid again: purser merchants reset %s", m.LatchedBy, m.Since.UTC().Format(time.RFC3339), m.Origin)
			}
			text += "\n"
		}
		return out.result(map[string]any{"merchants": all}, text)
	})
}

func merchantsReset(out *console) *cobra.Command {
	var where remote
	return where.asOperator("reset ORIGIN", "Let a merchant be paid again", exactly(1, "ORIGIN"), func(ctx context.Context, operator *client.Client, args []string) error {
		merchant, err := operator.ResetMerchant(ctx, args[0])
		if err != nil {
			return err
		}
		return out.result(merchant, fmt.Sprintf("%s may be paid again; %d undelivered payments are forgotten\n", merchant.Origin, merchant.Undelivered))
	})
}
