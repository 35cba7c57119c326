package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/settle/evm"
)

func walletCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "wallet", Short: "Look at the wallets that agents pay from"}
	var rpcURL, network, asset string
	show := &cobra.Command{
		Use: "show [WALLET]", Short: "Show a wallet's address, and its balance when --rpc is given", Args: atMost(1, "WALLET"),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] != demoWalletID {
				return &abi.Error{Code: "not_found", Where: args[0], Message: "no such wallet", Fix: "without a running purser only " + demoWalletID + " is known, whose key is public; for others: purser wallet sessions"}
			}
			wallet, err := demoWallet()
			if err != nil {
				return err
			}
			view := map[string]any{"wallet": wallet.ID, "address": wallet.Address, "networks": wallet.Networks, "demo": true}
			text := fmt.Sprintf("%s  %s  signs for %v only: its key shares are published\n", wallet.ID, wallet.Address, wallet.Networks)
			if rpcURL != "" {
				balance, err := readBalance(command, rpcURL, network, asset, wallet.Address)
				if err != nil {
					return err
				}
				view["balance"], view["asset"] = balance.String(), asset
				text += fmt.Sprintf("balance  %s USDC\n", balance.FormatDecimal(usdcDecimals))
			}
			return out.result(view, text)
		},
	}
	show.Flags().StringVar(&rpcURL, "rpc", "", "JSON-RPC address of the chain, to read the balance")
	show.Flags().StringVar(&network, "network", demoNetwork, "CAIP-2 network")
	show.Flags().StringVar(&asset, "asset", demoToken, "token contract")
	command.AddCommand(show, walletSessions(out))
	return command
}

func readBalance(command *cobra.Command, rpcURL, network, contract, address string) (abi.Amount, error) {
	asset, err := abi.ERC20(abi.Network(network), contract)
	if err != nil {
		return abi.Amount{}, err
	}
	account, err := evm.ParseAddress(address)
	if err != nil {
		return abi.Amount{}, err
	}
	rpc, err := evm.Open(command.Context(), evm.Config{URL: rpcURL, Network: abi.Network(network)})
	if err != nil {
		return abi.Amount{}, err
	}
	defer rpc.Close()
	return rpc.TokenBalance(command.Context(), asset, account, evm.AtTag(evm.Latest))
}

// walletSessions shows the signing sessions that wait for payments.
func walletSessions(out *console) *cobra.Command {
	var where remote
	return where.asOperator("sessions", "List the wallets of a running purser, with their prepared signing sessions", exactly(0, "none"), func(ctx context.Context, operator *client.Client, _ []string) error {
		all, err := operator.Sessions(ctx)
		if err != nil {
			return err
		}
		text := ""
		for _, s := range all {
			text += fmt.Sprintf("%s  %s\n  %d ready, %d on their way; signed %d warm, %d cold; refilled %d, dropped %d, failed %d\n",
				s.Wallet, s.Address, s.Ready, s.Preparing, s.Warm, s.Cold, s.Refilled, s.Dropped, s.Failed)
		}
		return out.result(map[string]any{"sessions": all}, text)
	})
}
