package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/devchain"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
	"github.com/purserhq/purser/settle/journal"
	"github.com/purserhq/purser/settle/journal/relayer"
	"github.com/purserhq/purser/settle/x402"
)

// drainTimeMax is how long a service waits for running requests when it is told to stop.
const drainTimeMax = 10 * time.Second

func devchainCommand(out *console) *cobra.Command {
	var config devchain.Config
	command := &cobra.Command{
		Use: "devchain", Short: "Run the embedded chain alone: JSON-RPC, faucet, test USDC", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			out.step("starting the chain")
			chain, err := devchain.Open(command.Context(), config)
			if err != nil {
				return err
			}
			out.done()
			defer func() { _ = chain.Close() }() // it keeps its state at every block
			ready := map[string]any{"ready": "devchain", "rpc": chain.RPCURL(), "ws": chain.WSURL(), "network": chain.Network(), "asset": chain.Token().Reference(),
				"faucet": "devchain_fund", "relayer_key": chain.Relayer().PrivateKeyHex}
			if err := out.result(ready, fmt.Sprintf("chain %s at %s\ntest USDC %s\nfund an account with the JSON-RPC method devchain_fund; the relayer's key is %s (published, worthless)\n",
				chain.Network(), chain.RPCURL(), chain.Token().Reference(), chain.Relayer().PrivateKeyHex)); err != nil {
				return err
			}
			<-command.Context().Done()
			return nil
		},
	}
	command.Flags().StringVar(&config.Listen, "listen", "127.0.0.1:8545", "loopback address to listen on")
	command.Flags().DurationVar(&config.BlockTime, "block-time", 0, "time between blocks; 0: a block as soon as there is a transaction")
	command.Flags().StringVar(&config.DataDir, "data", "", "folder that keeps the chain; default: memory")
	return command
}

func facilitatorCommand(out *console) *cobra.Command {
	var rpcURL, keyFile, listen, network, data string
	var assets []string
	command := &cobra.Command{
		Use: "facilitator", Short: "Run an x402 facilitator: /verify, /settle, /supported", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			key, err := readRelayerKey(keyFile)
			if err != nil {
				return err
			}
			service, err := openFacilitator(ctx, facilitatorConfig{rpcURL: rpcURL, network: network, assets: assets, key: key, data: data})
			if err != nil {
				return err
			}
			defer service.close()
			return out.serve(ctx, listen, service.handler, func(url string) (any, string) {
				return map[string]any{"ready": "facilitator", "url": url, "network": network, "relayer": service.relayer},
					fmt.Sprintf("facilitator for %s at %s, relayer %s\n", network, url, service.relayer)
			})
		},
	}
	command.Flags().StringVar(&rpcURL, "rpc", "", "JSON-RPC address of the chain")
	command.Flags().StringVar(&keyFile, "key-file", "", "file with the relayer's private key in hex: it pays gas only")
	command.Flags().StringVar(&listen, "listen", "127.0.0.1:4022", "address to listen on")
	command.Flags().StringVar(&network, "network", demoNetwork, "CAIP-2 network")
	command.Flags().StringArrayVar(&assets, "asset", []string{demoToken}, "token contract to settle; may be repeated")
	command.Flags().StringVar(&data, "data", environment("PURSER_DATA", defaultData), "folder for the journal")
	return command
}

func readRelayerKey(path string) (facilitator.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return facilitator.Key{}, usageError{fmt.Errorf("read --key-file: %w", err)}
	}
	return facilitator.ParseKey(strings.TrimSpace(string(text)))
}

func merchantCommand(out *console) *cobra.Command {
	var facilitatorURL, payTo, price, network, asset, path, listen, rpcURL, data string
	command := &cobra.Command{
		Use: "merchant", Short: "Run a demo paid API", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			amount, err := abi.ParseDecimal(price, usdcDecimals)
			if err != nil {
				return usageError{err}
			}
			listener, err := listenLoopback(ctx, listen)
			if err != nil {
				return err
			}
			shop, err := openMerchant(ctx, merchantConfig{
				facilitatorURL: facilitatorURL, rpcURL: rpcURL, network: network, asset: asset, payTo: payTo, data: data,
				origin: "http://" + listener.Addr().String(), routes: []paidRoute{{path: path, price: amount, body: demoReport}},
			})
			if err != nil {
				return errors.Join(err, listener.Close())
			}
			defer shop.close()
			return out.serveOn(ctx, listener, shop.handler, func(url string) (any, string) {
				return map[string]any{"ready": "merchant", "url": url + path, "network": network, "pay_to": payTo, "price": amount},
					fmt.Sprintf("%s costs %s USDC, paid to %s on %s\n", url+path, price, payTo, network)
			})
		},
	}
	command.Flags().StringVar(&facilitatorURL, "facilitator", "http://127.0.0.1:4022", "facilitator to verify and settle with")
	command.Flags().StringVar(&payTo, "pay-to", "", "account that is paid")
	command.Flags().StringVar(&price, "price", "0.01", "price in USDC")
	command.Flags().StringVar(&network, "network", demoNetwork, "CAIP-2 network")
	command.Flags().StringVar(&asset, "asset", demoToken, "token contract")
	command.Flags().StringVar(&path, "path", "/paid", "path that costs money")
	command.Flags().StringVar(&listen, "listen", "127.0.0.1:4021", "address to listen on")
	command.Flags().StringVar(&rpcURL, "rpc", "http://127.0.0.1:8545", "JSON-RPC address of the chain, to read the token's name and version")
	command.Flags().StringVar(&data, "data", environment("PURSER_DATA", defaultData), "folder for the claims")
	return command
}

// listenLoopback refuses to be reachable from other machines unless an address says so: an empty host would mean
// every interface.
func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	if strings.HasPrefix(address, ":") {
		return nil, usageError{fmt.Errorf("listen on %s: name the host, such as 127.0.0.1%s", address, address)}
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", address)
}

func (c *console) serve(ctx context.Context, listen string, handler http.Handler, ready func(url string) (any, string)) error {
	listener, err := listenLoopback(ctx, listen)
	if err != nil {
		return err
	}
	return c.serveOn(ctx, listener, handler, ready)
}

// serveOn prints one ready line and serves until the context ends, then drains.
func (c *console) serveOn(ctx context.Context, listener net.Listener, handler http.Handler, ready func(url string) (any, string)) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	value, text := ready("http://" + listener.Addr().String())
	if err := c.result(value, text); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeMax)
	defer cancel()
	return server.Shutdown(drain)
}

// facilitatorService is a facilitator with what it holds open.
type facilitatorService struct {
	handler http.Handler
	relayer string
	close   func()
}

type facilitatorConfig struct {
	rpcURL, network, data string
	assets                []string
	key                   facilitator.Key
}

func openFacilitator(ctx context.Context, config facilitatorConfig) (facilitatorService, error) {
	var assets []abi.Asset
	for _, contract := range config.assets {
		asset, err := abi.ERC20(abi.Network(config.network), contract)
		if err != nil {
			return facilitatorService{}, err
		}
		assets = append(assets, asset)
	}
	rpc, err := evm.Open(ctx, evm.Config{URL: config.rpcURL, Network: abi.Network(config.network)})
	if err != nil {
		return facilitatorService{}, err
	}
	if err := os.MkdirAll(config.data, 0o700); err != nil {
		return facilitatorService{}, err
	}
	journals, err := relayer.Open(ctx, filepath.Join(config.data, "relay.db"))
	if err != nil {
		return facilitatorService{}, err
	}
	service, err := facilitator.Open(ctx, facilitator.Config{RPC: rpc, Assets: assets, Key: config.key, Journal: journals})
	if err != nil {
		return facilitatorService{}, errors.Join(err, journals.Close())
	}
	return facilitatorService{handler: service.Handler(), relayer: service.Relayer(), close: func() {
		_ = errors.Join(service.Close(), journals.Close()) // everything that matters is durable already
		rpc.Close()
	}}, nil
}

// merchantService is a paid API with what it holds open.
type merchantService struct {
	handler http.Handler
	close   func()
}

type merchantConfig struct {
	facilitatorURL, rpcURL, network, asset, payTo, origin, data string
	routes                                                      []paidRoute
}

// paidRoute is a path with its price in smallest units and what it sells.
type paidRoute struct {
	path  string
	price abi.Amount
	body  string
}

// demoReport is what the demo merchant sells.
const demoReport = `{"report":"the numbers you paid for"}` + "\n"

func openMerchant(ctx context.Context, config merchantConfig) (merchantService, error) {
	name, version, err := readTokenDomain(ctx, config)
	if err != nil {
		return merchantService{}, err
	}
	gate, err := x402.NewClient(x402.ClientConfig{URL: config.facilitatorURL})
	if err != nil {
		return merchantService{}, err
	}
	if err := os.MkdirAll(config.data, 0o700); err != nil {
		return merchantService{}, err
	}
	claims, err := journal.OpenClaims(ctx, filepath.Join(config.data, "claims.db"))
	if err != nil {
		return merchantService{}, err
	}
	mux := http.NewServeMux()
	for _, route := range config.routes {
		shop, err := x402.NewMerchant(x402.MerchantConfig{
			Facilitator: gate, Claims: claims, Origin: config.origin, MimeType: "application/json", Description: "demo report",
			Offers: []x402.Offer{{Network: abi.Network(config.network), Asset: config.asset, PayTo: config.payTo, Price: route.price, Name: name, Version: version}},
		})
		if err != nil {
			return merchantService{}, errors.Join(err, claims.Close())
		}
		mux.Handle(route.path, shop.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(route.body)) // buffered by the middleware until the money has moved
		})))
	}
	return merchantService{handler: mux, close: func() { _ = claims.Close() }}, nil // every claim is durable already
}

func readTokenDomain(ctx context.Context, config merchantConfig) (name, version string, err error) {
	rpc, err := evm.Open(ctx, evm.Config{URL: config.rpcURL, Network: abi.Network(config.network)})
	if err != nil {
		return "", "", err
	}
	defer rpc.Close()
	asset, err := abi.ERC20(abi.Network(config.network), config.asset)
	if err != nil {
		return "", "", err
	}
	if name, err = rpc.TokenName(ctx, asset); err != nil {
		return "", "", err
	}
	version, err = rpc.TokenVersion(ctx, asset)
	return name, version, err
}
