package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// binaryOnce compiles the binary once a run: the command line is tested as users run it.
var binaryOnce struct {
	sync.Once
	folder, path string
	err          error
}

func compiled(t testing.TB) string {
	t.Helper()
	binaryOnce.Do(func() {
		binaryOnce.folder, binaryOnce.err = os.MkdirTemp("", "purser-cli-test-") //nolint:usetesting // one binary for all tests, removed by TestMain
		if binaryOnce.err != nil {
			return
		}
		binaryOnce.path = filepath.Join(binaryOnce.folder, "purser")
		command := exec.CommandContext(context.Background(), "go", "build", "-o", binaryOnce.path, ".") // #nosec G204 -- a constant command
		if text, err := command.CombinedOutput(); err != nil {
			binaryOnce.err = fmt.Errorf("%w\n%s", err, text)
		}
	})
	if binaryOnce.err != nil {
		t.Fatal(binaryOnce.err)
	}
	return binaryOnce.path
}

// TestTheCommandLine runs testdata/script. Besides testscript's own commands there are:
//
//	exits CODE COMMAND…  runs a command that must end with the exit code
//	dev [ARG…]           starts `purser dev` on free ports and sets PURSER_SERVER, PURSER_DATA, PURSER_PID and MERCHANT
//	says PATTERN         waits until dev prints a matching line, after its ready line
//	signal NAME          sends dev HUP, or TERM and waits for its clean end
//	json FILE…           checks that each line of the files is one JSON object
func TestTheCommandLine(t *testing.T) {
	params := scriptParams(t)
	params.Dir = filepath.Join("testdata", "script")
	testscript.Run(t, params)
}

// scriptParams is what every script gets: the compiled binary on its path, and the commands above.
func scriptParams(t *testing.T) testscript.Params {
	t.Helper()
	program := compiled(t)
	return testscript.Params{
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+e.Getenv("PATH"))
			cache, err := os.UserCacheDir() // compiled plugins: a fresh one costs seconds a script
			e.Setenv("XDG_CACHE_HOME", cache)
			e.Setenv("HOME", e.WorkDir)
			e.Values[devKey{}] = &devProcess{}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "dev": startDev, "says": devSays, "signal": signalDev, "json": onlyObjects,
		},
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func onlyObjects(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		lines := 0
		for line := range strings.Lines(ts.ReadFile(name)) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				ts.Fatalf("%s: %v: %s", name, err, line)
			}
			lines++
		}
		if (lines == 0) != neg {
			ts.Fatalf("%s has %d lines", name, lines)
		}
	}
}

type devKey struct{}

// devProcess is the `purser dev` of a script.
type devProcess struct {
	command *exec.Cmd
	ended   chan error
	mu      sync.Mutex
	said    []string
}

// waitMax bounds what a script waits for; it only decides how long a failure takes.
const waitMax = time.Minute

func startDev(ts *testscript.TestScript, _ bool, args []string) {
	dev, _ := ts.Value(devKey{}).(*devProcess)
	data := ts.MkAbs("data")
	dev.command = exec.Command(binaryOnce.path, append([]string{"dev", "--json", "--listen", "127.0.0.1:0", "--merchant-listen", "127.0.0.1:0", "--data", data}, args...)...) //nolint:noctx,gosec // ended by the script
	dev.command.Env = append(os.Environ(), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"))
	dev.command.Dir = ts.MkAbs(".")
	dev.ended = make(chan error, 1)
	out, err := dev.command.StdoutPipe()
	ts.Check(err)
	errOut, err := dev.command.StderrPipe()
	ts.Check(err)
	ts.Check(dev.command.Start())
	ts.Defer(func() {
		_ = dev.command.Process.Kill() // ended already where the script did it
		dev.wait()
	})
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(errOut); lines.Scan(); {
			dev.mu.Lock()
			dev.said = append(dev.said, lines.Text())
			dev.mu.Unlock()
		}
	})
	ready := make(chan string, 1)
	reading.Go(func() {
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			ready <- lines.Text()
		}
		for lines.Scan() {
			dev.mu.Lock()
			dev.said = append(dev.said, lines.Text())
			dev.mu.Unlock()
		}
	})
	go func() {
		reading.Wait()
		dev.ended <- dev.command.Wait()
	}()
	select {
	case line := <-ready:
		var fields map[string]string
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["ready"] == "" {
			ts.Fatalf("the ready line is %s: %v", line, err)
		}
		ts.Setenv("PURSER_SERVER", fields["url"])
		ts.Setenv("PURSER_DATA", fields["data"])
		ts.Setenv("PURSER_PID", strconv.Itoa(dev.command.Process.Pid))
		ts.Setenv("MERCHANT", fields["merchant"])
		ts.Setenv("RPC", fields["rpc"])
		ts.Setenv("POLICY", fields["policy"])
	case err := <-dev.ended:
		dev.ended <- err
		ts.Fatalf("dev ended: %v\n%s", err, strings.Join(dev.said, "\n"))
	case <-time.After(waitMax):
		ts.Fatalf("dev is not ready: %s", strings.Join(dev.said, "\n"))
	}
}

func (d *devProcess) wait() error {
	err := <-d.ended
	d.ended <- err
	return err
}

func devSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: says PATTERN")
	}
	dev, _ := ts.Value(devKey{}).(*devProcess)
	pattern := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(waitMax); ; time.Sleep(20 * time.Millisecond) {
		dev.mu.Lock()
		for i, line := range dev.said {
			if pattern.MatchString(line) {
				dev.said = dev.said[i+1:]
				dev.mu.Unlock()
				return
			}
		}
		text := strings.Join(dev.said, "\n")
		dev.mu.Unlock()
		if time.Now().After(deadline) {
			ts.Fatalf("dev does not say %s; it said:\n%s", args[0], text)
		}
	}
}

func signalDev(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: signal HUP|TERM")
	}
	dev, _ := ts.Value(devKey{}).(*devProcess)
	switch args[0] {
	case "HUP":
		ts.Check(dev.command.Process.Signal(syscall.SIGHUP))
	case "TERM":
		ts.Check(dev.command.Process.Signal(syscall.SIGTERM))
		if err := dev.wait(); err != nil {
			ts.Fatalf("dev did not end cleanly: %v\n%s", err, strings.Join(dev.said, "\n"))
		}
	default:
		ts.Fatalf("unknown signal %s", args[0])
	}
}
