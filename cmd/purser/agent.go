package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
)

func agentCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "agent", Short: "Create agents and manage their tokens"}
	command.AddCommand(agentCreate(out), agentList(out), agentRotate(out), agentRevoke(out))
	return command
}

// notReserved refuses the name under which the data folder keeps the operator's own token: an agent's token in that
// file would be the operator's after the next start.
func notReserved(agent string) error {
	if agent == operatorName {
		return &abi.Error{Code: "request_invalid", Where: "agent", Message: fmt.Sprintf("%q is the operator's own name", agent), Fix: "choose another name"}
	}
	return nil
}

func agentCreate(out *console) *cobra.Command {
	var where remote
	var wallet string
	var groups []string
	command := &cobra.Command{
		Use: "create NAME", Short: "Register an agent and keep its token in the data folder", Args: exactly(1, "NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := notReserved(args[0]); err != nil {
				return err
			}
			client, err := where.as(operatorName)
			if err != nil {
				return err
			}
			made, err := client.CreateAgent(command.Context(), api.AgentParams{Agent: args[0], Wallet: wallet, Groups: groups})
			if err != nil {
				return err
			}
			return out.token(where.data, args[0], made)
		},
	}
	where.flags(command)
	command.Flags().StringVar(&wallet, "wallet", demoWalletID, "wallet the agent pays from")
	command.Flags().StringSliceVar(&groups, "group", nil, "groups the agent is in")
	return command
}

func agentList(out *console) *cobra.Command {
	var where remote
	command := &cobra.Command{
		Use: "list", Short: "List agents", Args: exactly(0, "none"),
		RunE: func(command *cobra.Command, _ []string) error {
			client, err := where.as(operatorName)
			if err != nil {
				return err
			}
			agents, err := client.Agents(command.Context())
			if err != nil {
				return err
			}
			text := ""
			for _, agent := range agents {
				status := "active"
				if agent.Revoked {
					status = "revoked"
				}
				text += fmt.Sprintf("%-20s %-10s wallet %s\n", agent.ID, status, agent.Wallet)
			}
			return out.result(map[string]any{"agents": agents}, text)
		},
	}
	where.flags(command)
	return command
}

func agentRotate(out *console) *cobra.Command {
	var where remote
	command := &cobra.Command{
		Use: "rotate NAME", Short: "Replace an agent's token; the old one stops working at once", Args: exactly(1, "NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			if err := notReserved(args[0]); err != nil {
				return err
			}
			client, err := where.as(operatorName)
			if err != nil {
				return err
			}
			made, err := client.RotateAgent(command.Context(), args[0])
			if err != nil {
				return err
			}
			return out.token(where.data, args[0], made)
		},
	}
	where.flags(command)
	return command
}

func agentRevoke(out *console) *cobra.Command {
	var where remote
	command := &cobra.Command{
		Use: "revoke NAME", Short: "End an agent's access", Args: exactly(1, "NAME"),
		RunE: func(command *cobra.Command, args []string) error {
			client, err := where.as(operatorName)
			if err != nil {
				return err
			}
			revoked, err := client.RevokeAgent(command.Context(), args[0])
			if err != nil {
				return err
			}
			return out.result(revoked, fmt.Sprintf("%s may not pay any more\n", args[0]))
		},
	}
	where.flags(command)
	return command
}

// token keeps a new token in a file and prints where, never the token itself. The file is named by what was asked for:
// a name that a server answers with could be a path.
func (c *console) token(data, asked string, made api.AgentView) error {
	if made.ID != asked || made.Token == "" {
		return &abi.Error{Code: "answer_invalid", Where: asked, Message: fmt.Sprintf("the server answered for %.70q, or without a token", made.ID)}
	}
	path, err := saveToken(data, asked, made.Token)
	if err != nil {
		return err
	}
	return c.result(map[string]string{"agent": made.ID, "token_file": path}, fmt.Sprintf("%s  token in %s\n", made.ID, path))
}
