package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/signer/link"
	"github.com/purserhq/purser/signer/link/pki"
)

// cosignerConfig is cosigner.yaml. Paths are relative to the file.
type cosignerConfig struct {
	Version int    `yaml:"version"`
	Listen  string `yaml:"listen"`
	Data    string `yaml:"data"`
	// Postgres is a connection string; empty keeps a SQLite file in Data. Never the runtime's database.
	Postgres string        `yaml:"postgres"`
	Policy   string        `yaml:"policy"`
	Chains   []chainConfig `yaml:"chains"`
	TLS      tlsConfig     `yaml:"tls"`
	Keys     keysConfig    `yaml:"keys"`
	// RuntimeKey is the runtime's identity in hex: whose signature a promise needs beside ours.
	RuntimeKey string          `yaml:"runtime_key"`
	Operators  operatorsConfig `yaml:"operators"`
	// RecoveryKey is the recovery role's identity in hex, for key ceremonies.
	RecoveryKey string `yaml:"recovery_key"`
	// PolicyOrders demands that operators released the policy by an order.
	PolicyOrders bool `yaml:"policy_orders"`
	// ReadyMax is how many prepared sessions of one key may wait for a digest.
	ReadyMax int `yaml:"ready_max"`
	// RefuseLoosening refuses a reload under which a recorded request that was denied or held would be allowed.
	RefuseLoosening bool `yaml:"refuse_loosening"`
}

func cosignerCommand(out *console) *cobra.Command {
	var path string
	command := &cobra.Command{
		Use: "cosigner --config FILE", Short: "Run the second signer, on a machine of its own", Args: exactly(0, "none"),
		Long: "The co-signer decides every payment again, on its own policy, ledger, clock and view of the chain, and joins in\n" +
			"signing nothing else. It runs under a supervisor of its own, which starts it again when it dies.",
		RunE: func(command *cobra.Command, _ []string) error {
			if !supervised() {
				return supervise(command.Context(), out)
			}
			config, err := readCosignerConfig(path)
			if err != nil {
				return err
			}
			return runCosigner(command.Context(), out, config)
		},
	}
	command.Flags().StringVar(&path, "config", environment("PURSER_COSIGNER_CONFIG", "cosigner.yaml"), "configuration file")
	return command
}

func readCosignerConfig(path string) (cosignerConfig, error) {
	config := cosignerConfig{Listen: "127.0.0.1:4030", Data: "purser-cosigner"}
	if err := readConfig(path, &config); err != nil {
		return config, err
	}
	if err := expandSecrets(path, &config.Postgres, config.Chains); err != nil {
		return config, err
	}
	switch {
	case config.Version != 1:
		return config, configError(path, "version must be 1", "begin the file with: version: 1")
	case config.Policy == "":
		return config, configError(path, "policy is missing", "name the co-signer's own policy file: without one everything is denied")
	case len(config.Chains) == 0:
		return config, configError(path, "chains is missing", "name at least one network and a JSON-RPC address of this side's own")
	}
	besideFile(path, &config.Data, &config.Policy, &config.TLS.Identity, &config.TLS.Trust, &config.Keys.Folder, &config.Keys.PassphraseFile)
	return config, nil
}

// stack is the co-signer alone.
func (c cosignerConfig) stack(log *slog.Logger) (stackConfig, error) {
	chains, err := parseChains(c.Chains)
	if err != nil {
		return stackConfig{}, err
	}
	runtimeKey, err := publicKeyHex("runtime_key", c.RuntimeKey)
	if err != nil {
		return stackConfig{}, err
	}
	operators, err := c.Operators.operators()
	if err != nil {
		return stackConfig{}, err
	}
	return stackConfig{
		only: roleCosigner, data: c.Data, postgres: c.Postgres, policy: c.Policy, cosignerPolicy: c.Policy, chains: chains,
		peerKey: runtimeKey, vault: &c.Keys, operators: operators, policyOrders: c.PolicyOrders, readyMax: c.ReadyMax,
		refuseLoosening: c.RefuseLoosening, log: log,
	}, nil
}

func runCosigner(ctx context.Context, out *console, config cosignerConfig) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	stack, err := config.stack(log)
	if err != nil {
		return err
	}
	credentials, err := config.TLS.open(pki.CoSigner, log)
	if err != nil {
		return err
	}
	out.step("compiling plugins (slow the first time on a machine)")
	s, err := openStack(ctx, stack)
	if err != nil {
		return err
	}
	out.done()
	defer func() { _ = s.Close() }() // every step was durable before it showed
	s.reloadOnHangup(ctx, out)
	server, err := link.NewServer(link.ServerConfig{Credentials: credentials, CoSigner: s.cosigner, Orders: s.cosigner, Admin: s.cosignerAdmin(), Log: log})
	if err != nil {
		return err
	}
	listener, err := listenLoopback(ctx, config.Listen)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	address := listener.Addr().String()
	ready := map[string]any{
		"ready": address, "service": "cosigner", "address": address, "data": config.Data, "store": s.ledgers[roleCosigner].ID(),
		"key": fmt.Sprintf("%x", s.public(roleCosigner)), "reload": reloadLine(),
	}
	err = errors.Join(out.result(ready, fmt.Sprintf("co-signer at %s\n  reload  %s\n", address, reloadLine())), tellSupervisor())
	if err == nil {
		select {
		case err = <-failed:
			return err
		case <-ctx.Done():
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeMax)
	defer cancel()
	return errors.Join(err, server.Shutdown(drain), <-failed)
}
