// Command purser is the one binary: the runtime, the co-signer, their tools and the demo. It wires the parts together
// and holds no logic of payments itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	_ "time/tzdata" // budgets and active hours name IANA zones; a bare machine has no zone files

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
)

// Exit codes, as docs/cli.md lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDenied      = 3
	exitHeld        = 4
	exitUnknown     = 5
	exitUnreachable = 6
)

func main() { os.Exit(run(os.Args[1:])) }

// run is main with its exit code, so that tests can call it in a process of their own.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends what does not listen to the first
	out := newConsole(os.Stdout, os.Stderr)
	root := rootCommand(out)
	// A mistake before the flag is reached must be reported in the form that was asked for.
	out.json = slices.Contains(args, "--json")
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	out.command = command.CommandPath()
	return out.exit(err)
}

func rootCommand(out *console) *cobra.Command {
	root := &cobra.Command{
		Use: "purser", Short: "The payment runtime for AI agents",
		Long: "purser stands between an AI agent and its money: sandboxed policy decides, two independent key holders sign,\n" +
			"x402 settles, and everything is recorded and streamed.",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().BoolVar(&out.json, "json", false, "print JSON, one object a line")
	root.Version = version(debug.ReadBuildInfo())
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		demoCommand(out), devCommand(out), serveCommand(out), cosignerCommand(out),
		initCommand(out), ceremonyCommand(out), recoveryCommand(out),
		payCommand(out), streamCommand(out), walletCommand(out), agentCommand(out), approvalsCommand(out), merchantsCommand(out),
		operatorCommand(out), orderCommand(out), freezeCommand(out), thawCommand(out), signerCommand(out),
		policyCommand(out), pluginCommand(out), auditCommand(out), devchainCommand(out), facilitatorCommand(out), merchantCommand(out),
	)
	refuseStrangers(root)
	return root
}

// version says what this binary was built from, in one line.
func version(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "purser, of a build that does not say its version"
	}
	module := info.Main.Version
	if module == "" {
		module = "(devel)"
	}
	text := fmt.Sprintf("purser %s, ABI %d.%d, %s", module, abi.Major, abi.Minor, info.GoVersion)
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			text += fmt.Sprintf(", commit %.12s", setting.Value)
		case setting.Key == "vcs.modified" && setting.Value == "true":
			text += " with changes"
		}
	}
	return text
}

// refuseStrangers makes every command that only holds others fail on one that it does not have: cobra prints its help
// and succeeds, and a script with a typing error goes on.
func refuseStrangers(command *cobra.Command) {
	if !command.HasSubCommands() {
		return
	}
	for _, below := range command.Commands() {
		refuseStrangers(below)
	}
	command.Args = cobra.ArbitraryArgs
	command.RunE = func(command *cobra.Command, args []string) error {
		if len(args) == 0 {
			return command.Help()
		}
		return usageError{fmt.Errorf("%q has no command %.40q", command.CommandPath(), args[0])}
	}
}

// usageError is a mistake in the command line itself.
type usageError struct{ cause error }

func (e usageError) Error() string { return e.cause.Error() }
func (e usageError) Unwrap() error { return e.cause }

// usageOf makes an error with one of the codes a mistake in the command line.
func usageOf(err error, codes ...string) error {
	if slices.Contains(codes, abi.CodeOf(err)) {
		return usageError{err}
	}
	return err
}

// exitError carries a result that is not a failure of the command: a denial, a hold, an unknown outcome.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// codes maps error codes to exit codes; everything else is a plain failure.
var codes = map[string]int{
	"unreachable": exitUnreachable, "pending": exitUnknown, "commit_unknown": exitUnknown, "request_invalid": exitUsage,
}

func exitCode(err error) int {
	var result exitError
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &result):
		return result.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitFailed
	}
	if code, ok := codes[abi.CodeOf(err)]; ok {
		return code
	}
	return exitFailed
}

// atMost wants n arguments or fewer.
func atMost(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > n {
			return usageError{fmt.Errorf("want at most %s: %s", count(n, "argument"), names)}
		}
		return nil
	}
}

// exactly wants n arguments.
func exactly(n int, names string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("want %s: %s", count(n, "argument"), names)}
		}
		return nil
	}
}

// count is a number of things in words.
func count[N int | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
