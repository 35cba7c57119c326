package doctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/purserhq/purser/plugins/bundle"
)

// runTimeMax ends a command that should have ended by itself.
const runTimeMax = 5 * time.Minute

var scratch string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "purser-doctest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = folder
	code := m.Run()
	_ = os.RemoveAll(folder) // the system's own folder for temporary files
	os.Exit(code)
}

// binary builds purser once: what a reader types is checked against what a reader runs.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "purser.exe")
	build := exec.Command("go", "build", "-o", path, "./cmd/purser")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return path, nil
})

// purser runs one command with nothing of this machine's environment that would change a default.
func purser(t *testing.T, environment []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), runTimeMax)
	defer cancel()
	command := exec.CommandContext(ctx, path, args...)
	command.Env = environment
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME", "LocalAppData", "SystemRoot", "TEMP"} {
		if value, ok := os.LookupEnv(name); ok {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	var out, errOut bytes.Buffer
	command.Stdout, command.Stderr = &out, &errOut
	err = command.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("purser %v: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("purser %v did not end: %s", args, errOut.String())
	}
	return out.String(), errOut.String(), command.ProcessState.ExitCode()
}

// needPlugins skips where the binary cannot pay because `make plugins` did not run.
func needPlugins(t *testing.T) {
	t.Helper()
	if len(bundle.Names()) > 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("the bundled plugins are not built: run `make plugins`")
	}
	t.Skip("SKIPPED: THE BUNDLED PLUGINS ARE NOT BUILT: run `make plugins`")
}

var (
	hexRun    = regexp.MustCompile(`0x[0-9a-f]{64}|pay_[0-9a-f]{32}`)
	digits    = regexp.MustCompile(`\d+`)
	blankRuns = regexp.MustCompile(`\s+`)
)

// shape is a line without what differs from run to run: hashes, ports, positions, gas. Amounts are the demo's own and
// stand behind the word observed; they are compared by what surrounds them.
func shape(line string) string {
	line = hexRun.ReplaceAllString(line, "H")
	return strings.TrimSpace(blankRuns.ReplaceAllString(digits.ReplaceAllString(line, "N"), " "))
}

func TestTheTranscriptIsWhatTheDemoPrints(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the demo")
	}
	needPlugins(t)
	stdout, stderr, code := purser(t, nil, "demo", "--data", filepath.Join(t.TempDir(), "demo"))
	if code != 0 {
		t.Fatalf("purser demo: exit code %d\n%s%s", code, stdout, stderr)
	}
	printed := strings.Split(stdout, "\n")
	transcript := read(t, "README.md").blocks[0]
	for line := range strings.Lines(transcript.text) {
		want := shape(line)
		at := 0
		for at < len(printed) && shape(printed[at]) != want {
			at++
		}
		if at == len(printed) {
			t.Fatalf("README.md's transcript has a line that the demo does not print there:\n%sthe demo printed:\n%s", line, stdout)
		}
		printed = printed[at+1:]
	}
}
