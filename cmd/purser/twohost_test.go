package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/store/sqlite"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/keystore"
	"github.com/purserhq/purser/signer/link/pki"
	"github.com/purserhq/purser/signer/mpc/demowallet"
	"github.com/purserhq/purser/signer/order"
)

// twoHosts are the folders of a runtime and a co-signer that share nothing but certificates, with the demo wallet's real
// shares: one in each keystore.
type twoHosts struct {
	folder string
	world  *testWorld
	// address is the co-signer's; dial is where the runtime looks for it, which a test may put a proxy at.
	address, dial string
	ann           ed25519.PrivateKey
	serial        uint64
}

// chainCode lets the demo wallet have derived keys in tests. Its shares are published anyway.
var chainCode = [32]byte{1, 2, 3}

func newTwoHosts(t testing.TB, world *testWorld, policy string) *twoHosts {
	t.Helper()
	h := &twoHosts{folder: t.TempDir(), world: world, address: freeAddress(t)}
	h.dial = h.address
	_, h.ann, _ = ed25519.GenerateKey(rand.Reader)
	authority, err := pki.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []struct {
		name string
		role pki.Role
	}{{roleRuntime, pki.Runtime}, {roleCosigner, pki.CoSigner}, {operatorName, pki.Operator}} {
		folder := h.at(host.name)
		for _, made := range []string{folder, filepath.Join(folder, "data", "identity")} {
			if err := os.MkdirAll(made, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		issued, err := authority.Issue(pki.Issuance{Role: host.role, Hosts: []string{"127.0.0.1"}, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		must(t, issued.Create(filepath.Join(folder, "tls.pem")))
		must(t, pki.WriteTrust(filepath.Join(folder, "trust.pem"), authority.Certificate()))
	}
	keys := map[string]signer.Identity{}
	for _, role := range roles {
		h.makeKeystore(t, role)
		if keys[role], err = identity(filepath.Join(h.at(role), "data", "identity", role+".key")); err != nil {
			t.Fatal(err)
		}
	}
	h.configure(t, policy, keys)
	return h
}

func (h *twoHosts) at(parts ...string) string {
	return filepath.Join(append([]string{h.folder}, parts...)...)
}

// makeKeystore makes a role's ledger and the keystore that is sealed to it.
func (h *twoHosts) makeKeystore(t testing.TB, role string) {
	t.Helper()
	ledger, err := sqlite.Open(t.Context(), sqlite.Config{Path: h.at(role, "data", fileOf(role))})
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(h.at(role, "passphrase"), []byte("correct horse battery staple "+role), 0o600))
	vault, err := h.keys(role).openKeystore(t.Context(), signerRoles[role], ledger.ID())
	if err != nil {
		t.Fatal(err)
	}
	share, err := demowallet.Share(signerRoles[role])
	if err != nil {
		t.Fatal(err)
	}
	secret, err := share.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	wallet, err := demoWallet()
	if err != nil {
		t.Fatal(err)
	}
	must(t, vault.Put(t.Context(), keystore.Share{
		Wallet: wallet.ID, Role: signerRoles[role], Scheme: keystore.SchemeECDSA, Blob: keystore.NewSecret(secret), ChainCode: signer.NewChainCode(chainCode),
		Public: keystore.Record{PublicKey: wallet.PublicKey, Address: wallet.Address, Networks: wallet.Networks, Created: time.Unix(1_700_000_000, 0)},
	}))
	must(t, errors.Join(vault.Activate(wallet.ID, 0), vault.Close(), ledger.Close()))
}

func (h *twoHosts) keys(role string) keysConfig {
	return keysConfig{Folder: h.at(role, "keys"), PassphraseFile: h.at(role, "passphrase")}
}

// configure writes both configuration files; the policy is copied, so that each side has its own.
func (h *twoHosts) configure(t testing.TB, policy string, keys map[string]signer.Identity) {
	t.Helper()
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := h.ann.Public().(ed25519.PublicKey)
	operators := fmt.Sprintf("operators: {quorum: 1, keys: {ann: %q}}", hex.EncodeToString(public))
	chains := fmt.Sprintf("chains: [{network: %q, rpc: %q}]", h.world.chain.Network(), h.world.chain.RPCURL())
	both := "version: 1\ndata: data\npolicy: policy.yaml\n" + chains + "\n" + operators + "\nkeys: {folder: keys, passphrase_file: passphrase}\n"
	files := map[string]string{
		h.at(roleRuntime, "policy.yaml"): string(text), h.at(roleCosigner, "policy.yaml"): string(text),
		h.at(roleCosigner, "cosigner.yaml"): both + fmt.Sprintf("listen: %s\nruntime_key: %q\ntls: {identity: tls.pem, trust: trust.pem}\n",
			h.address, hex.EncodeToString(keys[roleRuntime].Public())),
	}
	for path, content := range files {
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
	runtimeText := both + fmt.Sprintf("listen: 127.0.0.1:0\ncosigner: {address: %%q, key: %q, tls: {identity: tls.pem, trust: trust.pem}}\n",
		hex.EncodeToString(keys[roleCosigner].Public()))
	must(t, os.WriteFile(h.at(roleRuntime, "purser.yaml.in"), []byte(runtimeText), 0o600))
	h.dialAt(t, h.dial)
}

// dialAt makes the next runtime look for the co-signer there.
func (h *twoHosts) dialAt(t testing.TB, address string) {
	t.Helper()
	h.dial = address
	form, err := os.ReadFile(h.at(roleRuntime, "purser.yaml.in"))
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(h.at(roleRuntime, "purser.yaml"), fmt.Appendf(nil, string(form), address), 0o600))
}

// enrolment is an order that makes an agent known to both sides.
func (h *twoHosts) enrolment(t testing.TB, about abi.Enrolment) *abi.Order {
	t.Helper()
	h.serial++
	o, err := order.NewEnrolment(defaultTenant, about, h.serial, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	must(t, order.Sign(o, "ann", h.ann))
	return o
}

// service is the real binary, run as a service.
type service struct {
	*exec.Cmd
	ready map[string]any
	log   string
	ended bool
}

// start runs one side and waits for its ready line.
func (h *twoHosts) start(t testing.TB, role string) *service {
	t.Helper()
	arguments := map[string][]string{
		roleRuntime:  {"serve", "--json", "--config", h.at(roleRuntime, "purser.yaml")},
		roleCosigner: {"cosigner", "--json", "--config", h.at(roleCosigner, "cosigner.yaml")},
	}[role]
	command := exec.Command(compiled(t), arguments...) //nolint:noctx // #nosec G204 -- our own binary; stopped below
	log, err := os.OpenFile(h.at(role, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = log
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	must(t, command.Start())
	must(t, log.Close())
	p := &service{Cmd: command, log: log.Name()}
	t.Cleanup(func() { p.stop(t) })
	deadline := time.AfterFunc(childStartMax, func() { _ = command.Process.Kill() }) // ends the read below
	defer deadline.Stop()
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &p.ready) != nil {
		said, _ := os.ReadFile(h.at(role, "log"))
		t.Fatalf("the %s did not start: %v\n%s%s", role, err, line, said)
	}
	return p
}

// stop ends the process in order.
func (p *service) stop(t testing.TB) {
	t.Helper()
	if p.ended {
		return
	}
	p.ended = true
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := p.Wait(); err != nil {
		said, _ := os.ReadFile(p.log)
		t.Errorf("%s: %v\n%s", p.Args[1], err, said)
	}
}

// url is the runtime's API.
func (p *service) url(t testing.TB) string {
	t.Helper()
	address, ok := p.ready["url"].(string)
	if !ok {
		t.Fatalf("the ready line names no address: %v", p.ready)
	}
	return address
}

// agent enrols an agent at both sides, by one order through the runtime, and returns its client.
func (h *twoHosts) agent(t testing.TB, p *service, about abi.Enrolment) (*client.Client, api.AgentView) {
	t.Helper()
	operator := clientOf(t, p.url(t), operatorOf(t, h.at(roleRuntime, "data")))
	view, err := operator.SubmitOrder(t.Context(), api.OrderParams{Order: h.enrolment(t, about)})
	if err != nil || view.Agent == nil {
		t.Fatalf("enrol %s: %v", about.Agent, err)
	}
	return clientOf(t, p.url(t), view.Agent.Token), *view.Agent
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, listener.Close()) }()
	return listener.Addr().String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
