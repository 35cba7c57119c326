package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/sqlite"
)

func auditCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "Verify, replay and export the audit log"}
	var where ledgerPlace
	var tenant string
	verify := &cobra.Command{
		Use: "verify [EXPORT]", Short: "Verify a log offline: chains, numbers, budgets, allow before signed", Args: atMost(1, "EXPORT"),
		Long: "verify reads an export file, or the ledgers of the runtime and the co-signer, in the data folder or in PostgreSQL. It needs no\nserver and no key, and names the first bad record. A log that was cut at its end verifies: keep heads elsewhere.",
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer func() { _ = file.Close() }() // only read
				return out.verified(args[0], audit.ReadExport(file), audit.Options{})
			}
			for _, role := range roles {
				if err := where.verify(command.Context(), out, role, tenant); err != nil {
					return err
				}
			}
			return nil
		},
	}
	export := &cobra.Command{
		Use: "export", Short: "Write the runtime's log as NDJSON to standard output", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ledger, _, err := where.open(command.Context(), roleRuntime)
			if err != nil {
				return err
			}
			defer func() { _ = ledger.Close() }() // only read
			_, err = audit.Export(os.Stdout, audit.Records(command.Context(), ledger, tenant))
			return err
		},
	}
	for _, sub := range []*cobra.Command{verify, export, auditReplayCommand(out, &where, &tenant)} {
		where.flags(sub, &tenant)
		command.AddCommand(sub)
	}
	return command
}

// ledgerPlace is where a purser keeps its ledgers.
type ledgerPlace struct{ data, postgres string }

func (l *ledgerPlace) flags(command *cobra.Command, tenant *string) {
	command.Flags().StringVar(&l.data, "data", environment("PURSER_DATA", defaultData), "data folder")
	command.Flags().StringVar(&l.postgres, "postgres", os.Getenv("PURSER_POSTGRES"), "connection string, when the ledgers are in PostgreSQL")
	command.Flags().StringVar(tenant, "tenant", defaultTenant, "tenant")
}

// open reads one role's ledger. It refuses a path without one, instead of making an empty one that verifies.
func (l ledgerPlace) open(ctx context.Context, role string) (store.Store, string, error) {
	if l.postgres != "" {
		ledger, err := postgres.Open(ctx, postgres.Config{DSN: l.postgres, Schema: schemaOf(role)})
		return ledger, "postgres schema " + schemaOf(role), err
	}
	path := filepath.Join(l.data, fileOf(role))
	if _, err := os.Stat(path); err != nil {
		return nil, path, fmt.Errorf("open ledger: %w", err)
	}
	ledger, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	return ledger, path, err
}

func (l ledgerPlace) verify(ctx context.Context, out *console, role, tenant string) error {
	ledger, name, err := l.open(ctx, role)
	if err != nil {
		return err
	}
	defer func() { _ = ledger.Close() }() // only read
	return out.verified(name, audit.Records(ctx, ledger, tenant), audit.Options{Tenant: tenant})
}

func (c *console) verified(name string, records iter.Seq2[store.Record, error], options audit.Options) error {
	report, err := audit.Verify(records, options)
	if err != nil {
		return fmt.Errorf("%s: after %d good entries: %w", name, report.Entries, err)
	}
	if report.Entries == 0 {
		return &abi.Error{Code: "log_empty", Where: name, Message: "there is nothing in this log to verify", Fix: "check the folder, the database and the tenant"}
	}
	return c.result(map[string]any{"verified": true, "log": name, "entries": report.Entries, "chains": report.Agents},
		fmt.Sprintf("verified  %s: %d entries in %d chains\n", name, report.Entries, report.Agents))
}
