package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/client"
)

const (
	defaultServer = "http://127.0.0.1:4020"
	defaultData   = "purser-data"
	tokensFolder  = "tokens"
	operatorName  = "operator"
)

// remote is how a command reaches a running purser.
type remote struct {
	server, tokenFile, data string
}

// flags adds --server, --token-file and --data; flags beat PURSER_SERVER, PURSER_TOKEN_FILE and PURSER_DATA.
func (r *remote) flags(command *cobra.Command) {
	command.Flags().StringVar(&r.server, "server", environment("PURSER_SERVER", defaultServer), "address of the runtime")
	command.Flags().StringVar(&r.tokenFile, "token-file", os.Getenv("PURSER_TOKEN_FILE"), "file with the bearer token")
	command.Flags().StringVar(&r.data, "data", environment("PURSER_DATA", defaultData), "data folder of a purser on this machine, where its tokens are")
}

// as opens a client for an agent of the local data folder, or with the token file when one is named.
func (r *remote) as(name string) (*client.Client, error) {
	path := r.tokenFile
	if path == "" {
		path = tokenPath(r.data, name)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &abi.Error{
			Code: "token_missing", Where: path, Message: "there is no token to show the runtime", Cause: err,
			Fix: "name the file with --token-file, or the data folder of `purser dev` with --data",
		}
	}
	return client.New(r.server, client.Token(strings.TrimSpace(string(text))), nil)
}

// asOperator is a command that calls a running purser as its operator.
func (r *remote) asOperator(use, short string, args cobra.PositionalArgs, call func(context.Context, *client.Client, []string) error) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(command *cobra.Command, args []string) error {
			operator, err := r.as(operatorName)
			if err != nil {
				return err
			}
			return notPaying(call(command.Context(), operator, args))
		},
	}
	r.flags(command)
	return command
}

// notPaying corrects what the client says when nothing answers: a command that pays nothing left no payment behind.
func notPaying(err error) error {
	var coded *abi.Error
	if !errors.As(err, &coded) || coded.Code != "unreachable" {
		return err
	}
	quiet := *coded
	quiet.Retry, quiet.Fix = abi.RetryLater, "start it with: purser dev, or name another with --server"
	return &quiet
}

func tokenPath(data, name string) string { return filepath.Join(data, tokensFolder, name+".token") }

// saveToken keeps a token where only its owner can read it.
func saveToken(data, name, token string) (string, error) {
	path := tokenPath(data, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(token+"\n"), 0o600)
}

func environment(name, fallback string) string {
	if value, ok := os.LookupEnv(name); ok && value != "" {
		return value
	}
	return fallback
}
