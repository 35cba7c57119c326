package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/runtime"
	"github.com/purserhq/purser/runtime/store"
	"github.com/purserhq/purser/settle"
	"github.com/purserhq/purser/settle/x402"
	"github.com/purserhq/purser/signer"
)

// benchPolicy runs the bundled plugin on both sides. Its %x is the plugin's hash.
const benchPolicy = `    max_transaction_usdc: "1"
    daily_spending_limit: "1000"
    repeats: parallel
    plugins:
      - use: ./price-sanity.wasm
        sha256: "%x"
        config: {ceiling: "10000000", factor: 2, samples_min: 3}
        grants: {facts: [quotes]}`

// signerBench is the two hosts and the terms of the one thing that is bought.
type signerBench struct {
	hosts    *twoHosts
	cosigner *service
	url      string
	required string
	made     atomic.Int64 // names, each used once
}

func newSignerBench(b *testing.B) *signerBench {
	world := newWorld(b, []paidRoute{{"/paid", abi.NewAmount(1_000), demoReport}})
	module, err := bundle.Module(pluginName)
	if err != nil {
		b.Fatal(err)
	}
	g := &signerBench{url: world.merchantURL + "/paid"}
	g.hosts = newTwoHosts(b, world, world.testPolicy(b, fmt.Sprintf(benchPolicy, sha256.Sum256(module))))
	for _, role := range roles {
		must(b, os.WriteFile(g.hosts.at(role, pluginName+".wasm"), module, 0o600))
	}
	// One session waits for each key, so that a subject does not wait for a second one that it does not need.
	path := g.hosts.at(roleCosigner, "cosigner.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	must(b, os.WriteFile(path, append(text, "ready_max: 1\n"...), 0o600))
	g.cosigner = g.hosts.start(b, roleCosigner)
	response, err := http.Get(g.url)
	if err != nil {
		b.Fatal(err)
	}
	must(b, response.Body.Close())
	if g.required = response.Header.Get(x402.HeaderRequired); g.required == "" {
		b.Fatalf("the merchant answered %s without terms", response.Status)
	}
	return g
}

// firm is a runtime in this process, with the observer between it and the co-signer.
type firm struct {
	*stack
	bench *signerBench
	seen  *observer
}

// open starts the runtime over its folder. It ends with the subject.
func (g *signerBench) open(b *testing.B, address string) *firm {
	b.Helper()
	g.hosts.dialAt(b, address)
	read, err := readServeConfig(g.hosts.at(roleRuntime, "purser.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	config := g.hosts.world.stackFor(read.Data, read.Policy, walletKey{})
	config.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	must(b, remoteCosigner(&config, read))
	seen := &observer{parts: map[string][]time.Duration{}}
	key, err := demoKeys()
	if err != nil {
		b.Fatal(err)
	}
	key.wallet.ChainCode = signer.NewChainCode(chainCode)
	key.runtime, key.cosigner = observedEngine{key.runtime, seen}, nil
	peer := config.peer
	config.vault, config.keys, config.peer = nil, []walletKey{key}, observedPeer{peer, seen}
	s, err := openStack(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		err := s.Close()
		if client, ok := peer.(io.Closer); ok {
			err = errors.Join(err, client.Close())
		}
		must(b, err)
	})
	return &firm{s, g, seen}
}

// enrol has operators order an agent with a key of its own, on both sides.
func (f *firm) enrol(b *testing.B, name string) store.Agent {
	b.Helper()
	agent, err := f.runtime.Agent(b.Context(), name)
	if err == nil {
		return agent
	}
	agent, _, err = f.runtime.EnrolAgent(b.Context(), f.bench.hosts.enrolment(b, abi.Enrolment{Agent: name, Wallet: demoWalletID, Derived: true}), nil)
	if err != nil {
		b.Fatal(err)
	}
	return agent
}

// authorize is what is measured: from the agent's call, with the merchant's terms in hand, to the signed payment. Nobody
// presents it, so that no chain is in the figure.
func (f *firm) authorize(ctx context.Context, agent store.Agent) error {
	resource := settle.Resource{Method: http.MethodGet, URL: f.bench.url}
	quoted, err := f.protocol.ReadRequired(f.bench.required, resource)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("purchase-%06d", f.bench.made.Add(1))
	f.seen.start()
	done, err := f.runtime.Submit(ctx, agent, key, runtime.Ask{Resource: resource, Required: &quoted, HandOut: true})
	f.seen.lap("assemble")
	if err == nil && (done.Payment.Header == "" || done.Payment.Armed == nil) {
		cause := "" // why its last step could not be done, if that is it
		if failure := done.Payment.Failure; failure != nil {
			cause = failure.Code + ": " + failure.Message
		}
		err = fmt.Errorf("the payment is %s: %+v, %+v, %s", done.Payment.State, done.Payment.Decision, done.Payment.Denial, cause)
	}
	return err
}
