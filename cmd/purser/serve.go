package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/purserhq/purser/runtime/policy"
)

// serveConfig is purser.yaml. Paths are relative to the file.
type serveConfig struct {
	Version int    `yaml:"version"`
	Listen  string `yaml:"listen"`
	Data    string `yaml:"data"`
	// Postgres is a connection string; empty keeps SQLite files in Data.
	Postgres string `yaml:"postgres"`
	Policy   string `yaml:"policy"`
	// CosignerPolicy is the second party's own policy file; default: Policy.
	CosignerPolicy string `yaml:"cosigner_policy"`
	// Adapter is a chain adapter's module; default: the bundled one.
	Adapter string        `yaml:"adapter"`
	Chains  []chainConfig `yaml:"chains"`
	// Cosigner says where the second party is.
	Cosigner cosignerChoice `yaml:"cosigner"`
	// Keys is where this side keeps its keyshares; without it there is the demo wallet.
	Keys keysConfig `yaml:"keys"`
	// Operators are whose orders this side takes.
	Operators operatorsConfig `yaml:"operators"`
	// RecoveryKey is the recovery role's identity in hex, for key ceremonies.
	RecoveryKey string `yaml:"recovery_key"`
	// AllowPrivate are host:port addresses off the public internet that agents may reach.
	AllowPrivate []string `yaml:"allow_private"`
	// RefuseLoosening refuses a reload under which a recorded request that was denied or held would be allowed.
	RefuseLoosening bool `yaml:"refuse_loosening"`
}

// cosignerChoice is "in-process", or where a separate co-signer listens and how it is recognized.
type cosignerChoice struct {
	inProcess bool
	// Address is host:port, Key the co-signer's identity in hex: what it signs its promises with.
	Address string    `yaml:"address"`
	Key     string    `yaml:"key"`
	TLS     tlsConfig `yaml:"tls"`
}

// UnmarshalYAML reads either form.
func (c *cosignerChoice) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		if c.inProcess = node.Value == "in-process"; !c.inProcess {
			return configError("cosigner", fmt.Sprintf("%.40q is no place of a co-signer", node.Value), "write in-process, or address, key and tls")
		}
		return nil
	}
	type plain cosignerChoice
	return node.Load((*plain)(c), yaml.WithKnownFields())
}

func serveCommand(out *console) *cobra.Command {
	var path string
	command := &cobra.Command{
		Use: "serve --config FILE", Short: "Run the runtime for agents that exist elsewhere", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := readServeConfig(path)
			if err != nil {
				return err
			}
			return runServe(command.Context(), out, config)
		},
	}
	command.Flags().StringVar(&path, "config", environment("PURSER_CONFIG", "purser.yaml"), "configuration file")
	return command
}

func runServe(ctx context.Context, out *console, config serveConfig) error {
	chains, err := parseChains(config.Chains)
	if err != nil {
		return err
	}
	stack := stackConfig{
		data: config.Data, postgres: config.Postgres, policy: config.Policy, cosignerPolicy: config.CosignerPolicy, adapter: config.Adapter,
		chains: chains, private: config.AllowPrivate, refuseLoosening: config.RefuseLoosening,
		log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if config.Cosigner.inProcess {
		key, err := demoKeys()
		if err != nil {
			return err
		}
		stack.keys = []walletKey{key}
	} else {
		if _, err := policy.Load(config.Policy, policy.Options{}); err != nil { // what is wrong first is said first
			return err
		}
		if err := remoteCosigner(&stack, config); err != nil {
			return err
		}
	}
	out.step("compiling plugins (slow the first time on a machine)")
	s, err := openStack(ctx, stack)
	if err != nil {
		return err
	}
	out.done()
	defer func() { _ = s.Close() }() // every step was durable before it showed
	s.reloadOnHangup(ctx, out)
	if config.Cosigner.inProcess {
		out.note("warning: the co-signer runs in this process, and the only wallet is the demo one: not for real money")
	}
	return out.serve(ctx, config.Listen, s.gateway, func(url string) (any, string) {
		return map[string]any{"ready": url, "service": "serve", "url": url, "data": config.Data, "reload": reloadLine()}, fmt.Sprintf("purser at %s\n  reload  %s\n", url, reloadLine())
	})
}

func readServeConfig(path string) (serveConfig, error) {
	bad := func(message, fix string) (serveConfig, error) {
		return serveConfig{}, configError(path, message, fix)
	}
	config := serveConfig{Listen: "127.0.0.1:4020", Data: defaultData}
	if err := readConfig(path, &config); err != nil {
		return serveConfig{}, err
	}
	if err := expandSecrets(path, &config.Postgres, config.Chains); err != nil {
		return serveConfig{}, err
	}
	switch {
	case config.Version != 1:
		return bad("version must be 1", "begin the file with: version: 1")
	case config.Policy == "":
		return bad("policy is missing", "name the policy file: without one everything is denied")
	case len(config.Chains) == 0:
		return bad("chains is missing", "name at least one network and its JSON-RPC address")
	case !config.Cosigner.inProcess && config.Cosigner.Address == "":
		return bad("cosigner is missing", "name the co-signer's address, key and tls, or write `cosigner: in-process` to say that you know what that costs")
	case !config.Cosigner.inProcess && config.CosignerPolicy != "":
		return bad("cosigner_policy belongs to a co-signer in this process", "the separate co-signer has its policy in its own file")
	}
	tls := &config.Cosigner.TLS
	besideFile(path, &config.Data, &config.Policy, &config.CosignerPolicy, &config.Adapter, &tls.Identity, &tls.Trust,
		&config.Keys.Folder, &config.Keys.PassphraseFile)
	return config, nil
}
