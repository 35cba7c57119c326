package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/policy"
	"github.com/purserhq/purser/signer/mpc"
)

// seededInstallation makes the files of an installation, as `purser init` with these values would, and puts published
// pre-parameters, which protect nothing, into the keystores: the command that runs afterwards finds its stock filled.
// There is no other way to give it primes.
func seededInstallation(t testing.TB, in installation) installation {
	t.Helper()
	if in.wallet == "" {
		in.wallet = defaultWallet
	}
	if in.listen == "" {
		in.listen, in.cosignerListen = "127.0.0.1:4020", "127.0.0.1:4030"
	}
	if err := in.check(); err != nil {
		t.Fatal(err)
	}
	if err := in.files(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, role := range seatNames {
		seedPrimes(t, in.configPath(role))
	}
	return in
}

// seedPrimes adds one set of published pre-parameters to the stock of the role whose configuration it is.
func seedPrimes(t testing.TB, config string) {
	t.Helper()
	host, err := openSeatHost(t.Context(), config, "")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "signer", "mpc", "testdata", fmt.Sprintf("preparams%d.bin", host.role)))
	if err != nil {
		t.Fatal(err)
	}
	var pre mpc.PreParams
	if err := pre.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if err := host.preparams.Add(t.Context(), pre); err != nil {
		t.Fatal(err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
}

func (in *installation) arguments() []string {
	return []string{"init", "--json", "--dir", in.dir, "--network", string(in.network), "--rpc", in.rpc, "--wallet", in.wallet, "--derived"}
}

// lastObject runs the compiled binary and returns the last object on its standard output.
func lastObject(t testing.TB, arguments ...string) map[string]any {
	t.Helper()
	command := exec.CommandContext(t.Context(), compiled(t), arguments...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("purser %s: %v\n%s", strings.Join(arguments, " "), err, complaints.String())
	}
	lines := bytes.Split(bytes.TrimSpace(printed), []byte("\n"))
	var object map[string]any
	if err := json.Unmarshal(lines[len(lines)-1], &object); err != nil {
		t.Fatalf("purser %s printed %s: %v", arguments[0], printed, err)
	}
	return object
}

func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".db-shm") || strings.HasSuffix(path, ".db-wal") {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInitMakesAnInstallationByThreeProcessesAndASecondRunReplacesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("a key generation takes 20 CPU-seconds")
	}
	in := seededInstallation(t, installation{dir: filepath.Join(t.TempDir(), "D"), network: abi.Network(demoNetwork), rpc: "http://127.0.0.1:1", derived: true})
	made := lastObject(t, in.arguments()...)
	if made["wallet"] != defaultWallet || !strings.HasPrefix(fmt.Sprint(made["address"]), "0x") {
		t.Fatalf("init printed %v", made)
	}
	for role, config := range map[string]string{roleRuntime: "purser.yaml", roleCosigner: "cosigner.yaml"} {
		host, err := openSeatHost(t.Context(), in.path(role, config), "")
		if err != nil {
			t.Fatal(err)
		}
		share, err := host.shares.Load(t.Context(), defaultWallet, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, chained := share.ChainCode.Reveal(); !chained || share.Public.Address != made["address"] || host.preparams.Depth() != 0 {
			t.Errorf("the %s has a share of %s, chain code %v, %d sets of primes left", role, share.Public.Address, chained, host.preparams.Depth())
		}
		if err := host.Close(); err != nil {
			t.Fatal(err)
		}
	}
	inspected := lastObject(t, "recovery", "inspect", "--json", in.path(roleRecovery, "shares", "treasury.0.share3.age"), "--identity", in.path(roleRecovery, ageKeyFile))
	if inspected["address"] != made["address"] {
		t.Errorf("share 3 says %v", inspected)
	}
	before := contents(t, in.dir)
	if again := lastObject(t, in.arguments()...); fmt.Sprint(again) != fmt.Sprint(made) {
		t.Errorf("the second run printed\n%v, the first\n%v", again, made)
	}
	for path, text := range contents(t, in.dir) {
		if before[path] != text && !strings.HasSuffix(path, ".db") {
			t.Errorf("the second run changed %s", path)
		}
	}
}

func TestInitWritesConfigurationsThatItsServicesRead(t *testing.T) {
	for _, network := range []abi.Network{"eip155:8453", "eip155:84532", abi.Network(demoNetwork)} {
		in := installation{dir: filepath.Join(t.TempDir(), "D"), network: network, rpc: "https://rpc.example/?key=${env:HOME}"}
		in.listen, in.cosignerListen, in.cosignerAddress, in.wallet = "127.0.0.1:1", "0.0.0.0:2", "cosigner.example:2", "w"
		if err := errorsOf(in.check(), in.files(t.Context()), in.files(t.Context())); err != nil {
			t.Fatal(err)
		}
		config, err := readServeConfig(in.configPath(roleRuntime))
		if err != nil || config.Cosigner.Address != "cosigner.example:2" || config.Policy != in.path(roleRuntime, "policy.yaml") {
			t.Errorf("purser.yaml: %+v, %v", config, err)
		}
		if _, err := readCosignerConfig(in.configPath(roleCosigner)); err != nil {
			t.Error(err)
		}
		bundle, err := policy.Load(in.path(roleCosigner, "policy.yaml"), policy.Options{Cosigner: true})
		if err != nil {
			t.Fatalf("the starter policy for %s: %v", network, err)
		}
		for _, warning := range bundle.Warnings() {
			t.Logf("%s: %v", network, warning)
		}
		for path := range contents(t, in.dir) {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
			}
		}
	}
}

func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestInitSaysSoWhenAHostWasMadeAnewAndTheOthersPinTheOldOne(t *testing.T) {
	in := installation{dir: filepath.Join(t.TempDir(), "D"), network: "eip155:8453", rpc: "http://127.0.0.1:1", wallet: "w", listen: "127.0.0.1:1", cosignerListen: "127.0.0.1:2"}
	if err := errorsOf(in.check(), in.files(t.Context()), os.RemoveAll(in.path(roleRuntime))); err != nil {
		t.Fatal(err)
	}
	err := in.files(t.Context())
	if abi.CodeOf(err) != "config_invalid" || !strings.Contains(err.Error(), "pins another key") {
		t.Errorf("got %v", err)
	}
}

func TestInitRefusesAPolicyThatTheCosignerWouldNotStartWithBeforeItWritesAnything(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(path, []byte("max_transaction_usdc: 1\ndaily_spending_limit: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := installation{dir: filepath.Join(dir, "D"), network: "eip155:8453", rpc: "http://127.0.0.1:1", policy: path, listen: "127.0.0.1:1", cosignerListen: "127.0.0.1:2"}
	if err := in.check(); err == nil {
		t.Error("a policy without a root ceiling was taken")
	}
	if _, err := os.Stat(in.dir); err == nil {
		t.Error("the folder was made")
	}
}

func TestAConfigurationOfNoRoleTakesNoSeat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(path, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSeatHost(t.Context(), path, ""); abi.CodeOf(err) != "config_invalid" {
		t.Errorf("got %v", err)
	}
}
