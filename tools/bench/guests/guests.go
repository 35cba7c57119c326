// Package guests compiles the guests of the plugin bench from the sources beside it. It refuses to reuse a module: the
// Go tool knows what is fresh, and Rust takes two seconds.
package guests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const dist = "dist"

// ErrNoRust says that no Rust compiler for WebAssembly was found.
var ErrNoRust = errors.New("no rustc with the target wasm32-unknown-unknown (Debian: apt-get install --no-install-recommends rustc libstd-rust-dev-wasm32 lld-14)")

// Modules are the compiled guests. The Rust ones are nil where Build returned ErrNoRust.
type Modules struct {
	PurserGo, PurserRust, ExtismGo, ExtismRust []byte
	// GoPluginPath is a file because go-plugin loads nothing else.
	GoPluginPath string
}

// Build compiles every guest into dist below the bench's folder. An error that is ErrNoRust leaves the others usable.
func Build(ctx context.Context, bench string) (Modules, error) {
	bench, err := filepath.Abs(bench)
	if err != nil {
		return Modules{}, err
	}
	if err := os.MkdirAll(filepath.Join(bench, dist), 0o750); err != nil {
		return Modules{}, err
	}
	b := builder{ctx: ctx, bench: bench}
	m := Modules{ExtismGo: b.read(b.golang("extism-go")), GoPluginPath: b.golang("goplugin")}
	m.PurserGo = b.read(b.withManifest(b.golang("purser-go")))
	rust, rustErr := findRust(ctx)
	if rustErr == nil {
		m.ExtismRust = b.read(b.extismRust(rust))
		m.PurserRust = b.read(b.withManifest(b.purserRust(rust)))
	}
	return m, errors.Join(b.err, rustErr)
}

type builder struct {
	ctx   context.Context
	bench string
	err   error
}

// run executes a compiler that writes to a scratch file, and renames that to dist/NAME.wasm: two builds at once must
// not read each other's halves.
func (b *builder) run(name string, compile func(out string) *exec.Cmd) (path string) {
	if b.err != nil {
		return ""
	}
	path = filepath.Join(b.bench, dist, name+".wasm")
	scratch, err := os.MkdirTemp(filepath.Dir(path), "."+name+".")
	if err != nil {
		b.err = err
		return ""
	}
	out := filepath.Join(scratch, "guest.wasm")
	command := compile(out)
	text, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build guest %s: %w\n%s", name, err, text)
	} else {
		err = os.Rename(out, path)
	}
	b.err = errors.Join(err, os.RemoveAll(scratch))
	return path
}

func (b *builder) read(path string) []byte {
	if b.err != nil {
		return nil
	}
	content, err := os.ReadFile(path)
	b.err = err
	return content
}

func (b *builder) golang(name string) string {
	return b.run(name, func(out string) *exec.Cmd {
		command := exec.CommandContext(b.ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", //nolint:gosec // names of this package
			"-ldflags", "-s -w", "-o", out, "./guest/"+name)
		command.Dir = b.bench
		command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "GOWORK=off", "GOFLAGS=")
		return command
	})
}

// extismRust uses the flags that sdk/rust has for purser's guests.
func (b *builder) extismRust(compiler string) string {
	return b.run("extism-rust", func(out string) *exec.Cmd {
		command := exec.CommandContext(b.ctx, compiler, "--edition", "2021", "--target", rustTarget, "--crate-type", "cdylib", "--crate-name", "guest", //nolint:gosec // a compiler
			"-C", "opt-level=3", "-C", "panic=abort", "-C", "codegen-units=1", "-C", "target-feature=+bulk-memory", "-C", "lto=fat",
			"-C", "strip=symbols", "-C", "link-arg=-zstack-size=32768", filepath.Join("src", "lib.rs"), "-o", out)
		command.Dir = filepath.Join(b.bench, "guest", "extism-rust")
		return command
	})
}

// purserRust builds as the SDK says.
func (b *builder) purserRust(compiler string) string {
	return b.run("purser-rust", func(out string) *exec.Cmd {
		command := exec.CommandContext(b.ctx, "sh", filepath.Join(b.root(), "sdk", "rust", "build.sh"), //nolint:gosec // a script of this repository
			filepath.Join(b.bench, "guest", "purser-rust"), out)
		command.Env = append(os.Environ(), "RUSTC="+compiler)
		return command
	})
}

// withManifest puts the one manifest of both languages into a module.
func (b *builder) withManifest(module string) string {
	name := strings.TrimSuffix(filepath.Base(module), ".wasm") + "-plugin"
	return b.run(name, func(out string) *exec.Cmd {
		command := exec.CommandContext(b.ctx, "go", "run", "./internal/gen/manifest", "-manifest", filepath.Join(b.bench, "guest", "manifest.json"), //nolint:gosec // a command of this repository
			"-wasm", module, "-out", out)
		command.Dir = b.root()
		return command
	})
}

func (b *builder) root() string { return filepath.Join(b.bench, "..", "..") }

const rustTarget = "wasm32-unknown-unknown"

// findRust looks where purser plugin build looks: a rustup shim often stands before a system's compiler and lacks the
// target. The name of the target's folder is known to any rustc; that it holds something is the question.
func findRust(ctx context.Context) (string, error) {
	for _, candidate := range []string{os.Getenv("RUSTC"), "rustc", "/usr/bin/rustc"} {
		path, err := exec.LookPath(candidate)
		if err != nil {
			continue
		}
		folder, err := exec.CommandContext(ctx, path, "--print", "target-libdir", "--target", rustTarget).Output() //nolint:gosec // a compiler
		if err != nil {
			continue
		}
		if files, err := os.ReadDir(strings.TrimSpace(string(folder))); err == nil && len(files) > 0 {
			return path, nil
		}
	}
	return "", ErrNoRust
}
