package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/preimage"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/signer"
	"github.com/purserhq/purser/signer/signertest"
)

// testWallet is a wallet with a fixed key of its own, funded by newWorld, restricted to the devchain like the demo one.
func testWallet(t testing.TB) walletKey {
	t.Helper()
	key, err := singleKeys()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func singleKeys() (walletKey, error) {
	seed := sha256.Sum256([]byte("purser test wallet: worthless"))
	// Both sides hold the whole key, so that races over hundreds of payments do not wait for hundreds of MPC sessions.
	engine := signertest.NewWholeKey(seed)
	public := engine.PublicKey()
	address, err := preimage.EVMAddress(public)
	if err != nil {
		return walletKey{}, err
	}
	return walletKey{
		wallet:  signer.Wallet{ID: demoWalletID, PublicKey: public, Address: address, Networks: []abi.Network{abi.Network(demoNetwork)}},
		runtime: engine, cosigner: engine.Beside(),
	}, nil
}

// testWorld is chain, facilitator and merchant on loopback for one test.
type testWorld struct {
	*local
	data string
}

// newWorld starts a world that sells the routes, with the wallets funded.
func newWorld(t testing.TB, routes []paidRoute, keys ...walletKey) *testWorld {
	t.Helper()
	data := t.TempDir()
	world, err := openLocal(t.Context(), localConfig{data: data, routes: routes, out: newConsole(os.Stdout, os.Stderr).quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	for _, key := range keys {
		if _, err := world.chain.Fund(t.Context(), key.wallet.Address, abi.NewAmount(demoBalance), abi.Amount{}); err != nil {
			t.Fatal(err)
		}
	}
	return &testWorld{local: world, data: data}
}

// testPolicy is a policy file for the world: limits are the YAML lines of policy "test", indented by four spaces.
func (w *testWorld) testPolicy(t testing.TB, limits string) string {
	t.Helper()
	text := fmt.Sprintf(`version: 1
approvers: {operator: "%s"}
merchants: [{origin: %s, pay_to: ["%s"]}]
assets: [{asset: "%s", symbol: USDC, unit: usdc, decimals: 6, name: USDC, version: "2"}]
tenant: {max_transaction_usdc: "1000000", daily_spending_limit: "1000000"}
agents: {"*": {policy: test}}
policies:
  test:
%s
`, w.approver, w.merchantURL, demoPayee, w.chain.Token(), limits)
	path := filepath.Join(t.TempDir(), policyFile)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	module, err := bundle.Module(pluginName)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), pluginName+".wasm"), module, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// stackFor fills in what every stack of this world has.
func (w *testWorld) stackFor(data, policy string, key walletKey) stackConfig {
	return stackConfig{
		data: data, policy: policy, keys: []walletKey{key},
		chains: map[abi.Network]string{w.chain.Network(): w.chain.RPCURL()},
		log:    slog.New(slog.DiscardHandler),
	}
}

// openTestStack starts a stack and stops it with the test.
func openTestStack(t testing.TB, config stackConfig) *stack {
	t.Helper()
	s, err := openStack(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// agentClient registers an agent and returns its client and the operator's, over a real listener.
func (s *stack) agentClient(t testing.TB, name string) (agent, operator *client.Client) {
	t.Helper()
	server := httptest.NewServer(s.gateway)
	t.Cleanup(server.Close)
	token, err := s.runtime.CreateAgent(t.Context(), name, demoWalletID, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(token string) *client.Client {
		c, err := client.New(server.URL, client.Token(token), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return open(token.Reveal()), open(s.operator)
}

// approverKey is the key of the world's approver.
func (w *testWorld) approverKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	key, err := readApproverKey(filepath.Join(w.data, approverFile))
	if err != nil {
		t.Fatal(err)
	}
	return key
}
