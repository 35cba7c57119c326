package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/plugins/bundle"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/facilitator"
)

// local is a whole world on loopback: chain, facilitator, merchant and a funded demo wallet. demo and dev run it.
type local struct {
	chain       *devchain.Chain
	merchantURL string
	facilitator string
	approver    string // public key, hex
	policyPath  string
	closers     []func()
}

// localConfig says where and what.
type localConfig struct {
	data string
	// blockTime is the chain's; 0 seals on demand.
	blockTime time.Duration
	// persist keeps the chain in the data folder.
	persist bool
	routes  []paidRoute
	// listen is the merchant's address.
	listen string
	out    *console
}

const (
	// demoPayee is where the demo merchant is paid: a published address of nobody.
	demoPayee = "0x6d65726368616e74000000000000000000000001"
	// demoBalance is what the demo wallet gets on a new chain, in smallest units: 10,000 USDC.
	demoBalance    = 10_000_000_000
	approverName   = "operator"
	approverFile   = "approver.pem"
	policyFile     = "policy.yaml"
	pluginName     = "price-sanity"
	readHeaderTime = 5 * time.Second
)

// openLocal starts the world. What exists in the data folder is kept, so that dev can be restarted.
func openLocal(ctx context.Context, config localConfig) (_ *local, err error) {
	l := &local{policyPath: filepath.Join(config.data, policyFile)}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if err := os.MkdirAll(config.data, 0o700); err != nil {
		return nil, err
	}
	config.out.step("starting the chain")
	chainConfig := devchain.Config{BlockTime: config.blockTime}
	if config.persist {
		chainConfig.DataDir = filepath.Join(config.data, "chain")
	}
	if l.chain, err = devchain.Open(ctx, chainConfig); err != nil {
		return nil, err
	}
	l.onClose(func() { _ = l.chain.Close() }) // it keeps its state at every block
	if err := l.fund(ctx); err != nil {
		return nil, err
	}
	config.out.step("starting the facilitator and the merchant")
	if err := l.startFacilitator(ctx, config); err != nil {
		return nil, err
	}
	if err := l.startMerchant(ctx, config); err != nil {
		return nil, err
	}
	return l, l.writePolicy(config.data)
}

func (l *local) onClose(f func()) { l.closers = append(l.closers, f) }

// Close stops everything in the reverse order of starting.
func (l *local) Close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
	l.closers = nil
}

// fund tops the demo wallet up when it is nearly empty.
func (l *local) fund(ctx context.Context) error {
	wallet, err := demoWallet()
	if err != nil {
		return err
	}
	_, err = l.chain.Fund(ctx, wallet.Address, abi.NewAmount(demoBalance), abi.Amount{})
	return err
}

func (l *local) startFacilitator(ctx context.Context, config localConfig) error {
	key, err := facilitator.ParseKey(l.chain.Relayer().PrivateKeyHex)
	if err != nil {
		return err
	}
	service, err := openFacilitator(ctx, facilitatorConfig{
		rpcURL: l.chain.RPCURL(), network: string(l.chain.Network()), data: config.data, assets: []string{l.chain.Token().Reference()}, key: key,
	})
	if err != nil {
		return err
	}
	l.onClose(service.close)
	listener, err := listenLoopback(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	l.facilitator = "http://" + listener.Addr().String()
	l.serve(listener, service.handler)
	return nil
}

func (l *local) startMerchant(ctx context.Context, config localConfig) error {
	listen := config.listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	listener, err := listenLoopback(ctx, listen)
	if err != nil {
		return err
	}
	l.merchantURL = "http://" + listener.Addr().String()
	shop, err := openMerchant(ctx, merchantConfig{
		facilitatorURL: l.facilitator, rpcURL: l.chain.RPCURL(), network: string(l.chain.Network()), asset: l.chain.Token().Reference(),
		payTo: demoPayee, data: config.data, origin: l.merchantURL, routes: config.routes,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	l.onClose(shop.close)
	l.serve(listener, shop.handler)
	return nil
}

func (l *local) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTime}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }() // ends with Shutdown
	l.onClose(func() {
		drain, cancel := context.WithTimeout(context.Background(), drainTimeMax)
		defer cancel()
		_ = server.Shutdown(drain) // whoever is still connected is cut off
		<-done
	})
}

// writePolicy writes the policy that demo and dev start with, with the merchant of this run pinned in sight. A dev
// user's edited policy is kept: only its absence, or a demo, writes one.
func (l *local) writePolicy(data string) error {
	keyPath := filepath.Join(data, approverFile)
	key, err := readApproverKey(keyPath)
	if err != nil {
		if l.approver, err = makeApproverKey(keyPath); err != nil {
			return err
		}
	} else {
		l.approver = publicHex(key)
	}
	module, err := bundle.Module(pluginName)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, pluginName+".wasm"), module, 0o600); err != nil {
		return err
	}
	if _, err := os.Stat(l.policyPath); err == nil {
		return nil
	}
	text := fmt.Sprintf(localPolicy, approverName, l.approver, l.merchantURL, demoPayee, l.chain.Token(), sha256.Sum256(module))
	return os.WriteFile(l.policyPath, []byte(text), 0o600)
}

// localPolicy is the policy of demo and dev. Amounts are USDC.
const localPolicy = `# Written by purser demo or purser dev. Edit it, and have dev read it again by the command that it printed as reload. Check it first: purser policy validate FILE
version: 1
approvers:
  %s: "%s"
merchants: # the operator vouches for who is paid at this origin
  - origin: %s
    pay_to: ["%s"]
assets: # the embedded chain's test token
  - asset: "%s"
    symbol: USDC
    unit: usdc
    decimals: 6
    name: USDC
    version: "2"
tenant: # over all agents together
  max_transaction_usdc: "1000"
  daily_spending_limit: "2000"
agents:
  "*": {policy: demo}
policies:
  demo:
    max_transaction_usdc: "50"
    daily_spending_limit: "15"
    max_transactions_per_hour: 100
    require_human_approval_above: "5"
    approvals: {quorum: 1, approvers: [operator], expires: 15m}
    repeats: sequential
    plugins:
      - use: ./price-sanity.wasm
        sha256: "%x"
        config: {ceiling: "10000000", factor: 2, samples_min: 3}
        grants: {facts: [quotes]}
`
