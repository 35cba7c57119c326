package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/order"
)

const configBytesMax = 64 << 10

// chainConfig is one network in a configuration file.
type chainConfig struct {
	Network string `yaml:"network"`
	RPC     string `yaml:"rpc"`
}

// tlsConfig names the files with which two processes recognize each other, as purser init writes them.
type tlsConfig struct {
	// Identity is this process's certificate with its key, Trust the authorities that others' must come from.
	Identity string `yaml:"identity"`
	Trust    string `yaml:"trust"`
}

// keysConfig says where a role keeps its keyshares, and who unlocks them.
type keysConfig struct {
	Folder string `yaml:"folder"`
	// PassphraseFile unlocks the folder; or Command, a program that wraps and unwraps keys for a key service.
	PassphraseFile string   `yaml:"passphrase_file"`
	Command        []string `yaml:"command"`
}

// operatorsConfig pins the people a signer takes orders from.
type operatorsConfig struct {
	Quorum int `yaml:"quorum"`
	// Keys are Ed25519 public keys in hex, by name.
	Keys map[string]string `yaml:"keys"`
}

// operators checks the keys. Without any there are no orders.
func (c operatorsConfig) operators() (order.Operators, error) {
	if len(c.Keys) == 0 && c.Quorum == 0 {
		return order.Operators{}, nil
	}
	all := order.Operators{Quorum: c.Quorum, Keys: map[string]ed25519.PublicKey{}}
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		key, err := publicKeyHex("operators.keys."+name, c.Keys[name])
		if err != nil {
			return order.Operators{}, err
		}
		all.Keys[name] = key
	}
	return all, all.Check()
}

// publicKeyHex reads an Ed25519 public key.
func publicKeyHex(where, text string) (ed25519.PublicKey, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, &abi.Error{Code: "config_invalid", Where: where, Message: "want an Ed25519 public key: 64 hex digits", Fix: "copy it from what purser init or purser operator keygen printed"}
	}
	return key, nil
}

// parseChains maps networks to their JSON-RPC addresses.
func parseChains(all []chainConfig) (map[abi.Network]string, error) {
	chains := map[abi.Network]string{}
	for _, chain := range all {
		network, err := abi.ParseNetwork(chain.Network)
		if err != nil {
			return nil, err
		}
		chains[network] = chain.RPC
	}
	return chains, nil
}

func configError(path, message, fix string) error {
	return &abi.Error{Code: "config_invalid", Where: path, Message: message, Fix: fix}
}

// readConfig reads a YAML file into a configuration. Unknown keys are errors; nothing else is looked at.
func readConfig(path string, config any) error {
	text, err := os.ReadFile(path) // #nosec G304 -- the file the operator names
	if err != nil || len(text) > configBytesMax {
		return configError(path, fmt.Sprintf("the file cannot be read or has more than %d bytes", configBytesMax), "write one with purser init, or as docs/serve.md shows")
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(config); err != nil {
		var coded *abi.Error
		if errors.As(err, &coded) {
			return coded
		}
		return configError(path, err.Error(), "see docs/serve.md for the keys")
	}
	return nil
}

// secretReference is ${env:NAME}: the only indirection, so that what is in the file is what runs.
var secretReference = regexp.MustCompile(`\$\{env:([A-Z][A-Z0-9_]*)\}`)

// expandSecrets replaces references to the environment in the connection strings of a file.
func expandSecrets(path string, postgres *string, chains []chainConfig) error {
	fields := []*string{postgres}
	for i := range chains {
		fields = append(fields, &chains[i].RPC)
	}
	for _, field := range fields {
		if missing := expand(field); missing != "" {
			return configError(path, "the environment has no "+missing, "set it")
		}
	}
	return nil
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

// besideFile makes relative names of files relative to the folder of the configuration that names them.
func besideFile(path string, names ...*string) {
	for _, name := range names {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(path), *name)
		}
	}
}
