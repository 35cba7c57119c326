package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/abi/abitest"
	"github.com/purserhq/purser/internal/toolchain"
)

func pluginRunCommand(out *console) *cobra.Command {
	var config, request, call string
	command := &cobra.Command{
		Use: "run FILE", Short: "Call a module once: JSON in, JSON out, with its log and fuel", Args: exactly(1, "FILE"),
		RunE: func(command *cobra.Command, args []string) (err error) {
			module, err := moduleArgument(args[0])
			if err != nil {
				return err
			}
			settings, err := readOptional(config)
			if err != nil {
				return err
			}
			asked, err := readOptional(request)
			if err != nil {
				return err
			}
			out.step("compiling %s", args[0])
			guest, err := abitest.Open(command.Context(), module, abitest.GuestConfig{CacheDir: pluginCache()})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, guest.Close()) }()
			configured, err := guest.Configure(command.Context(), settings)
			if err != nil {
				return refusedConfig(err, config, settings)
			}
			defer func() { err = errors.Join(err, configured.Close()) }()
			if call == "" {
				call = map[abi.Kind]string{abi.KindPolicy: "decide", abi.KindChain: "describe"}[guest.Manifest().Kind]
			}
			answer, err := configured.Call(command.Context(), call, asked)
			out.done()
			if !out.json && answer.Fuel > 0 {
				for _, line := range answer.Log {
					out.note("log: %s", strings.TrimRight(line, "\n"))
				}
				out.note("%s", strings.TrimSpace(fmt.Sprintf("%s  %d fuel, %d pages, %v", answer.Outcome, answer.Fuel, answer.MemoryPages, answer.Elapsed)))
			}
			if err != nil && out.json && answer.Fuel > 0 {
				err = errors.Join(out.line(answer), err) // what it logged and used until it failed
			}
			if code := abi.CodeOf(err); code == "json_invalid" && request != "" {
				return toolchain.InFile(err, request, asked)
			}
			if err != nil {
				return err
			}
			return out.result(answer, abitest.Printable(indented(answer.View)))
		},
	}
	command.Flags().StringVar(&config, "config", "", "file with the configuration, JSON; none: {}")
	command.Flags().StringVar(&request, "request", "", "file with the JSON view of the request; none: {}")
	command.Flags().StringVar(&call, "call", "", "what to call, as in a manifest's vectors; none: decide, or describe for a chain adapter")
	return command
}

// refusedConfig says which file the configuration was, and that there was none.
func refusedConfig(err error, file string, settings []byte) error {
	var coded *abi.Error
	if !errors.As(err, &coded) {
		return err
	}
	refused := *coded
	if file == "" {
		refused.Fix = "without --config FILE the configuration is {}: name one"
		return &refused
	}
	refused.Fix = "correct the configuration"
	return toolchain.InFile(&refused, file, settings)
}

func readOptional(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return readAtMost(path, 4*abi.WireMessageBytesMax)
}

func indented(view json.RawMessage) string {
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(view)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return string(view) + "\n"
	}
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return string(view) + "\n"
	}
	return fmt.Sprintf("%s\n", text)
}
