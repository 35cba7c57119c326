package sdktest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/purserhq/purser/internal/toolchain"
)

const (
	root                  = "../.."
	assemblyScriptSDK     = "sdk/assemblyscript"
	assemblyScriptExample = "examples/ceiling/assemblyscript"
)

// assemblyScriptOffline is what npm says when it cannot reach a registry.
var assemblyScriptOffline = regexp.MustCompile(`ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ENOTCACHED`)

// assemblyScript is a copy of the SDK and its example as a clean checkout has them, with the compiler installed by the
// example's lock file.
type assemblyScript struct{ root string }

// installAssemblyScript copies and installs; all tests share one installation and one compiler.
func installAssemblyScript(t *testing.T) assemblyScript {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			skipWithout(t, "no %s (%v); Debian: apt-get install nodejs npm, release 20 or newer", tool, err)
		}
	}
	copied := assemblyScript{t.TempDir()}
	for _, folder := range []string{assemblyScriptSDK, assemblyScriptExample} {
		copyFolder(t, filepath.Join(root, folder), filepath.Join(copied.root, folder))
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund")
	install.Dir = filepath.Join(copied.root, assemblyScriptExample)
	if output, err := install.CombinedOutput(); err != nil {
		if assemblyScriptOffline.Match(output) {
			skipWithout(t, "npm ci reached no registry: %s", output)
		}
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	return copied
}

// compile runs asc on a file of the SDK, with the settings that the example takes from the SDK.
func (a assemblyScript) compile(t *testing.T, entry string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	relative, err := filepath.Rel(assemblyScriptExample, filepath.Join(assemblyScriptSDK, entry))
	if err != nil {
		t.Fatal(err)
	}
	return a.run(t, out, "node", "node_modules/assemblyscript/bin/asc.js", relative, "--outFile", out)
}

// ceiling runs the example's own build line.
func (a assemblyScript) ceiling(t *testing.T) []byte {
	t.Helper()
	return a.run(t, filepath.Join(a.root, assemblyScriptExample, "ceiling.wasm"), "npm", "run", "build")
}

func (a assemblyScript) run(t *testing.T, out, name string, args ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...) // #nosec G204 -- constants and folders of this test
	command.Dir = filepath.Join(a.root, assemblyScriptExample)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
	return readFile(t, out)
}

// plugin puts a manifest into a module.
func (a assemblyScript) plugin(t *testing.T, module []byte, manifest string) []byte {
	t.Helper()
	plugin, err := toolchain.Embed(module, readFile(t, filepath.Join(a.root, manifest)))
	if err != nil {
		t.Fatal(err)
	}
	return plugin
}

// copyFolder leaves out what a clean checkout does not have.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.IsDir() && entry.Name() == "node_modules":
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case filepath.Ext(path) == ".wasm":
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// skipWithout stops a test that lacks something this machine may not have, but never in CI.
func skipWithout(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("required in CI: "+format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

func TestTheAssemblyScriptReadmeShowsTheExample(t *testing.T) {
	readme := string(readFile(t, filepath.Join(root, assemblyScriptSDK, "README.md")))
	for file, language := range map[string]string{"policy.ts": "ts", "package.json": "json", "asconfig.json": "json"} {
		source := string(readFile(t, filepath.Join(root, assemblyScriptExample, file)))
		if !strings.Contains(readme, "```"+language+"\n"+source+"```\n") {
			t.Errorf("README.md shows another %s than the example's", file)
		}
	}
}

func TestTheAssemblyScriptLockPinsTheCompilerAndNamesNoRegistry(t *testing.T) {
	lock := string(readFile(t, filepath.Join(root, assemblyScriptExample, "package-lock.json")))
	resolved := regexp.MustCompile(`"resolved": "([^"]*)"`).FindAllStringSubmatch(lock, -1)
	if len(resolved) != 1 || resolved[0][1] != "../../../sdk/assemblyscript" {
		t.Errorf("the lock file says where packages come from: %q", resolved)
	}
	if !regexp.MustCompile(`"node_modules/assemblyscript": \{\s*"version": "0\.28\.\d+",\s*"integrity": "sha512-`).MatchString(lock) {
		t.Error("the lock file does not pin the compiler")
	}
	var sdk struct {
		Name, License    string
		PeerDependencies map[string]string
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(root, assemblyScriptSDK, "package.json")), &sdk); err != nil {
		t.Fatal(err)
	}
	if sdk.Name != "@purserhq/sdk-assemblyscript" || sdk.License != "Apache-2.0" || !strings.HasPrefix(sdk.PeerDependencies["assemblyscript"], "~0.28.") {
		t.Errorf("the package is %+v", sdk)
	}
}
