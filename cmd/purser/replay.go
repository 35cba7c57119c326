package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/pinned"
	"github.com/purserhq/purser/runtime/archive"
	"github.com/purserhq/purser/runtime/audit"
	"github.com/purserhq/purser/runtime/judge"
	"github.com/purserhq/purser/runtime/policy/rules"
	"github.com/purserhq/purser/runtime/replay"
)

// archiveFolder is where a data folder keeps the bundles and modules that decided.
func archiveFolder(data string) string { return filepath.Join(data, "archive") }

func auditReplayCommand(out *console, where *ledgerPlace, tenant *string) *cobra.Command {
	return &cobra.Command{
		Use: "replay", Short: "Make every recorded decision again and compare it byte for byte", Args: exactly(0, "none"),
		Long: "replay verifies both ledgers as audit verify does, decides every recorded request again with the archive of policies and\n" +
			"plugins in the data folder, and fails at the first decision whose bytes or fuel differ. It needs no server and no key.",
		RunE: func(command *cobra.Command, _ []string) error {
			return replayLedgers(command.Context(), out, *where, *tenant, nil)
		},
	}
}

func pluginReplayCommand(out *console) *cobra.Command {
	var where ledgerPlace
	var tenant string
	command := &cobra.Command{
		Use: "replay FILE", Short: "Make the recorded decisions of a plugin again and compare them byte for byte", Args: exactly(1, "FILE"),
		Long: "replay verifies both ledgers, makes the decisions again in which this module had a part, or should have had one by their\n" +
			"policy, and fails at the first whose bytes or fuel differ.",
		RunE: func(command *cobra.Command, args []string) error {
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			return replayLedgers(command.Context(), out, where, tenant, module)
		},
	}
	where.flags(command, &tenant)
	return command
}

// replayLedgers replays both sides' logs; with a module, the decisions that module had a part in.
func replayLedgers(ctx context.Context, out *console, where ledgerPlace, tenant string, module []byte) (err error) {
	kept, err := archive.Existing(archiveFolder(where.data))
	if err != nil {
		return err
	}
	host, err := judge.OpenHost(judge.HostConfig{CacheDir: pluginCache()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Close()) }()
	options := replay.Options{Open: func(ctx context.Context, bundle [32]byte) (replay.Judge, error) {
		return judgeOf(ctx, kept, host, bundle)
	}}
	if module != nil {
		options.Concerns = concerns(kept, sha256.Sum256(module))
	}
	total := uint64(0)
	for _, role := range roles {
		options.Side = role
		replayed, err := replayLedger(ctx, out, where, role, tenant, options)
		if err != nil {
			return err
		}
		total += replayed
	}
	if total == 0 {
		return &abi.Error{Code: "nothing_replayed", Where: where.data, Message: "no recorded decision could be made again", Fix: "check the folder, the tenant and the module"}
	}
	return nil
}

// concerns finds the decisions in which a module had a part, or should have had one: somebody may have taken it out.
func concerns(kept *archive.Archive, module [32]byte) func(*abi.Decision) (bool, error) {
	pinned := map[[32]byte]bool{} // by bundle
	return func(decision *abi.Decision) (bool, error) {
		for _, verdict := range decision.Verdicts {
			if verdict.Run != nil && bytes.Equal(verdict.Run.ModuleSHA256, module[:]) {
				return true, nil
			}
		}
		digest := [32]byte(decision.PolicySHA256) // its length is checked before anybody is asked
		if known, ok := pinned[digest]; ok {
			return known, nil
		}
		bundle, err := archivedBundle(kept, digest)
		if err != nil {
			return false, err
		}
		spec, err := bundle.Spec()
		if err != nil {
			return false, err
		}
		for _, policy := range spec.Policies {
			for _, plugin := range policy.Plugins {
				pinned[digest] = pinned[digest] || plugin.SHA256 == hex.EncodeToString(module[:])
			}
		}
		return pinned[digest], nil
	}
}

func archivedBundle(kept *archive.Archive, digest [32]byte) (*rules.Bundle, error) {
	canonical, err := kept.Content(digest)
	if err != nil {
		return nil, err
	}
	return rules.Decode(canonical)
}

// judgeOf opens the judge of an archived bundle with archived modules.
func judgeOf(ctx context.Context, kept *archive.Archive, host *judge.Host, digest [32]byte) (*judge.Judge, error) {
	bundle, err := archivedBundle(kept, digest)
	if err != nil {
		return nil, err
	}
	return judge.Open(ctx, host, judge.Source{Bundle: bundle, Tokens: pinned.Builtin(), Read: func(plugin rules.Plugin) ([]byte, error) {
		var module [32]byte
		if _, err := hex.Decode(module[:], []byte(plugin.SHA256)); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", plugin.Name, err)
		}
		return kept.Content(module)
	}, Verify: func(context.Context, rules.Plugin, []byte) error {
		return nil // its signature was checked before it was archived, and its digest is checked here
	}})
}

func replayLedger(ctx context.Context, out *console, where ledgerPlace, role, tenant string, options replay.Options) (uint64, error) {
	ledger, name, err := where.open(ctx, role)
	if err != nil {
		return 0, err
	}
	defer func() { _ = ledger.Close() }() // only read
	// First: whoever may edit a ledger may also take out an entry, or put one in that replays.
	verified, err := audit.Verify(audit.Records(ctx, ledger, tenant), audit.Options{Tenant: tenant})
	if err != nil {
		return 0, fmt.Errorf("%s: after %d good entries: %w", name, verified.Entries, err)
	}
	report, err := replay.Log(ctx, audit.Records(ctx, ledger, tenant), options)
	if err != nil {
		return 0, fmt.Errorf("%s: after %d good decisions: %w", name, report.Replayed, err)
	}
	policies := map[string]uint64{}
	for bundle, decisions := range report.Policies {
		policies[hex.EncodeToString(bundle[:])] = decisions
	}
	unproven := ""
	for _, what := range slices.Sorted(maps.Keys(report.Unproven)) {
		unproven += fmt.Sprintf("          in %d of them, taken as recorded: %s\n", report.Unproven[what], what)
	}
	return report.Replayed, out.result(map[string]any{
		"replayed": report.Replayed, "log": name, "decisions": report.Decisions, "plugin_calls": report.Calls, "fuel": report.Fuel, "unproven": report.Unproven, "policies": policies,
	}, fmt.Sprintf("replayed  %s: %d of %d decisions, the same bytes; %d plugin calls, the same %d fuel\n%s",
		name, report.Replayed, report.Decisions, report.Calls, report.Fuel, underText(policies)+unproven))
}

// underText names the bundles that decided: whether they were the operator's, a replay cannot say.
func underText(policies map[string]uint64) (text string) {
	if len(policies) > policiesShownMax {
		return fmt.Sprintf("          under %d policies; --json names them\n", len(policies))
	}
	for _, bundle := range slices.Sorted(maps.Keys(policies)) {
		text += fmt.Sprintf("          %d under policy %s\n", policies[bundle], bundle)
	}
	return text
}

// policiesShownMax bounds the policies that are listed for a person.
const policiesShownMax = 4

// keep archives what a judge was opened from, before anything is decided with it.
func keep(data string, bundle *rules.Bundle, modules [][]byte) error {
	kept, err := archive.Open(archiveFolder(data))
	if err != nil {
		return err
	}
	for _, content := range append(slices.Clone(modules), bundle.Canonical()) {
		if _, err := kept.Put(content); err != nil {
			return err
		}
	}
	return nil
}
