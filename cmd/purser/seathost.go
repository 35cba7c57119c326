package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/store/postgres"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/ceremony"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/link/pki"
)

const roleRecovery = "recovery"

// recoveryConfig is recovery.yaml: the third role, which serves nothing and takes part in ceremonies. Paths are relative
// to the file.
type recoveryConfig struct {
	Version int    `yaml:"version"`
	Data    string `yaml:"data"`
	// Shares is the folder of share 3, one age file for each wallet; Recipients are the age keys that open them.
	Shares     string   `yaml:"shares"`
	Recipients []string `yaml:"recipients"`
	// Keys keeps pre-parameters and no share; without it they are found while the others wait.
	Keys        keysConfig `yaml:"keys"`
	TLS         tlsConfig  `yaml:"tls"`
	RuntimeKey  string     `yaml:"runtime_key"`
	CosignerKey string     `yaml:"cosigner_key"`
}

func readRecoveryConfig(path string) (recoveryConfig, error) {
	config := recoveryConfig{Data: "data", Shares: "shares"}
	if err := readConfig(path, &config); err != nil {
		return config, err
	}
	switch {
	case config.Version != 1:
		return config, configError(path, "version must be 1", "begin the file with: version: 1")
	case len(config.Recipients) == 0:
		return config, configError(path, "recipients is missing", "name the age keys, age1..., that open share 3")
	}
	besideFile(path, &config.Data, &config.Shares, &config.Keys.Folder, &config.Keys.PassphraseFile, &config.TLS.Identity, &config.TLS.Trust)
	return config, nil
}

// seatHost is one role's host, as a ceremony needs it: its folders are locked, so its service does not run.
type seatHost struct {
	role        signer.Role
	networks    []abi.Network
	credentials *pki.Credentials
	identity    signer.Identity
	keys        map[signer.Role]ed25519.PublicKey
	shares      ceremony.Shares
	preparams   *ceremony.PreParams // nil: none are kept
	closers     []func() error
}

// seatParts are what the three configuration files say alike.
type seatParts struct {
	role           string
	data, postgres string
	keys           keysConfig
	tls            tlsConfig
	chains         []chainConfig
	pinned         map[signer.Role]string // the two other roles' keys in hex
}

// openSeatHost finds out whose configuration it is, and opens that role's place.
func openSeatHost(ctx context.Context, path, ageIdentity string) (_ *seatHost, err error) {
	parts, offline, err := readSeatConfig(path)
	if err != nil {
		return nil, err
	}
	h := &seatHost{role: seatRole(parts.role), keys: map[signer.Role]ed25519.PublicKey{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	for role, text := range parts.pinned {
		if h.keys[role], err = publicKeyHex(fmt.Sprintf("key of the %s", role), text); err != nil {
			return nil, err
		}
	}
	for _, chain := range parts.chains {
		network, err := abi.ParseNetwork(chain.Network)
		if err != nil {
			return nil, err
		}
		h.networks = append(h.networks, network)
	}
	if h.credentials, err = parts.tls.open(pki.Role(parts.role), slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		return nil, err
	}
	if err := h.openFolders(ctx, parts, offline, ageIdentity); err != nil {
		return nil, err
	}
	h.keys[h.role] = h.identity.Public()
	return h, nil
}

func seatRole(name string) signer.Role {
	return map[string]signer.Role{roleRuntime: signer.RoleRuntime, roleCosigner: signer.RoleCoSigner, roleRecovery: signer.RoleRecovery}[name]
}

// readSeatConfig tells the three kinds of files apart by the keys they pin: each holds those of the two others.
func readSeatConfig(path string) (seatParts, *recoveryConfig, error) {
	kind, err := seatKind(path)
	if err != nil {
		return seatParts{}, nil, err
	}
	switch kind {
	case roleRuntime:
		config, err := readServeConfig(path)
		return seatParts{
			role: roleRuntime, data: config.Data, postgres: config.Postgres, keys: config.Keys, tls: config.Cosigner.TLS, chains: config.Chains,
			pinned: map[signer.Role]string{signer.RoleCoSigner: config.Cosigner.Key, signer.RoleRecovery: config.RecoveryKey},
		}, nil, err
	case roleCosigner:
		config, err := readCosignerConfig(path)
		return seatParts{
			role: roleCosigner, data: config.Data, postgres: config.Postgres, keys: config.Keys, tls: config.TLS, chains: config.Chains,
			pinned: map[signer.Role]string{signer.RoleRuntime: config.RuntimeKey, signer.RoleRecovery: config.RecoveryKey},
		}, nil, err
	default:
		config, err := readRecoveryConfig(path)
		return seatParts{
			role: roleRecovery, data: config.Data, keys: config.Keys, tls: config.TLS,
			pinned: map[signer.Role]string{signer.RoleRuntime: config.RuntimeKey, signer.RoleCoSigner: config.CosignerKey},
		}, &config, err
	}
}

func seatKind(path string) (string, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the file the operator names
	if err != nil || len(text) > configBytesMax {
		return "", configError(path, fmt.Sprintf("the file cannot be read or has more than %d bytes", configBytesMax), "write one with purser init")
	}
	var top map[string]any
	if err := yaml.Unmarshal(text, &top); err != nil {
		return "", configError(path, err.Error(), "write one with purser init")
	}
	has := func(key string) bool { _, ok := top[key]; return ok }
	switch {
	case has("cosigner"):
		return roleRuntime, nil
	case has("cosigner_key"):
		return roleRecovery, nil
	case has("runtime_key"):
		return roleCosigner, nil
	default:
		return "", configError(path, "this is the configuration of no role", "name purser.yaml, cosigner.yaml or recovery.yaml")
	}
}

// openFolders locks before it looks: a service that runs holds the same lock.
func (h *seatHost) openFolders(ctx context.Context, parts seatParts, offline *recoveryConfig, ageIdentity string) error {
	for _, folder := range []string{parts.data, parts.keys.Folder} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		release, err := lockFolder(folder)
		if err != nil {
			return err
		}
		h.onClose(release)
	}
	identities := filepath.Join(parts.data, "identity")
	if err := os.MkdirAll(identities, 0o700); err != nil {
		return err
	}
	var err error
	if h.identity, err = identity(filepath.Join(identities, parts.role+".key")); err != nil {
		return err
	}
	var vault *keystore.Keystore
	if parts.keys.Folder != "" || offline == nil {
		if vault, err = openSeatKeystore(ctx, parts); err != nil {
			return err
		}
		h.onClose(vault.Close)
		if h.preparams, err = ceremony.OpenPreParams(vault); err != nil {
			return err
		}
	}
	if offline == nil {
		h.shares = ceremony.FromKeystore(vault)
		return nil
	}
	return h.openOffline(offline, ageIdentity)
}

// openSeatKeystore asks the ledger for its id, which the keystore is sealed to; the recovery role has none.
func openSeatKeystore(ctx context.Context, parts seatParts) (*keystore.Keystore, error) {
	id := ""
	if parts.role != roleRecovery {
		var err error
		if id, err = ledgerID(ctx, parts); err != nil {
			return nil, err
		}
	}
	return parts.keys.openKeystore(ctx, seatRole(parts.role), id)
}

func ledgerID(ctx context.Context, parts seatParts) (string, error) {
	var ledger interface {
		ID() string
		Close() error
	}
	var err error
	if parts.postgres != "" {
		ledger, err = postgres.Open(ctx, postgres.Config{DSN: parts.postgres, Schema: schemaOf(parts.role)})
	} else {
		ledger, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(parts.data, fileOf(parts.role))})
	}
	if err != nil {
		return "", fmt.Errorf("open the %s's ledger: %w", parts.role, err)
	}
	return ledger.ID(), ledger.Close()
}

func (h *seatHost) openOffline(config *recoveryConfig, ageIdentity string) error {
	var key keystore.Secret
	if ageIdentity != "" {
		var err error
		if key, err = keystore.ReadPrivateFile(ageIdentity, keystore.RecoveryIdentityBytesMax); err != nil {
			return err
		}
		h.onClose(func() error { key.Wipe(); return nil })
	}
	offline, err := ceremony.OpenOffline(ceremony.OfflineConfig{Dir: config.Shares, Recipients: config.Recipients, Identity: key})
	h.shares = offline
	return err
}

func (h *seatHost) onClose(f func() error) { h.closers = append(h.closers, f) }

// Close releases the folders.
func (h *seatHost) Close() error {
	var all error
	for _, f := range slices.Backward(h.closers) {
		all = errors.Join(all, f())
	}
	h.closers = nil
	return all
}
