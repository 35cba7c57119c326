package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
)

// installation is what `purser init` makes, and where.
type installation struct {
	dir             string
	network         abi.Network
	rpc             string
	cosignerRPC     string
	policy          string
	wallet          string
	derived         bool
	listen          string
	cosignerListen  string
	cosignerAddress string
	recipients      []string
	// program is what the seats run; empty: this one.
	program string

	// Public keys in hex, known once their files are there.
	publicKeys map[string]string // by role
	operator   string
	approver   string
}

func initCommand(out *console) *cobra.Command {
	var in installation
	var network string
	command := &cobra.Command{
		Use: "init --dir DIR --network CAIP2 --rpc URL", Short: "Make an installation: certificates, keys, configurations and the first wallet", Args: exactly(0, "none"),
		Long: "init makes one folder for each role, and the key shares of the first wallet by a ceremony of three processes, so that\n" +
			"none of them ever holds two. It replaces nothing: after an interruption run the same command again.\n" +
			"Finding primes takes each role minutes of CPU time.",
		RunE: func(command *cobra.Command, _ []string) error {
			parsed, err := abi.ParseNetwork(network)
			if err != nil {
				return usageError{err}
			}
			in.network = parsed
			if err := in.check(); err != nil {
				return err
			}
			return in.make(command.Context(), out)
		},
	}
	flags := command.Flags()
	flags.StringVar(&in.dir, "dir", "", "folder to make everything in")
	flags.StringVar(&network, "network", "", "CAIP-2 network, such as eip155:8453")
	flags.StringVar(&in.rpc, "rpc", "", "JSON-RPC address of the network, for the runtime")
	flags.StringVar(&in.cosignerRPC, "cosigner-rpc", "", "JSON-RPC address for the co-signer; should be another provider's (default: --rpc)")
	flags.StringVar(&in.policy, "policy", "", "policy file for both sides (default: a small, commented one)")
	flags.StringVar(&in.wallet, "wallet", defaultWallet, "name of the first wallet")
	flags.BoolVar(&in.derived, "derived", false, "let agents have keys of their own, derived under the wallet")
	flags.StringVar(&in.listen, "listen", "127.0.0.1:4020", "address of the runtime's API")
	flags.StringVar(&in.cosignerListen, "cosigner-listen", "127.0.0.1:4030", "address at which the co-signer listens")
	flags.StringVar(&in.cosignerAddress, "cosigner-address", "", "address at which the runtime reaches it (default: --cosigner-listen)")
	flags.StringSliceVar(&in.recipients, "recovery-recipient", nil, "age key, age1..., that opens share 3 (default: a new one in DIR/recovery/age.key)")
	return command
}

func (in *installation) check() error {
	if in.dir == "" || in.rpc == "" {
		return usageError{errors.New("--dir, --network and --rpc are required")}
	}
	if in.cosignerRPC == "" {
		in.cosignerRPC = in.rpc
	}
	if in.cosignerAddress == "" {
		in.cosignerAddress = in.cosignerListen
	}
	for _, address := range []string{in.listen, in.cosignerListen, in.cosignerAddress} {
		if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
			return usageError{fmt.Errorf("%.80q is no host:port", address)}
		}
	}
	var err error
	if in.dir, err = filepath.Abs(in.dir); err != nil {
		return err
	}
	if in.policy == "" {
		return nil
	}
	// Before anything is written: the co-signer's side of a policy has to have a root ceiling.
	_, err = policy.Load(in.policy, policy.Options{Cosigner: true})
	return err
}

func (in *installation) path(parts ...string) string {
	return filepath.Join(append([]string{in.dir}, parts...)...)
}

// make does what is not done yet, each step whole or not at all.
func (in *installation) make(ctx context.Context, out *console) error {
	if err := privateFolder(in.dir); err != nil {
		return err
	}
	release, err := lockFolder(in.dir)
	if err != nil {
		return err
	}
	defer func() { _ = release() }() // the process ends
	out.step("certificates and keys")
	err = in.files(ctx)
	out.done()
	if err != nil {
		return err
	}
	made, err := in.firstWallet(ctx, out)
	if err != nil {
		return err
	}
	return in.report(out, made)
}

// files makes everything but the wallet.
func (in *installation) files(ctx context.Context) error {
	for _, folder := range []string{"", "ca", "operator", roleRuntime, roleCosigner, roleRecovery} {
		if err := privateFolder(in.path(folder)); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{in.certificates, in.people, in.hostKeys, in.policies, in.configurations, in.pinned, in.keystores} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// privateFolder makes a folder of this user alone, or refuses one that others may enter.
func privateFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &abi.Error{Code: "file_exposed", Where: path, Message: "others may enter this folder", Fix: "chmod 700 it, or choose a folder that does not exist yet"}
	}
	return nil
}

// missing reports whether a file has still to be made.
func missing(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// once runs make if the file is not there. make must write it whole or not at all.
func once(path string, make func() error) error {
	gone, err := missing(path)
	if err != nil || !gone {
		return err
	}
	return make()
}

// seatNames are the roles with a folder, in the order of their numbers.
var seatNames = []string{roleRuntime, roleCosigner, roleRecovery}

// configPath is a role's configuration file.
func (in *installation) configPath(role string) string {
	return in.path(role, map[string]string{roleRuntime: "purser.yaml", roleCosigner: "cosigner.yaml", roleRecovery: "recovery.yaml"}[role])
}

// report says what there is now, and what to do with it.
func (in *installation) report(out *console, made map[string]any) error {
	view := map[string]any{
		"dir": in.dir, "wallet": made["wallet"], "address": made["address"], "public_key": made["public_key"], "epoch": made["epoch"],
		"network": in.network, "folders": map[string]string{}, "configs": map[string]string{}, "keys": in.publicKeys,
		"operator_key": in.operator, "approver_key": in.approver,
	}
	folders, configs := map[string]string{}, map[string]string{}
	for _, role := range seatNames {
		folders[role], configs[role] = in.path(role), in.configPath(role)
	}
	folders["ca"], folders["operator"] = in.path("ca"), in.path("operator")
	view["folders"], view["configs"] = folders, configs
	text := fmt.Sprintf(`wallet %s  %s on %s

  %s  to the machine of the runtime
  %s  to another machine, of other people: the co-signer
  %s  offline; share 3 opens with the age key only: keep the two apart
  %s  with the operators; %s offline

On one machine the separation is not real: whoever owns it has two shares. Move the folders before there is money.

next
  purser cosigner --config %s
  purser serve --config %s
`, made["wallet"], made["address"], in.network, in.path(roleRuntime), in.path(roleCosigner), in.path(roleRecovery), in.path("operator"), in.path("ca"),
		in.configPath(roleCosigner), in.configPath(roleRuntime))
	return out.result(view, text)
}

// hostsOf are the names that the co-signer's certificate carries.
func (in *installation) hostsOf() []string {
	hosts := []string{"127.0.0.1", "localhost"}
	for _, address := range []string{in.cosignerAddress, in.cosignerListen} {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err == nil && host != "127.0.0.1" && host != "localhost" && (ip == nil || !ip.IsUnspecified()) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
