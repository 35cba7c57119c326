package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/settle/devchain"
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
			ready := map[string]any{
				"ready": chain.RPCURL(), "service": "devchain", "rpc": chain.RPCURL(), "ws": chain.WSURL(), "network": chain.Network(), "asset": chain.Token().Reference(),
				"faucet": "devchain_fund", "relayer_key": chain.Relayer().PrivateKeyHex,
			}
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
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10}
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
