package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/purserhq/purser/abi"
)

func pluginCommand(out *console) *cobra.Command {
	command := &cobra.Command{Use: "plugin", Short: "Write, test, sign and ship plugins"}
	command.AddCommand(
		pluginNewCommand(out), pluginBuildCommand(out), pluginInspectCommand(out), pluginTestCommand(out),
		pluginBenchCommand(out), pluginRunCommand(out), pluginReplayCommand(out),
		pluginKeygenCommand(out), pluginSignCommand(out), pluginVerifyCommand(out), pluginPushCommand(out), pluginPullCommand(out),
		pluginQuarantineCommand(out),
	)
	return command
}

// readModule reads a module file; larger ones than can load are refused.
func readModule(path string) ([]byte, error) { return readAtMost(path, abi.ModuleBytesMax) }

// moduleArgument reads the module that the command line names; one that is not there is a mistake in it.
func moduleArgument(path string) ([]byte, error) {
	module, err := readModule(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usageError{&abi.Error{Code: "file_missing", Where: path, Message: "there is no such file", Fix: "name a module, such as the one that purser plugin build writes"}}
	}
	return module, err
}

// readAtMost reads a file that somebody else may have made.
func readAtMost(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		return nil, &abi.Error{Code: "input_too_large", Where: path, Message: "the file is larger than anything that can load", Fix: "name the right file"}
	}
	return content, err
}

// pluginCache is where compiled plugins are kept, the same folder that serve uses; empty when there is none, which only
// costs time.
func pluginCache() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	cache := filepath.Join(folder, "purser", "wasm")
	if err := os.MkdirAll(filepath.Dir(cache), 0o700); err != nil {
		return ""
	}
	return cache
}
