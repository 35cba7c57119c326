package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/api"
	"github.com/purserhq/purser/runtime/client"
)

func agentCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "agent", Short: "Create agents and manage their tokens and keys"}
	command.AddCommand(
		agentCreate(out), agentEnrolment(out), agentList(out), agentShow(out), agentRotate(out), agentRevoke(out),
		keygenCommand(out, "Make the key that an agent signs its requests with; the public half is for agent create"),
	)
	return command
}

// agentName wants one name, and refuses the one under which the data folder keeps the operator's own token: an agent's
// token in that file would be the operator's after the next start.
func agentName(command *cobra.Command, args []string) error {
	if err := exactly(1, "NAME")(command, args); err != nil {
		return err
	}
	if args[0] == operatorName {
		return &abi.Error{Code: "request_invalid", Where: "agent", Message: fmt.Sprintf("%q is the operator's own name", args[0]), Fix: "choose another name"}
	}
	return nil
}

func agentCreate(out *console) *cobra.Command {
	var where remote
	var about enrolling
	var signers endorsers
	var groups []string
	var keyOut string
	command := where.asOperator("create NAME", "Register an agent and keep its token in the data folder", agentName,
		func(ctx context.Context, operator *client.Client, args []string) error {
			if keyOut != "" {
				if about.publicKey != "" {
					return usageError{errors.New("--public-key and --key-out exclude each other")}
				}
				public, err := makeApproverKey(keyOut)
				if err != nil {
					return err
				}
				about.publicKey = public
			}
			if len(signers.names) == 0 && len(signers.files) == 0 {
				made, err := operator.CreateAgent(ctx, api.AgentParams{Agent: args[0], Wallet: about.wallet, Groups: groups, PublicKey: about.publicKey, Derived: about.derived})
				if err != nil {
					return err
				}
				return out.token(where.data, args[0], made)
			}
			serial, err := nextSerial(ctx, operator, args[0])
			if err != nil {
				return err
			}
			o, err := about.order(args[0], serial, time.Now())
			if err != nil {
				return err
			}
			if err := signers.sign(o); err != nil {
				return err
			}
			return out.submit(ctx, operator, where.data, api.OrderParams{Order: o, Groups: groups})
		})
	about.flags(command)
	signers.flags(command)
	command.Flags().StringSliceVar(&groups, "group", nil, "groups the agent is in")
	command.Flags().StringVar(&keyOut, "key-out", "", "make the agent's key in this file, in place of --public-key")
	return command
}

func agentList(out *console) *cobra.Command {
	var where remote
	return where.asOperator("list", "List agents", exactly(0, "none"), func(ctx context.Context, operator *client.Client, _ []string) error {
		agents, err := operator.Agents(ctx)
		if err != nil {
			return err
		}
		text := ""
		for _, agent := range agents {
			text += fmt.Sprintf("%-20s %-10s wallet %s\n", agent.ID, statusOf(agent), agent.Wallet)
		}
		return out.result(map[string]any{"agents": agents}, text)
	})
}

func agentRotate(out *console) *cobra.Command {
	var where remote
	return where.asOperator("rotate NAME", "Replace an agent's token; the old one stops working at once", agentName,
		func(ctx context.Context, operator *client.Client, args []string) error {
			made, err := operator.RotateAgent(ctx, args[0])
			if err != nil {
				return err
			}
			return out.token(where.data, args[0], made)
		})
}

func agentRevoke(out *console) *cobra.Command {
	var where remote
	return where.asOperator("revoke NAME", "End an agent's access", exactly(1, "NAME"), func(ctx context.Context, operator *client.Client, args []string) error {
		revoked, err := operator.RevokeAgent(ctx, args[0])
		if err != nil {
			return err
		}
		return out.result(revoked, fmt.Sprintf("%s may not pay any more\n", args[0]))
	})
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
	shown := map[string]string{"agent": made.ID, "token_file": path}
	text := fmt.Sprintf("%s  token in %s\n", made.ID, path)
	if made.Address != "" {
		shown["address"] = made.Address
		text = fmt.Sprintf("%s  pays from %s  token in %s\n", made.ID, made.Address, path)
	}
	return c.result(shown, text)
}
