// Package toolchain turns a plugin's source folder into a module with its manifest: it finds out the language and runs
// that language's compiler with the exact flags that give a small, reproducible guest. It refuses to install or
// download anything: a missing tool is an error that names the package to install.
package toolchain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/purserhq/purser/abi"
)

// Codes of this package's errors.
const (
	// CodeLanguageUnknown: the folder holds no plugin source that is recognised, or of more than one language.
	CodeLanguageUnknown = "plugin_language_unknown"
	// CodeToolMissing: a compiler is not installed; Fix says what to install.
	CodeToolMissing = "tool_missing"
	// CodeBuildFailed: the compiler refused; its own words are the cause.
	CodeBuildFailed = "build_failed"
	// CodeModuleInvalid: what should be a module is none, or too large.
	CodeModuleInvalid = "module_invalid"
)

// Language is one a plugin can be written in.
type Language string

// The languages with an SDK.
const (
	Go             Language = "go"
	Rust           Language = "rust"
	AssemblyScript Language = "assemblyscript"
	C              Language = "c"
)

// Languages lists them in the order of the documents. The caller owns the copy.
func Languages() []Language { return []Language{Go, Rust, AssemblyScript, C} }

const (
	manifestFile = "manifest.json"
	// outputBytesMax is how much of a compiler's output is kept: its end, where the errors are.
	outputBytesMax = 64 << 10
)

// Built is a module that was written.
type Built struct {
	Path    string   `json:"path"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Kind    abi.Kind `json:"kind"`
	// Language is empty when another tool compiled the module.
	Language Language `json:"language,omitempty"`
	Bytes    int      `json:"bytes"`
	SHA256   string   `json:"sha256"`
}

// Build compiles the plugin in folder and writes the module to out, or to NAME.wasm in the folder when out is empty.
// An existing module is replaced only after everything succeeded.
func Build(ctx context.Context, folder, out string) (Built, error) {
	language, err := Detect(folder)
	if err != nil {
		return Built{}, err
	}
	// Before the compiler runs: a mistake here needs no waiting.
	if _, _, err := readManifest(folder); err != nil {
		return Built{}, err
	}
	compiled, err := compile(ctx, language, folder)
	if err != nil {
		return Built{}, err
	}
	built, err := Finish(folder, out, compiled)
	built.Language = language
	return built, err
}

// Finish puts the folder's manifest into a module that a compiler wrote and writes it as Build does.
func Finish(folder, out string, compiled []byte) (Built, error) {
	document, manifest, err := readManifest(folder)
	if err != nil {
		return Built{}, err
	}
	module, err := Embed(compiled, document)
	if err != nil {
		return Built{}, err
	}
	if out == "" {
		out = filepath.Join(folder, manifest.Name+".wasm")
	}
	if err := replaceFile(out, module); err != nil {
		return Built{}, err
	}
	return Built{
		Path: out, Name: manifest.Name, Version: manifest.Version, Kind: manifest.Kind,
		Bytes: len(module), SHA256: fmt.Sprintf("%x", sha256.Sum256(module)),
	}, nil
}

func readManifest(folder string) ([]byte, *abi.Manifest, error) {
	path := filepath.Join(folder, manifestFile)
	document, err := readSmall(path, abi.ManifestBytesMax)
	if err != nil {
		return nil, nil, &abi.Error{Code: abi.CodeManifestInvalid, Message: "the plugin has no readable manifest", Where: path, Cause: err, Fix: "write one, or start with purser plugin new"}
	}
	manifest, err := checkManifest(document)
	if err != nil {
		return nil, nil, InFile(err, path, document)
	}
	return document, manifest, nil
}

// compile runs the language's compiler in a scratch folder and returns what it wrote.
func compile(ctx context.Context, language Language, folder string) (_ []byte, err error) {
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "purser-build-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if cleanup := os.RemoveAll(scratch); cleanup != nil {
			err = errors.Join(err, cleanup)
		}
	}()
	out := filepath.Join(scratch, "plugin.wasm")
	compilers := map[Language]func(context.Context, string, string) error{
		Go: compileGo, Rust: compileRust, AssemblyScript: compileAssemblyScript, C: compileC,
	}
	if err := compilers[language](ctx, folder, out); err != nil {
		return nil, err
	}
	compiled, err := readSmall(out, abi.ModuleBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &abi.Error{Code: CodeBuildFailed, Message: "the compiler reported no error and wrote no module", Where: folder, Fix: "check which compiler is first on the path: " + string(language) + " plugins need " + fixes[language]}
	}
	return compiled, err
}

// fixes say what building each language needs.
var fixes = map[Language]string{Go: goFix, Rust: rustFix, AssemblyScript: nodeFix, C: cFix}

// Ready reports whether what a language needs is installed: nil, or an error with code tool_missing that says what to
// install. An AssemblyScript project also needs its own npm packages.
func Ready(ctx context.Context, language Language) error {
	var err error
	switch language {
	case Go:
		_, err = find(Go, goFix, "go")
	case Rust:
		_, err = findRust(ctx)
	case AssemblyScript:
		_, err = find(AssemblyScript, nodeFix, nodes...)
	case C:
		_, err = findClang()
	default:
		err = &abi.Error{Code: CodeLanguageUnknown, Message: fmt.Sprintf("%.40q is no language with an SDK", language), Fix: fmt.Sprintf("use one of %v", Languages())}
	}
	return err
}

// What a shell ends with when it cannot run a command.
const (
	exitNotRunnable = 126
	exitNotFound    = 127
)

// lackedTool is how the compilers say that they found no linker: rustc, and clang in its several versions. They end as
// they do after a mistake in the source.
var lackedTool = regexp.MustCompile("(?m)linker `[^`]*` not found|unable to execute command: Executable \"[^\"]*\" doesn't exist|error: (?:invalid linker name|unable to find .*lld)|cannot execute .*wasm-ld")

// step is one run of a tool.
type step struct {
	language Language
	folder   string
	// environment is added to this process's own; a later entry wins.
	environment []string
	tool        string
	args        []string
}

// run runs it and turns its failure into an error that shows what the tool said.
func (s step) run(ctx context.Context) error {
	said := &tail{}
	command := exec.CommandContext(ctx, s.tool, s.args...) // #nosec G204 -- a known compiler with flags of this package
	command.Dir, command.Stdout, command.Stderr = s.folder, said, said
	command.Env = append(os.Environ(), s.environment...)
	err := command.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := strings.TrimSpace(said.String())
	if text == "" {
		text = err.Error()
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() == exitNotFound || exit.ExitCode() == exitNotRunnable || lackedTool.MatchString(text) {
		return &abi.Error{
			Code: CodeToolMissing, Message: fmt.Sprintf("building a plugin in %s needs a tool that is not installed or does not run", s.language), Where: s.tool,
			Cause: errors.New(text), Fix: fixes[s.language],
		}
	}
	return &abi.Error{Code: CodeBuildFailed, Message: "the plugin does not compile", Where: s.folder, Cause: errors.New(text), Fix: "correct the source and build again"}
}

// buildScript is the SDK's own, so that its flags stand in one place and an author can build without this package.
const buildScript = "build.sh"

func script(ctx context.Context, language Language, sdk, folder string, environment []string, args ...string) error {
	shell, err := find(language, "install a POSIX shell", "sh")
	if err != nil {
		return err
	}
	return step{language: language, folder: folder, environment: environment, tool: shell, args: append([]string{filepath.Join(sdk, buildScript)}, args...)}.run(ctx)
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	n, err := t.Buffer.Write(p)
	if more := t.Len() - outputBytesMax; more > 0 {
		t.Next(more)
	}
	return n, err
}

// find returns the first of the tools that is installed.
func find(language Language, fix string, names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", toolMissing(language, fix, strings.Join(names, " or "))
}

func toolMissing(language Language, fix, what string) error {
	return &abi.Error{Code: CodeToolMissing, Message: fmt.Sprintf("building a plugin in %s needs %s, which is not installed", language, what), Fix: fix}
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return content, err
}

// replaceFile writes beside the file and renames, so that a build that is stopped leaves no half module.
func replaceFile(path string, content []byte) error {
	scratch, err := os.CreateTemp(filepath.Dir(path), ".purser-build-*")
	if err != nil {
		return err
	}
	_, err = scratch.Write(content)
	err = errors.Join(err, scratch.Chmod(0o644), scratch.Close()) // a module is for everybody to read
	if err == nil {
		err = os.Rename(scratch.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(scratch.Name()))
	}
	return nil
}
