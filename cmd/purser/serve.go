package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/purserhq/purser/abi"
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
	Adapter string `yaml:"adapter"`
	Chains  []struct {
		Network string `yaml:"network"`
		RPC     string `yaml:"rpc"`
	} `yaml:"chains"`
	// Cosigner must say in-process: this version has no other, and that must be in sight.
	Cosigner string `yaml:"cosigner"`
	// AllowPrivate are host:port addresses off the public internet that agents may reach.
	AllowPrivate []string `yaml:"allow_private"`
	// RefuseLoosening refuses a reload under which a recorded request that was denied or held would be allowed.
	RefuseLoosening bool `yaml:"refuse_loosening"`
}

const configBytesMax = 64 << 10

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
	key, err := demoKeys()
	if err != nil {
		return err
	}
	chains := map[abi.Network]string{}
	for _, chain := range config.Chains {
		network, err := abi.ParseNetwork(chain.Network)
		if err != nil {
			return err
		}
		chains[network] = chain.RPC
	}
	out.step("compiling plugins (slow the first time on a machine)")
	s, err := openStack(ctx, stackConfig{
		data: config.Data, postgres: config.Postgres, policy: config.Policy, cosignerPolicy: config.CosignerPolicy, adapter: config.Adapter,
		chains: chains, keys: []walletKey{key}, private: config.AllowPrivate, refuseLoosening: config.RefuseLoosening,
		log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	out.done()
	defer func() { _ = s.Close() }() // every step was durable before it showed
	s.reloadOnHangup(ctx, out)
	out.note("warning: the co-signer runs in this process, and the only wallet is the demo one: not for real money")
	return out.serve(ctx, config.Listen, s.gateway, func(url string) (any, string) {
		return map[string]any{"ready": url, "service": "serve", "url": url, "data": config.Data, "reload": reloadLine()}, fmt.Sprintf("purser at %s\n  reload  %s\n", url, reloadLine())
	})
}

// secretReference is ${env:NAME}: the only indirection, so that what is in the file is what runs.
var secretReference = regexp.MustCompile(`\$\{env:([A-Z][A-Z0-9_]*)\}`)

func readServeConfig(path string) (serveConfig, error) {
	bad := func(message, fix string) (serveConfig, error) {
		return serveConfig{}, &abi.Error{Code: "config_invalid", Where: path, Message: message, Fix: fix}
	}
	config := serveConfig{Listen: "127.0.0.1:4020", Data: defaultData}
	text, err := os.ReadFile(path)
	if err != nil || len(text) > configBytesMax {
		return bad(fmt.Sprintf("the file cannot be read or has more than %d bytes", configBytesMax), "write one as docs/serve.md shows")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return bad(err.Error(), "see docs/serve.md for the keys")
	}
	secrets := []*string{&config.Postgres}
	for i := range config.Chains {
		secrets = append(secrets, &config.Chains[i].RPC)
	}
	for _, field := range secrets {
		if missing := expand(field); missing != "" {
			return bad("the environment has no "+missing, "set it")
		}
	}
	switch {
	case config.Version != 1:
		return bad("version must be 1", "begin the file with: version: 1")
	case config.Policy == "":
		return bad("policy is missing", "name the policy file: without one everything is denied")
	case len(config.Chains) == 0:
		return bad("chains is missing", "name at least one network and its JSON-RPC address")
	case config.Cosigner != "in-process":
		return bad("cosigner must be in-process", "a separate co-signer is not in this version; write `cosigner: in-process` to say that you know")
	}
	for _, name := range []*string{&config.Data, &config.Policy, &config.CosignerPolicy, &config.Adapter} {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(path), *name)
		}
	}
	return config, nil
}

// expand replaces references to the environment and names the first that is not set.
func expand(field *string) (missing string) {
	*field = secretReference.ReplaceAllStringFunc(*field, func(reference string) string {
		name := secretReference.FindStringSubmatch(reference)[1]
		value, ok := os.LookupEnv(name)
		if !ok && missing == "" {
			missing = name
		}
		return value
	})
	return missing
}
