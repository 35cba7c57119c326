// Command manifest puts a plugin's manifest into its module, as the custom
// section purser.manifest. It refuses a manifest that no host would take.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/internal/toolchain"
)

func run(manifestPath, inPath, outPath string) error {
	manifest, err := os.ReadFile(manifestPath) //nolint:gosec // the path is the caller's own argument
	if err != nil {
		return err
	}
	info, err := os.Stat(inPath)
	if err != nil {
		return err
	}
	if info.Size() > abi.ModuleBytesMax {
		return fmt.Errorf("%s has %d bytes, at most %d load", inPath, info.Size(), abi.ModuleBytesMax)
	}
	module, err := os.ReadFile(inPath) //nolint:gosec // the path is the caller's own argument
	if err != nil {
		return err
	}
	out, err := toolchain.Embed(module, manifest)
	if err != nil {
		return fmt.Errorf("%s into %s: %w", manifestPath, inPath, err)
	}
	return os.WriteFile(outPath, out, 0o644) //nolint:gosec // a module is for everybody to read
}

func main() {
	manifest := flag.String("manifest", "manifest.json", "the plugin's manifest")
	in := flag.String("wasm", "", "the module as the compiler wrote it")
	out := flag.String("out", "", "where to write the module with its manifest; may be the same file")
	flag.Parse()
	if *in == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*manifest, *in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}
