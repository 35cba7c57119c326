package toolchain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/purserhq/purser/abi"
)

const (
	rustTarget    = "wasm32-unknown-unknown"
	rustFix       = "Debian: apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14; with rustup: rustup target add " + rustTarget
	cargoBytesMax = 64 << 10
)

// compileRust runs the SDK's own script, which calls rustc without cargo: Debian's compiler comes without it, and a
// plugin has no other dependency.
func compileRust(ctx context.Context, folder, out string) error {
	sdk, err := rustSDK(folder)
	if err != nil {
		return err
	}
	compiler, err := findRust(ctx)
	if err != nil {
		return err
	}
	return script(ctx, Rust, sdk, folder, []string{"RUSTC=" + compiler}, folder, out)
}

var (
	cargoSection    = regexp.MustCompile(`(?m)^\s*\[([^\]]+)\]`)
	cargoDependency = regexp.MustCompile(`(?m)^\s*([A-Za-z0-9_-]+)\s*=\s*(.*)$`)
	cargoPath       = regexp.MustCompile(`\bpath\s*=\s*"([^"\\]+)"`)
)

// rustSDK reads the SDK's folder from Cargo.toml: purser-sdk = { path = "…" }. Another dependency is refused, because
// it would silently be missing; cargo builds such a plugin.
func rustSDK(folder string) (string, error) {
	path := filepath.Join(folder, "Cargo.toml")
	content, err := readSmall(path, cargoBytesMax)
	if err != nil {
		return "", err
	}
	sdk := ""
	for _, dependency := range cargoDependency.FindAllStringSubmatch(dependencies(string(content)), -1) {
		if dependency[1] != "purser-sdk" {
			return "", cargoFault(path, fmt.Sprintf("the plugin depends on %.60q", dependency[1]),
				"build it with cargo build --release --target "+rustTarget+", then: purser plugin build --module FILE")
		}
		if match := cargoPath.FindStringSubmatch(dependency[2]); match != nil {
			sdk = filepath.Join(folder, filepath.FromSlash(match[1]))
		}
	}
	if sdk == "" {
		return "", cargoFault(path, "no line says where the SDK is", `add to [dependencies]: purser-sdk = { path = "purser-sdk" }`)
	}
	if _, err := os.Stat(filepath.Join(sdk, buildScript)); err != nil {
		return "", cargoFault(path, "the SDK is not where it says", "copy sdk/rust there")
	}
	return filepath.Clean(sdk), nil
}

func cargoFault(path, message, fix string) error {
	return &abi.Error{Code: CodeBuildFailed, Message: message, Where: path, Fix: fix}
}

// dependencies is the text of the section [dependencies].
func dependencies(text string) string {
	sections := cargoSection.FindAllStringSubmatchIndex(text, -1)
	for i, at := range sections {
		if text[at[2]:at[3]] != "dependencies" {
			continue
		}
		if i+1 < len(sections) {
			return text[at[1]:sections[i+1][0]]
		}
		return text[at[1]:]
	}
	return ""
}

// findRust returns $RUSTC, or the first rustc that has the target: rustup's shim often stands before Debian's compiler
// and lacks it.
func findRust(ctx context.Context) (string, error) {
	candidates := []string{os.Getenv("RUSTC"), "rustc", "/usr/bin/rustc"}
	for _, candidate := range candidates {
		if candidate == "" {
			continue
		}
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		// It names the folder of the target's libraries whether or not they are there.
		named, err := exec.CommandContext(ctx, path, "--print", "target-libdir", "--target", rustTarget).Output() // #nosec G204 G702 -- the compiler that the user named
		if err != nil {
			continue
		}
		if files, err := os.ReadDir(strings.TrimSpace(string(named))); err == nil && len(files) > 0 {
			return path, nil
		}
	}
	return "", toolMissing(Rust, rustFix, "a rustc with the target "+rustTarget)
}
