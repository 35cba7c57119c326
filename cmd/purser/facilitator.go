package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/settle/evm"
	"github.com/purserhq/purser/settle/facilitator"
	"github.com/purserhq/purser/settle/journal/relayer"
)

func facilitatorCommand(out *console) *cobra.Command {
	var rpcURL, keyFile, listen, network, data string
	var assets []string
	command := &cobra.Command{
		Use: "facilitator", Short: "Run an x402 facilitator: /verify, /settle, /supported", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			ctx := command.Context()
			if rpcURL == "" || keyFile == "" {
				return usageError{errors.New("--rpc and --key-file are required")}
			}
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
				return map[string]any{"ready": url, "service": "facilitator", "url": url, "network": network, "relayer": service.relayer},
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
