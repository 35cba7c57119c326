package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/bench/latency"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/order"
)

const enrolledLimits = "    max_transaction_usdc: \"1\"\n    daily_spending_limit: \"1000\"\n    repeats: parallel"

// enrolledStack is a stack with operators ann and ben, both needed, whose keys are in the folder, and a wallet that
// agents have keys under. The command line reaches it at the server, with the stack's data folder.
func enrolledStack(t testing.TB, world *testWorld, folder string) (s *stack, server string) {
	t.Helper()
	key := testWallet(t)
	key.wallet.ChainCode = signer.NewChainCode(sha256.Sum256([]byte("worthless chain code")))
	config := world.stackFor(t.TempDir(), world.testPolicy(t, enrolledLimits), key)
	config.operators = order.Operators{Quorum: 2, Keys: map[string]ed25519.PublicKey{}}
	for _, name := range []string{"ann", "ben"} {
		public, err := makeApproverKey(filepath.Join(folder, name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		if config.operators.Keys[name], err = hex.DecodeString(public); err != nil {
			t.Fatal(err)
		}
	}
	s = openTestStack(t, config)
	listener := httptest.NewServer(s.gateway)
	t.Cleanup(listener.Close)
	return s, listener.URL
}

// purserRun runs a command in this process and returns its exit code and both outputs.
func purserRun(t testing.TB, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := &console{out: &stdout, err: &stderr, json: slices.Contains(args, "--json")}
	root := rootCommand(c)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return c.exit(err), stdout.String(), stderr.String()
}

// TestTwoOperatorsOnTwoMachinesEnrolAnAgentThatPaysFromItsOwnKey goes the whole way over the command line: an order, two
// signatures, the enrolment at both sides, and a signed request that is paid for from the agent's own account.
func TestTwoOperatorsOnTwoMachinesEnrolAnAgentThatPaysFromItsOwnKey(t *testing.T) {
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(1_000), demoReport}})
	folder := t.TempDir()
	s, server := enrolledStack(t, world, folder)
	in := func(name string) string { return filepath.Join(folder, name) }
	must := func(want int, args ...string) string {
		t.Helper()
		code, out, errOut := purserRun(t, args...)
		if code != want {
			t.Fatalf("purser %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, errOut)
		}
		if want != exitOK {
			return errOut
		}
		return out
	}
	remote := []string{"--server", server, "--data", s.config.data}
	with := func(args ...string) []string { return append(args, remote...) }

	if text := must(exitFailed, with("agent", "create", "shopper")...); !strings.Contains(text, "enrolment_required") {
		t.Errorf("without an order: %s", text)
	}
	public := strings.Fields(must(exitOK, "agent", "keygen", in("shopper.key")))[0]
	text := must(exitOK, "agent", "enrolment", "shopper", "--derived", "--public-key", public)
	if err := os.WriteFile(in("order.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	must(exitOK, "order", "sign", in("order.json"), "--operator", "ann", "--operator-key", in("ann.key"))
	if text := must(exitFailed, with("order", "submit", in("order.json"))...); !strings.Contains(text, "order_unendorsed") {
		t.Errorf("signed by one: %s", text)
	}
	must(exitOK, "order", "sign", in("order.json"), "--operator", "ben", "--operator-key", in("ben.key"))
	must(exitOK, with("order", "submit", in("order.json"), "--json")...)

	var shown api.AgentView
	if err := json.Unmarshal([]byte(must(exitOK, with("agent", "show", "shopper", "--json")...)), &shown); err != nil {
		t.Fatal(err)
	}
	want, err := s.config.keys[0].wallet.At(signer.AgentPath(defaultTenant, "shopper"))
	if err != nil || err == nil && want.Address == s.config.keys[0].wallet.Address {
		t.Fatalf("%+v, %v", want, err)
	}
	if shown.Address != want.Address || shown.PublicKey != public || shown.Requests != api.RequestsSigned || shown.Serial != 1 || shown.Token != "" {
		t.Fatalf("shown as %+v, want address %s", shown, want.Address)
	}
	if _, err := world.chain.Fund(t.Context(), shown.Address, abi.NewAmount(demoBalance), abi.Amount{}); err != nil {
		t.Fatal(err)
	}
	pay := append(with("pay", world.merchantURL+"/paid", "--agent", "shopper", "--max", "0.05", "--json"), "--idempotency-key")
	if text := must(exitFailed, append(pay, "key-00000001")...); !strings.Contains(text, "signature_required") {
		t.Errorf("unsigned: %s", text)
	}
	if text := must(exitFailed, append(pay, "key-00000001", "--agent-key", in("ann.key"))...); !strings.Contains(text, "request_forged") {
		t.Errorf("by another key: %s", text)
	}
	var first, again api.View
	for _, view := range []*api.View{&first, &again} {
		if err := json.Unmarshal([]byte(must(exitOK, append(pay, "key-00000001", "--agent-key", in("shopper.key"))...)), view); err != nil {
			t.Fatal(err)
		}
	}
	if first.State != string(runtime.Delivered) || again.ID != first.ID || again.Receipt.Transaction != first.Receipt.Transaction {
		t.Errorf("%+v then %+v", first, again)
	}
	p, err := s.runtime.Payment(t.Context(), first.ID)
	if err != nil || p.Prepared.Authorization.Payer != want.Address || p.Armed.Path != want.Derivation.Path {
		t.Errorf("paid by %s at %q, %v", p.Prepared.Authorization.Payer, p.Armed.Path, err)
	}
	for _, decision := range []*abi.Decision{p.Decision, p.CoDecision} {
		var judged abi.DecideRequest
		if err := judged.Unmarshal(decision.Request); err != nil || !judged.Agent.SignedRequest {
			t.Errorf("the %s judged it as unsigned, %v", decision.Side, err)
		}
	}
	// One operator ends it, on both sides at once.
	must(exitOK, "agent", "enrolment", "shopper", "--serial", "2", "--revoked")
	ended := must(exitOK, "agent", "enrolment", "shopper", "--serial", "2", "--revoked", "--operator", "ben", "--operator-key", in("ben.key"))
	if err := os.WriteFile(in("end.json"), []byte(ended), 0o600); err != nil {
		t.Fatal(err)
	}
	must(exitOK, with("order", "submit", in("end.json"))...)
	if text := must(exitFailed, append(pay, "key-00000002", "--agent-key", in("shopper.key"))...); !strings.Contains(text, "agent_revoked") {
		t.Errorf("after its end: %s", text)
	}
	if err := s.cosigner.Accept(t.Context(), mustOrder(t, in("order.json"))); abi.CodeOf(err) != "order_stale" {
		t.Errorf("the co-signer takes the first order again: %v", err)
	}
}

func mustOrder(t testing.TB, path string) *abi.Order {
	t.Helper()
	o, err := readOrder(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestOneCommandEnrolsAnAgentWhenTheOperatorsKeysAreHere is the short way.
func TestOneCommandEnrolsAnAgentWhenTheOperatorsKeysAreHere(t *testing.T) {
	world := newWorld(t, []paidRoute{{"/paid", abi.NewAmount(1_000), demoReport}})
	folder := t.TempDir()
	s, server := enrolledStack(t, world, folder)
	create := []string{
		"agent", "create", "reader", "--derived", "--server", server, "--data", s.config.data, "--json",
		"--operator", "ann", "--operator-key", filepath.Join(folder, "ann.key"), "--operator", "ben", "--operator-key", filepath.Join(folder, "ben.key"),
	}
	code, out, errOut := purserRun(t, append(create, "--key-out", filepath.Join(folder, "reader.key"))...)
	var made struct {
		Agent   string `json:"agent"`
		Address string `json:"address"`
		File    string `json:"token_file"`
	}
	if code != exitOK || json.Unmarshal([]byte(out), &made) != nil || made.Agent != "reader" || !strings.HasPrefix(made.Address, "0x") || made.File == "" {
		t.Fatalf("exit %d: %s%s", code, out, errOut)
	}
	// Run again it is a renewal, in bearer mode: another serial, the same token.
	if code, out, errOut := purserRun(t, create...); code != exitOK || !strings.Contains(out, `"enrolment_serial":2`) || strings.Contains(out, `"token"`) {
		t.Errorf("exit %d: %s%s", code, out, errOut)
	}
	for name, args := range map[string][]string{
		"a name without a key":    {"agent", "enrolment", "x", "--operator", "ann"},
		"both ways to a key":      append(create[:len(create):len(create)], "--public-key", "00", "--key-out", filepath.Join(folder, "none.key")),
		"a signature by nobody":   {"order", "sign", filepath.Join(folder, "ann.key")},
		"a key that is not hex":   {"agent", "enrolment", "x", "--public-key", "zz"},
		"an order that is no one": {"order", "submit", filepath.Join(folder, "ann.key"), "--server", server, "--data", s.config.data},
		"a key others may read":   {"agent", "enrolment", "x", "--operator", "ann", "--operator-key", exposed(t, filepath.Join(folder, "ann.key"))},
	} {
		if code, out, errOut := purserRun(t, args...); code == exitOK || out != "" || errOut == "" {
			t.Errorf("%s: exit %d, %s%s", name, code, out, errOut)
		}
	}
}

// exposed is a copy of a file that others may read.
func exposed(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "exposed.key")
	if err := os.WriteFile(copied, text, 0o644); err != nil { //nolint:gosec // what the test is about
		t.Fatal(err)
	}
	return copied
}

// BenchmarkProvisionDerived enrols agents with keys of their own over loopback HTTP: the operators' signatures verified
// and one durable row on each side, and the derivation, after which the agent can pay.
func BenchmarkProvisionDerived(b *testing.B) {
	world := newWorld(b, nil)
	folder := b.TempDir()
	s, server := enrolledStack(b, world, folder)
	operator, err := client.New(server, client.Token(s.operator), nil)
	if err != nil {
		b.Fatal(err)
	}
	keys := map[string]ed25519.PrivateKey{}
	for _, name := range []string{"ann", "ben"} {
		if keys[name], err = readKeyFile(filepath.Join(folder, name+".key")); err != nil {
			b.Fatal(err)
		}
	}
	n := 0
	latency.Measure(b, time.Millisecond, func() error {
		n++
		o, err := order.NewEnrolment(defaultTenant, abi.Enrolment{Agent: fmt.Sprint("agent-", n), Wallet: demoWalletID, Derived: true}, 1, time.Now(), time.Hour)
		if err != nil {
			return err
		}
		for name, key := range keys {
			if err := order.Sign(o, name, key); err != nil {
				return err
			}
		}
		done, err := operator.SubmitOrder(b.Context(), api.OrderParams{Order: o})
		if err == nil && (done.Agent == nil || done.Agent.Token == "" || done.Agent.Address == "") {
			err = fmt.Errorf("enrolled as %+v", done)
		}
		return err
	})
}
