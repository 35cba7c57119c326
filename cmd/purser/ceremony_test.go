package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/signer/keystore"
)

// freshInstallation has every file and no wallet.
func freshInstallation(t testing.TB) *installation {
	t.Helper()
	in := &installation{
		dir: filepath.Join(t.TempDir(), "D"), network: abi.Network(demoNetwork), rpc: "http://127.0.0.1:1", wallet: "ed",
		listen: "127.0.0.1:4020", cosignerListen: "127.0.0.1:4030", program: compiled(t),
	}
	if err := errorsOf(in.check(), in.files(t.Context())); err != nil {
		t.Fatal(err)
	}
	return in
}

// sat holds one ceremony by three processes.
func (in *installation) sat(t testing.TB, arguments ...string) map[string]any {
	t.Helper()
	made, err := in.sittingOf(t, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (in *installation) sittingOf(t testing.TB, arguments ...string) (map[string]any, error) {
	t.Helper()
	quiet := &progress{out: newConsole(os.Stdout, os.Stderr).quiet(), begun: time.Now(), doing: map[string]string{}}
	return in.sitting(t.Context(), quiet, append([]string{"ceremony"}, arguments...), nil)
}

func TestAWalletIsRefreshedAndRecoveredByThreeProcessesFromShareThreesFile(t *testing.T) {
	in := freshInstallation(t)
	made := in.sat(t, "keygen", "--wallet", "ed", "--scheme", keystore.SchemeEdDSA)
	if made["epoch"] != 0.0 || made["public_key"] == "" {
		t.Fatalf("keygen printed %v", made)
	}
	next := func(what string, got map[string]any, epoch float64) {
		t.Helper()
		if got["epoch"] != epoch || got["public_key"] != made["public_key"] {
			t.Fatalf("%s printed %v after %v", what, got, made)
		}
	}
	next("refresh", in.sat(t, "refresh", "--wallet", "ed"), 1)
	if err := os.RemoveAll(in.path(roleRuntime, "keys")); err != nil {
		t.Fatal(err)
	}
	if _, err := in.sittingOf(t, "refresh", "--wallet", "ed"); err == nil || !strings.Contains(err.Error(), "runtime has no share") {
		t.Errorf("a refresh without the runtime's share ended with %v", err)
	}
	next("recovery of the runtime", in.sat(t, "recover", "--wallet", "ed", "--lost", "runtime"), 2)
	if err := os.RemoveAll(in.path(roleCosigner, "keys")); err != nil {
		t.Fatal(err)
	}
	next("recovery of the co-signer", in.sat(t, "recover", "--wallet", "ed", "--lost", "cosigner"), 3)
	next("resume", in.sat(t, "resume", "--wallet", "ed"), 3)
	inspected := lastObject(t, "recovery", "inspect", "--json", in.path(roleRecovery, "shares", "ed.3.share3.age"), "--identity", in.path(roleRecovery, ageKeyFile))
	if inspected["public_key"] != made["public_key"] {
		t.Errorf("share 3 says %v", inspected)
	}
	pooled := in.sat(t, "pool", "--scheme", keystore.SchemeEdDSA, "--count", "2")
	if !strings.HasPrefix(fmt.Sprint(pooled["wallet"]), "pool-") {
		t.Errorf("pool printed %v", pooled)
	}
}

func TestACeremonyTakesNoSeatWhileTheServiceRuns(t *testing.T) {
	in := freshInstallation(t)
	release, err := lockFolder(in.path(roleRuntime, "data")) // as purser serve does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = release() }()
	_, err = openSeatHost(t.Context(), in.configPath(roleRuntime), "")
	if abi.CodeOf(err) != "data_in_use" {
		t.Errorf("got %v", err)
	}
}
