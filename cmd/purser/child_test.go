package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/purserhq/purser/abi"
	"github.com/purserhq/purser/runtime/client"
	"github.com/purserhq/purser/runtime/store/postgres/pgtest"
)

// childEnv, when set, makes this test binary a runtime process instead: its value is a childConfig.
const childEnv = "PURSER_TEST_STACK"

func TestMain(m *testing.M) {
	if config, ok := os.LookupEnv(childEnv); ok {
		if err := runChild(config); err != nil {
			fmt.Fprintln(os.Stderr, "runtime process:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := pgtest.Main(m)
	_ = os.RemoveAll(binaryOnce.folder) // best effort; nothing was built when it is empty
	os.Exit(code)
}

// childConfig is a stackConfig as far as it crosses to another process. The wallet is always the test one.
type childConfig struct {
	Data, Postgres, Policy, Network, RPC string
}

// runChild runs a stack behind a listener until standard input ends, which happens at the latest with the parent.
func runChild(text string) error {
	var config childConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return err
	}
	key, err := singleKeys()
	if err != nil {
		return err
	}
	ctx := context.Background()
	s, err := openStack(ctx, stackConfig{
		data: config.Data, postgres: config.Postgres, policy: config.Policy, keys: []walletKey{key},
		chains: map[abi.Network]string{abi.Network(config.Network): config.RPC},
		log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	listener, err := listenLoopback(ctx, "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, s.Close())
	}
	server := &http.Server{Handler: s.gateway, ReadHeaderTimeout: readHeaderTime}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println("http://" + listener.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	err = errors.Join(err, server.Close(), s.Close())
	if stopped := <-served; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}

// child is a runtime process of its own.
type child struct {
	url     string
	process *exec.Cmd
	stdin   io.Closer
	ended   bool
}

const childStartMax = 2 * time.Minute

// startChild runs this binary as a runtime process and waits until it listens. It is stopped with the test.
func startChild(t testing.TB, config childConfig) *child {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The process ends with its standard input, with kill, or with this process: no context may end it by accident.
	process := exec.Command(program) //nolint:noctx // #nosec G204 -- this very binary
	process.Env = append(os.Environ(), childEnv+"="+string(text))
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{process: process, stdin: stdin}
	t.Cleanup(func() { c.stop(t) })
	deadline := time.AfterFunc(childStartMax, func() { _ = process.Process.Kill() }) // ends the read below
	defer deadline.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the runtime process did not start: %v", err)
	}
	c.url = line[:len(line)-1]
	if _, _, err := net.SplitHostPort(c.url[len("http://"):]); err != nil {
		t.Fatalf("the runtime process printed %q", line)
	}
	return c
}

// stop ends the process in order.
func (c *child) stop(t testing.TB) {
	t.Helper()
	if c.ended {
		return
	}
	c.ended = true
	if err := c.stdin.Close(); err != nil {
		t.Error(err)
	}
	if err := c.process.Wait(); err != nil {
		t.Errorf("the runtime process: %v", err)
	}
}

// kill ends the process with SIGKILL: nothing of it runs any more when this returns.
func (c *child) kill(t testing.TB) {
	t.Helper()
	c.ended = true
	if err := c.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.process.Wait(); !errors.As(err, &exit) {
		t.Fatalf("a killed process ended with %v", err)
	}
}

// as is a client of the process.
func (c *child) as(t testing.TB, token string) *client.Client {
	t.Helper()
	return clientOf(t, c.url, token)
}

func clientOf(t testing.TB, url, token string) *client.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(url, client.Token(token), &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// operatorOf reads the operator's token that a stack left in its data folder.
func operatorOf(t testing.TB, data string) string {
	t.Helper()
	text, err := os.ReadFile(tokenPath(data, operatorName))
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:len(text)-1])
}
