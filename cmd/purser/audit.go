package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/sqlite"
)

func auditCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "Verify and export the audit log"}
	var data, tenant string
	verify := &cobra.Command{
		Use: "verify [EXPORT]", Short: "Verify a log offline: chains, numbers, budgets, allow before signed", Args: cobra.MaximumNArgs(1),
		Long: "verify reads an export file, or the ledgers in the data folder: the runtime's and the co-signer's. It needs no server, no\nnetwork and no key, and names the first bad record.",
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer func() { _ = file.Close() }() // only read
				return out.verified(args[0], audit.ReadExport(file), audit.Options{})
			}
			for _, ledger := range []string{runtimeLedger, cosignerLedger} {
				if err := verifyLedger(command.Context(), out, filepath.Join(data, ledger), tenant); err != nil {
					return err
				}
			}
			return nil
		},
	}
	export := &cobra.Command{
		Use: "export", Short: "Write the runtime's log as NDJSON to standard output", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ledger, err := openLedgerFile(command.Context(), filepath.Join(data, runtimeLedger))
			if err != nil {
				return err
			}
			defer func() { _ = ledger.Close() }() // only read
			_, err = audit.Export(os.Stdout, audit.Records(command.Context(), ledger, tenant))
			return err
		},
	}
	for _, sub := range []*cobra.Command{verify, export} {
		sub.Flags().StringVar(&data, "data", environment("PURSER_DATA", defaultData), "data folder")
		sub.Flags().StringVar(&tenant, "tenant", defaultTenant, "tenant")
		command.AddCommand(sub)
	}
	return command
}

func verifyLedger(ctx context.Context, out *console, path, tenant string) error {
	ledger, err := openLedgerFile(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = ledger.Close() }() // only read
	return out.verified(path, audit.Records(ctx, ledger, tenant), audit.Options{Tenant: tenant})
}

// openLedgerFile refuses a path without a ledger, instead of making an empty one that verifies.
func openLedgerFile(ctx context.Context, path string) (*sqlite.Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return sqlite.Open(ctx, sqlite.Config{Path: path})
}

func (c *console) verified(name string, records iter.Seq2[store.Record, error], options audit.Options) error {
	report, err := audit.Verify(records, options)
	if err != nil {
		return fmt.Errorf("%s: after %d good entries: %w", name, report.Entries, err)
	}
	return c.result(map[string]any{"verified": true, "log": name, "entries": report.Entries, "chains": report.Agents},
		fmt.Sprintf("verified  %s: %d entries in %d chains\n", name, report.Entries, report.Agents))
}
