package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
)

func devCommand(out *console) *cobra.Command {
	var listen, data, merchant, adapter string
	var blockTime time.Duration
	command := &cobra.Command{
		Use: "dev", Short: "Run everything on loopback: chain, facilitator, merchant, runtime, co-signer", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			// What is printed is for other terminals, in other folders.
			data, err := filepath.Abs(data)
			if err != nil {
				return err
			}
			if adapter != "" {
				if adapter, err = filepath.Abs(adapter); err != nil {
					return err
				}
			}
			return runDev(command.Context(), out, listen, adapter, localConfig{data: data, blockTime: blockTime, persist: true, routes: demoRoutes, listen: merchant, out: out})
		},
	}
	command.Flags().StringVar(&listen, "listen", "127.0.0.1:4020", "address of the API")
	command.Flags().StringVar(&merchant, "merchant-listen", "127.0.0.1:4021", "address of the demo merchant")
	command.Flags().StringVar(&data, "data", environment("PURSER_DATA", defaultData), "folder that keeps everything")
	command.Flags().StringVar(&adapter, "adapter", "", "chain adapter's module to use in place of the bundled one; read again on reload")
	command.Flags().DurationVar(&blockTime, "block-time", 0, "time between blocks; 0: a block as soon as there is a transaction")
	return command
}

func runDev(ctx context.Context, out *console, listen, adapter string, config localConfig) error {
	world, err := openLocal(ctx, config)
	if err != nil {
		return err
	}
	defer world.Close()
	key, err := demoKeys()
	if err != nil {
		return err
	}
	out.step("compiling plugins (slow the first time on a machine)")
	s, err := openStack(ctx, stackConfig{
		data: config.data, policy: world.policyPath, adapter: adapter, keys: []walletKey{key},
		chains: map[abi.Network]string{world.chain.Network(): world.chain.RPCURL()},
		log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	out.done()
	defer func() { _ = s.Close() }() // every step was durable before it showed
	token, err := devAgent(ctx, s, config.data)
	if err != nil {
		return err
	}
	s.reloadOnHangup(ctx, out)
	return out.serve(ctx, listen, s.gateway, func(url string) (any, string) {
		return map[string]any{
				"ready": url, "service": "dev", "url": url, "rpc": world.chain.RPCURL(), "network": world.chain.Network(), "asset": world.chain.Token().Reference(),
				"merchant": world.merchantURL, "facilitator": world.facilitator, "agent": demoAgent, "token_file": token, "data": config.data, "policy": world.policyPath, "reload": reloadLine(),
			},
			devBanner(url, token, config.data, world)
	})
}

// devAgent makes the demo agent's token, or keeps the one of an earlier run.
func devAgent(ctx context.Context, s *stack, data string) (string, error) {
	path := tokenPath(data, demoAgent)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	token, err := s.runtime.CreateAgent(ctx, demoAgent, demoWalletID, nil)
	if abi.CodeOf(err) == "conflict" {
		token, err = s.runtime.RotateAgent(ctx, demoAgent)
	}
	if err != nil {
		return "", err
	}
	return saveToken(data, demoAgent, token.Reveal())
}

func devBanner(url, token, data string, world *local) string {
	return fmt.Sprintf(`purser dev: NOT for real money. The wallet's key is published and signs for %s only; the co-signer runs in this process.

  API          %s
  merchant     %s%s (0.01 USDC), %s (12), %s (8), %s (9)
  facilitator  %s
  chain        %s
  policy       %s
  reload       %s (after you changed the policy or a plugin)
  token        %s

  export PURSER_SERVER=%s PURSER_DATA=%s PURSER_PID=%d
  purser pay %s/weather
  purser stream
`, world.chain.Network(), url, world.merchantURL, demoRoutes[0].path, demoRoutes[1].path, demoRoutes[2].path, demoRoutes[3].path, world.facilitator,
		world.chain.RPCURL(), world.policyPath, reloadLine(), token, url, quoted(data), os.Getpid(), world.merchantURL)
}

// reloadLine is the command that has this process, and no other purser, read its files again.
func reloadLine() string { return fmt.Sprintf("kill -HUP %d", os.Getpid()) }

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@%+=:,-]+$`)

// quoted is a word for a POSIX shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
