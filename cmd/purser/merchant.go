package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
	"github.com/purserhq/purser/settle/journal"
	"github.com/purserhq/purser/settle/x402"
)

func merchantCommand(out *console) *cobra.Command {
	var facilitatorURL, payTo, price, network, asset, path, listen, rpcURL, data string
	command := &cobra.Command{
		Use: "merchant", Short: "Run a demo paid API", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			if payTo == "" {
				return usageError{errors.New("--pay-to is required: the account that is paid")}
			}
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
				return map[string]any{"ready": url + path, "service": "merchant", "url": url + path, "network": network, "pay_to": payTo, "price": amount},
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
	command.Flags().StringVar(&rpcURL, "rpc", "", "JSON-RPC address of the chain, to read the token's name and version; default: ask the facilitator")
	command.Flags().StringVar(&data, "data", environment("PURSER_DATA", defaultData), "folder for the claims")
	return command
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
	name, version, err := tokenDomain(ctx, config)
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

// tokenDomain reads the token's EIP-712 name and version from the chain, directly when an RPC endpoint is named, else
// through the facilitator, which reads it there. A wrong name makes every signature invalid.
func tokenDomain(ctx context.Context, config merchantConfig) (name, version string, err error) {
	asset, err := abi.ERC20(abi.Network(config.network), config.asset)
	if err != nil {
		return "", "", err
	}
	if config.rpcURL == "" {
		return domainFromFacilitator(ctx, config.facilitatorURL, asset)
	}
	rpc, err := evm.Open(ctx, evm.Config{URL: config.rpcURL, Network: abi.Network(config.network)})
	if err != nil {
		return "", "", err
	}
	defer rpc.Close()
	if name, err = rpc.TokenName(ctx, asset); err != nil {
		return "", "", err
	}
	version, err = rpc.TokenVersion(ctx, asset)
	return name, version, err
}

const (
	tokensBytesMax = 64 << 10
	tokensTimeMax  = 10 * time.Second
)

func domainFromFacilitator(ctx context.Context, base string, asset abi.Asset) (name, version string, err error) {
	unknown := func(cause error) error {
		return &abi.Error{
			Code: "token_unknown", Where: base, Message: fmt.Sprintf("the facilitator does not tell the name and version of %s", asset), Cause: cause,
			Fix: "name a JSON-RPC endpoint of the chain with --rpc",
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tokensTimeMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/tokens", nil)
	if err != nil {
		return "", "", unknown(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", "", unknown(err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end or given up
	var answer facilitator.TokensResponse
	if err := json.NewDecoder(io.LimitReader(response.Body, tokensBytesMax)).Decode(&answer); err != nil {
		return "", "", unknown(err)
	}
	for _, token := range answer.Tokens {
		if token.Asset == asset {
			return token.Name, token.Version, nil
		}
	}
	return "", "", unknown(nil)
}
